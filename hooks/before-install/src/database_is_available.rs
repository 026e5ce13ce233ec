//! `database-is-available`

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::plan::{Database, Plan};
use greenlight_postgres::Halt;
use greenlight_postgres::connection::{self, open, tls_version};
use greenlight_postgres::fault;
use greenlight_postgres::locate::{FurtherRoots, Located, locate};
use greenlight_postgres::login::Overrides;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

/// Looks at a server that takes no writes until that is its answer: a failover may be under way.
const READER_LOOKS: u32 = 4;

/// Pause between two of them.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How long saying goodbye may take; the server notices an unannounced end too.
const GOODBYE: Duration = Duration::from_secs(2);

/// The database that the plan names serves, can be trusted, and takes writes: known before anything is started, not when
/// the migrations begin.
pub struct DatabaseIsAvailable {
    database: Option<Database>,
    roots: FurtherRoots,
    reader_looks: AtomicU32,
}

impl DatabaseIsAvailable {
    /// The plan's database.
    pub fn from_plan(plan: &Plan) -> Self {
        Self::trusting(plan, FurtherRoots::from_environment())
    }

    /// As [`Self::from_plan`], with these roots beside those of RDS and the public ones.
    pub fn trusting(plan: &Plan, roots: FurtherRoots) -> Self {
        Self { database: plan.database.clone(), roots, reader_looks: AtomicU32::new(0) }
    }

    async fn look(&self, context: &CheckContext, database: &Database) -> Result<String, Halt> {
        let overrides = Overrides::from(database);
        let Located { login, rds } = locate(&context.ports, &database.credentials, &overrides, &self.roots).await?;
        let caller = format!("greenlight {} {}", context.stage.hook_name(), context.deployment.id);
        let mut connection = open(&login, &caller, context.deadline.left_for_questions()).await?;
        let seen = self.inspect(&mut connection, &login.place()).await;
        // Nothing more is asked of it: an error here changes no answer.
        let _ = tokio::time::timeout(GOODBYE, connection.close()).await;
        let encrypted = match (seen?, login.is_verified()) {
            (Some(version), true) => format!("over {version} with a verified certificate"),
            (Some(version), false) => format!("over {version}, certificate not verified"),
            (None, _) => "without TLS".to_owned(),
        };
        let state = rds.map(|rds| format!("{} {} is {}; ", rds.kind, rds.identifier, rds.status)).unwrap_or_default();
        Ok(format!("{state}{} was reached {encrypted} as {}, and takes writes", login.place(), login.user))
    }

    /// The version of TLS, once it is known that the server takes writes.
    async fn inspect(&self, connection: &mut PgConnection, place: &str) -> Result<Option<String>, Halt> {
        let lost = |error: sqlx::Error| CannotTell {
            asked: format!("whether {place} takes writes"),
            remedy: "Look at the database's events for a failover or restart, then redeploy.".to_owned(),
            transient: fault::class(&error) != fault::Class::Refused,
            source: Some(fault::words(&error).into()),
        };
        if let Some(why) = connection::why_read_only(connection).await.map_err(lost)? {
            let evidence = format!("{place} is {why}: nothing can be migrated there");
            let remedy = "Name the writer in the plan: database.cluster finds it, database.host is its endpoint.";
            return Err(match self.reader_looks.fetch_add(1, Ordering::Relaxed) {
                looks if looks + 1 < READER_LOOKS => Halt::not_yet(evidence, LOOK_AGAIN, remedy),
                _ => Halt::no(evidence, remedy),
            });
        }
        Ok(tls_version(connection).await.map_err(lost)?)
    }
}

#[async_trait]
impl Check for DatabaseIsAvailable {
    fn id(&self) -> &'static str {
        "database-is-available"
    }

    fn question(&self) -> String {
        "Is the plan's database in a state that serves, reached over trusted TLS, and the writer?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let Some(database) = &self.database else { return Ok(Answer::yes("the plan names no database")) };
        match self.look(context, database).await {
            Ok(evidence) => Ok(Answer::yes(evidence)),
            Err(halt) => halt.into_answer(),
        }
    }
}
