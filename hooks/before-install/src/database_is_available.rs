//! `database-is-available`

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::deployment::AnyDeployment as _;
use greenlight::plan::{Database, Plan};
use greenlight_database::Halt;
use greenlight_database::connection::{self, Seen};
use greenlight_database::locate::{FurtherRoots, Located, locate};
use greenlight_database::login::Overrides;

/// Looks at a server that takes no writes until that is its answer: a failover may be under way.
const READER_LOOKS: u32 = 4;

/// Pause between two of them.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

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
        let owner = context.deployment.owner_of_secrets();
        let located = locate(&context.ports, &owner, &database.credentials, &overrides, &self.roots).await?;
        let Located { login, rds } = located;
        let caller = format!("greenlight {} {}", context.stage.hook_name(), context.deployment.id);
        let Seen { read_only, tls } = connection::look(&login, &caller, context.deadline.left_for_questions()).await?;
        if let Some(why) = read_only {
            return Err(self.reader(&login.place(), why));
        }
        let encrypted = match (tls, login.is_verified()) {
            (Some(version), true) => format!("over {version} with a verified certificate"),
            (Some(version), false) => format!("over {version}, certificate not verified"),
            (None, _) => "without TLS".to_owned(),
        };
        let state = rds.map(|rds| format!("{} {} is {}; ", rds.kind, rds.identifier, rds.status)).unwrap_or_default();
        Ok(format!("{state}{} was reached {encrypted} as {}, and takes writes", login.place(), login.user))
    }

    fn reader(&self, place: &str, why: &str) -> Halt {
        let evidence = format!("{place} is {why}: nothing can be migrated there");
        let remedy = "Name the writer in the plan: database.cluster finds it, database.host is its endpoint.";
        match self.reader_looks.fetch_add(1, Ordering::Relaxed) {
            looks if looks + 1 < READER_LOOKS => Halt::not_yet(evidence, LOOK_AGAIN, remedy),
            _ => Halt::no(evidence, remedy),
        }
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
