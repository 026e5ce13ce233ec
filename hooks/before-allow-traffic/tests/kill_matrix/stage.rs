//! One run of the set, disturbed or not, and what it leaves.

use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::AssertSqlSafe;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::proxy::{Kill, Proxy};
use crate::server::Server;

/// Longer than any run on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Schema and data, line by line; of the ledger what does not depend on the clock.
const STATE: &str = "SELECT line FROM (
    SELECT format('column %s.%s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull,
        pg_get_expr(adbin, adrelid)) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT format('index %s %s', pg_get_indexdef(indexrelid), indisvalid) FROM pg_index
        JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT format('constraint %s %s %s', conname, pg_get_constraintdef(oid), convalidated) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT format('order %s', o) FROM orders o
    UNION ALL SELECT format('applied %s %s %s %s', version, description, success, checksum) FROM _sqlx_migrations
    UNION ALL SELECT format('step %s', s) FROM _greenlight_steps s) AS state(line) ORDER BY line";

/// Where runs take place.
pub(crate) struct Stage<'a> {
    pub(crate) server: &'a Server,
    pub(crate) folder: &'a Path,
    /// Empty databases that were used before.
    pub(crate) empty: Mutex<Vec<String>>,
}

impl Stage<'_> {
    /// The state that every run must end in, and the messages that lead there.
    pub(crate) async fn undisturbed(&self) -> (Vec<String>, Vec<String>) {
        let database = self.database().await;
        let proxy = Proxy::to(self.server.port, Kill::Never).await;
        ends_well(self.process(proxy.port, &database)).await;
        (self.state(&database).await, proxy.messages())
    }

    /// The process gets SIGKILL after this message; another one goes on.
    pub(crate) async fn killed(&self, message: usize) -> Vec<String> {
        let database = self.database().await;
        let mut proxy = Proxy::to(self.server.port, Kill::After(message)).await;
        let mut process = self.process(proxy.port, &database);
        let held = timeout(PATIENCE, proxy.reached()).await.expect("the point is reached");
        process.kill().await.unwrap();
        drop(held);
        ends_well(self.process(self.server.port, &database)).await;
        self.state(&database).await
    }

    /// The server is stopped at once, as if its machine had failed, and comes back; the same process goes on.
    pub(crate) async fn crashed(&self, kill: Kill) -> Vec<String> {
        let database = self.database().await;
        // What lies before the run need not be recovered.
        self.server.run("postgres", "CHECKPOINT").await;
        let mut proxy = Proxy::to(self.server.port, kill).await;
        let process = self.process(proxy.port, &database);
        let held = timeout(PATIENCE, proxy.reached()).await.expect("the point is reached");
        self.server.crash().await;
        drop(held);
        ends_well(process).await;
        self.state(&database).await
    }

    async fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if let Some(name) = self.empty.lock().unwrap().pop() {
            return name;
        }
        let name = format!("run_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.server.run("postgres", &format!("CREATE DATABASE {name}")).await;
        name
    }

    fn process(&self, port: u16, database: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["apply", &port.to_string(), database]).arg(self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
    }

    /// And the database is empty again.
    async fn state(&self, database: &str) -> Vec<String> {
        let mut connection = self.server.connect(database).await;
        let state = sqlx::query_scalar(AssertSqlSafe(STATE)).fetch_all(&mut connection).await.unwrap();
        let sql = "SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public";
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        self.empty.lock().unwrap().push(database.to_owned());
        state
    }
}

async fn ends_well(process: Child) {
    let output = timeout(PATIENCE, process.wait_with_output()).await.expect("the run ends").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
