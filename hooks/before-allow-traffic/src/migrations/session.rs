//! The one connection of an attempt: opened, bounded in time, closed whatever happens.
//!
//! Never from a pool: the lock belongs to the connection, and a function that is frozen with a pooled one keeps it.

use std::time::Duration;

use greenlight::check::CannotTell;
use greenlight::deadline::Deadline;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::time::timeout;

use super::fault::{self, Class, halt};
use super::login::Login;
use super::{Halt, lock};

/// How long a connection may take to come about: a name to resolve, a handshake, a password.
const CONNECT: Duration = Duration::from_secs(10);
/// How long saying goodbye may take; the server notices an unannounced end too.
const GOODBYE: Duration = Duration::from_secs(2);
/// Kept between the server's own end of a statement and ours, so that its message still arrives.
const MARGIN: Duration = Duration::from_secs(1);
/// Statements that wait for old transactions without making anybody wait get this long for a lock, or what is left.
const POLITE_LOCK_TIMEOUT: Duration = Duration::from_secs(600);
/// Lets a server that works for a killed function stop by itself. PostgreSQL has it since 14, and not on every system.
const NOTICE_OUR_END: &str = "; SET client_connection_check_interval = 2000";

/// A connection with a deadline.
pub struct Session {
    /// The connection itself.
    pub connection: PgConnection,
    /// `orders on db.example.com:5432`.
    pub place: String,
    /// When our questions end.
    pub deadline: Deadline,
    /// How long a statement may wait for a lock while others queue behind it.
    pub lock_timeout: Duration,
    /// Whether the current file has its own idea of how long its statements may run and wait. Then ours stand back: our
    /// deadline still ends it.
    pub file_sets_limits: bool,
    /// The key of the migration lock, once asked for.
    pub lock_key: Option<i64>,
    /// What the server was last told about the time left.
    told: Duration,
    /// Whether the server can notice by itself that a function was killed while it worked for it.
    notices_our_end: bool,
}

impl Session {
    /// Connects.
    pub async fn open(login: &Login, caller: &str, deadline: Deadline, lock_timeout: Duration) -> Result<Self, Halt> {
        let place = login.place();
        let patience = CONNECT.min(deadline.left_for_questions());
        let connection = match timeout(patience, connect(login.options(caller))).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(unreachable(login, error)),
            Err(_) => {
                return Err(CannotTell {
                    asked: format!("{place}: no connection within {} s", patience.as_secs()),
                    remedy: reach(login),
                    transient: true,
                    source: None,
                }
                .into());
            }
        };
        Ok(Self {
            connection,
            place,
            deadline,
            lock_timeout,
            file_sets_limits: false,
            lock_key: None,
            told: Duration::ZERO,
            notices_our_end: false,
        })
    }

    /// Says goodbye, so that the server frees the lock now and not when it notices.
    pub async fn close(self) {
        if timeout(GOODBYE, self.connection.close()).await.is_err() {
            tracing::debug!("the database did not answer our goodbye");
        }
    }

    /// Runs SQL as it stands, without parameters. The rows it touched.
    pub async fn run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await?;
        Ok(result.rows_affected())
    }

    /// A session as if newly connected, with our limits: nothing of one file leaks into the next. Still holding the lock.
    pub async fn start_over(&mut self) -> Result<(), Halt> {
        let done = self.run("RESET SESSION AUTHORIZATION; RESET ALL; DISCARD TEMP; CLOSE ALL").await;
        done.map_err(|error| halt("the session's settings", &self.place, error))?;
        (self.told, self.file_sets_limits) = (Duration::ZERO, false);
        self.limit_as_usual().await.map_err(|error| halt("the session's settings", &self.place, error))?;
        lock::verify(self).await
    }

    /// Tells the server how long a statement may run and wait, if that changed by more than a second.
    pub async fn keep_limits(&mut self) -> Result<(), sqlx::Error> {
        if self.left() + Duration::from_secs(1) < self.told { self.limit_as_usual().await } else { Ok(()) }
    }

    /// For a statement behind which others queue while it waits.
    pub async fn limit_as_usual(&mut self) -> Result<(), sqlx::Error> {
        self.limit(self.lock_timeout).await
    }

    /// For a statement that makes nobody wait.
    pub async fn limit_politely(&mut self) -> Result<(), sqlx::Error> {
        self.limit(POLITE_LOCK_TIMEOUT.max(self.lock_timeout)).await
    }

    async fn limit(&mut self, lock_timeout: Duration) -> Result<(), sqlx::Error> {
        if self.file_sets_limits {
            return Ok(());
        }
        let left = self.left();
        let sql = format!(
            "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = 60000{}",
            left.as_millis().max(1),
            lock_timeout.min(left).as_millis().max(1),
            if self.notices_our_end { NOTICE_OUR_END } else { "" },
        );
        self.run(&sql).await?;
        self.told = left;
        Ok(())
    }

    /// What a statement may still take.
    fn left(&self) -> Duration {
        self.deadline.left_for_questions().saturating_sub(MARGIN)
    }

    /// Why this server takes no writes; `None` when it does.
    pub async fn why_read_only(&mut self) -> Result<Option<&'static str>, Halt> {
        const SQL: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool";
        let found: Result<(bool, bool), _> =
            sqlx::query_as(SQL).persistent(false).fetch_one(&mut self.connection).await;
        let (replica, read_only) = found.map_err(|error| halt("the writer", &self.place, error))?;
        self.notices_our_end = self.run(NOTICE_OUR_END).await.is_ok();
        Ok(match (replica, read_only) {
            (true, _) => Some("a read replica"),
            (false, true) => Some("read-only (default_transaction_read_only)"),
            (false, false) => None,
        })
    }
}

async fn connect(options: PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    options.connect().await
}

fn unreachable(login: &Login, error: sqlx::Error) -> Halt {
    let (place, said) = (login.place(), fault::words(&error));
    match (fault::sqlstate(&error).as_deref(), fault::class(&error)) {
        (Some("28P01" | "28000"), _) => Halt::no(
            format!("{place} refused user {}: {said}", login.user),
            "Put the current user and password into the secret, or allow this address in pg_hba; then redeploy.",
        ),
        (Some("3D000"), _) => Halt::no(
            format!("{place}: {said}"),
            "Create the database, or name another one in the plan (database.name); then redeploy.",
        ),
        (_, Class::Unready | Class::Busy) => Halt::not_yet(
            format!("{place}: {said}"),
            fault::jittered(Duration::from_secs(2)),
            "Free connections of the database (max_connections), or wait until it has started; then redeploy.",
        ),
        (code, class) => CannotTell {
            asked: format!("{place}: {}", if code.is_some() { "the connection was refused" } else { "no connection" }),
            remedy: reach(login),
            transient: class == Class::Lost,
            source: Some(Box::new(error)),
        }
        .into(),
    }
}

fn reach(login: &Login) -> String {
    format!(
        "Let the function reach {}:{}: its subnets, the database's security group, its name; for a certificate that is not \
         trusted, name the endpoint that RDS gave.",
        login.host, login.port
    )
}
