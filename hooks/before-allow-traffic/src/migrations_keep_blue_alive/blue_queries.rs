//! Blue's own queries, prepared against the schema as it will be, in a transaction that is rolled back.

use std::time::Duration;

use greenlight::check::{Answer, CannotTell};
use greenlight_lint::statements::{Statement, statements};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqlSafeStr as _};
use tokio::time::Instant;

use crate::migrations::files::File;
use crate::migrations::postgres::fault::{halt, words};
use crate::migrations::postgres::kind::Kind;
use crate::migrations::postgres::session::Session;
use crate::migrations::{Halt, counted};

/// How long a statement may take: others wait behind its locks, which are held until everything is rolled back.
const STATEMENT_WITHIN: Duration = Duration::from_secs(2);
/// And all of them.
const ALL_WITHIN: Duration = Duration::from_secs(5);

/// They move rows or build what queries only run faster with: what a query may name stays the same.
const OF_NO_MATTER: [&str; 16] = [
    "analyze",
    "call",
    "checkpoint",
    "cluster",
    "comment",
    "copy",
    "delete",
    "insert",
    "lock",
    "merge",
    "refresh",
    "reindex",
    "select",
    "update",
    "vacuum",
    "with",
];

/// What came of it.
#[derive(Default)]
pub(super) struct Tried {
    /// The answer, when a query would fail.
    pub(super) no: Option<Answer>,
    /// What is said otherwise.
    pub(super) evidence: Option<String>,
}

/// Prepares every query as the schema is, then as these files make it. Nothing is kept.
pub(super) async fn try_out(session: &mut Session, queries: &[String], pending: &[&File]) -> Result<Tried, Halt> {
    if queries.is_empty() {
        return Ok(Tried::default());
    }
    for query in queries {
        if let Err(error) = prepare(session, query).await {
            let said = words(&error);
            return Err(Halt::no(
                format!("a query of blue's in the plan does not work today ({}): {said}", short(query)),
                "Correct migrations.blue_queries of the plan to what blue asks; then redeploy.",
            ));
        }
    }
    run(session, "BEGIN").await?;
    let tried = in_transaction(session, queries, pending).await;
    // Nothing may be kept, whatever came of it; a connection that is lost keeps nothing either.
    let undone = run(session, "ROLLBACK").await;
    let tried = tried?;
    undone.map(|()| tried)
}

async fn in_transaction(session: &mut Session, queries: &[String], pending: &[&File]) -> Result<Tried, Halt> {
    limit(session).await?;
    let (began, mut skipped) = (Instant::now(), 0);
    for file in pending {
        for statement in statements(&file.sql).map_while(Result::ok) {
            if !matters(&statement) {
                continue;
            }
            if began.elapsed() > ALL_WITHIN {
                return Err(CannotTell {
                    asked: format!("blue's queries: the schema was not there after {} s", ALL_WITHIN.as_secs()),
                    remedy: "Take migrations.blue_queries out of the plan for these files, or make them smaller; then \
                             redeploy."
                        .to_owned(),
                    transient: false,
                    source: None,
                }
                .into());
            }
            run(session, "SAVEPOINT greenlight_statement").await?;
            if let Err(error) = session.run(statement.text).await {
                tracing::debug!(file = %file.name, line = statement.line, "not tried out: {}", words(&error));
                skipped += 1;
                run(session, "ROLLBACK TO SAVEPOINT greenlight_statement").await?;
            } else if Kind::of(&statement) == Kind::Setting {
                limit(session).await?;
            }
        }
    }
    for query in queries {
        run(session, "SAVEPOINT greenlight_query").await?;
        if let Err(error) = prepare(session, query).await {
            let evidence = format!(
                "a query of blue's fails once the files are applied ({}): {}; nothing was migrated; traffic stays on blue",
                short(query),
                words(&error)
            );
            let remedy = "Keep what blue names until no running version names it, or correct migrations.blue_queries of the \
                          plan; then redeploy.";
            return Ok(Tried { no: Some(Answer::no(evidence, remedy)), evidence: None });
        }
    }
    let count = match queries.len() {
        1 => "1 query of blue's works".to_owned(),
        count => format!("{count} queries of blue's work"),
    };
    let left_out = match skipped {
        0 => String::new(),
        skipped => format!(", of which {} could not be tried out", counted(skipped, "statement")),
    };
    Ok(Tried { no: None, evidence: Some(format!("{count} on the schema of these files{left_out}")) })
}

/// Bounds what follows; a file's own settings may have said otherwise.
async fn limit(session: &mut Session) -> Result<(), Halt> {
    let limits = format!(
        "SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}",
        session.lock_timeout.as_millis().max(1),
        STATEMENT_WITHIN.as_millis()
    );
    run(session, &limits).await
}

/// Whether a query may notice it.
fn matters(statement: &Statement<'_>) -> bool {
    let index = ["create", "drop", "alter"]
        .iter()
        .any(|verb| statement.starts_with(&[verb, "index"]) || statement.starts_with(&[verb, "unique", "index"]));
    let kind = Kind::of(statement);
    matches!(kind, Kind::Ordinary | Kind::Setting)
        && !index
        && !OF_NO_MATTER.iter().any(|word| statement.starts_with(&[word]))
}

/// Has the server parse and plan it. Only one statement can be prepared, and it is not run.
async fn prepare(session: &mut Session, query: &str) -> Result<(), sqlx::Error> {
    // What was prepared for the schema before says nothing about this one.
    session.connection.clear_cached_statements().await?;
    (&mut session.connection).prepare(AssertSqlSafe(query.to_owned()).into_sql_str()).await.map(drop)
}

async fn run(session: &mut Session, sql: &str) -> Result<(), Halt> {
    let done = session.run(sql).await.map(drop);
    done.map_err(|error| halt("blue's queries", &session.place, error))
}

/// Without the texts in quotes, which may be secret.
fn short(query: &str) -> String {
    statements(query).next().and_then(Result::ok).map_or_else(|| "an empty query".to_owned(), |it| it.summary())
}
