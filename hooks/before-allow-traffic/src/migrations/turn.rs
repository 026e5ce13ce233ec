//! One file's turn among those that are pending, and what the log says while it lasts.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::files::File;
use super::{Halt, counted};

/// How often a statement that runs on is named in the log.
const TICK: Duration = Duration::from_secs(5);

/// A file and its place among those that are applied now.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    /// The file.
    pub file: &'a File,
    /// First is 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

/// A statement's place in its file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// First is 1.
    pub number: usize,
    /// How many the file has.
    pub of: usize,
    /// Rows that the statements before it touched, in this run.
    pub rows: u64,
}

/// Why a file was not applied.
#[derive(Debug)]
pub enum Failure {
    /// A statement of the file went wrong.
    Statement {
        /// The line of the file.
        line: usize,
        /// The statement's beginning.
        summary: String,
        /// What became of the rest of the file.
        rest: String,
        /// What the server said.
        error: sqlx::Error,
    },
    /// Something else.
    Halt(Halt),
}

impl From<Halt> for Failure {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl Turn<'_> {
    /// Applies the file with this, which returns the rows that it touched, and says so in the log.
    pub async fn logged(self, applying: impl Future<Output = Result<u64, Failure>>) -> Result<(), Failure> {
        let Turn { file, number, of } = self;
        tracing::info!(file = %file.name, number, of, "applying {} ({number} of {of})", file.name);
        let started = Instant::now();
        let rows = applying.await?;
        let took = started.elapsed();
        tracing::info!(
            file = %file.name, number, of, rows, duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "applied {} ({number} of {of}), {} in {took:.1?}", file.name, counted(rows, "row")
        );
        Ok(())
    }

    /// Waits for a statement of the file, the one on this line, and names it in the log for as long as it runs.
    pub async fn watched(
        self,
        place: Place,
        line: usize,
        summary: impl Fn() -> String,
        running: impl Future<Output = Result<u64, sqlx::Error>>,
    ) -> Result<u64, sqlx::Error> {
        let started = Instant::now();
        let mut running = pin!(running);
        let mut named = false;
        let result = loop {
            match timeout(TICK, &mut running).await {
                Ok(result) => break result,
                Err(_) => self.still_running(place, line, summary(), started.elapsed()),
            }
            named = true;
        };
        if let Ok(rows) = &result
            && named
        {
            let (Turn { file, number, of }, elapsed_s) = (self, started.elapsed().as_secs());
            tracing::info!(
                file = %file.name, number, of, line, statement_number = place.number, statements = place.of, elapsed_s, rows,
                "done {} line {line} (statement {} of {}), {} in {elapsed_s} s",
                file.name, place.number, place.of, counted(*rows, "row")
            );
        }
        result
    }

    fn still_running(self, place: Place, line: usize, statement: String, elapsed: Duration) {
        let (Turn { file, number, of }, elapsed_s) = (self, elapsed.as_secs());
        let before =
            if place.number > 1 { format!(", {} before it", counted(place.rows, "row")) } else { String::new() };
        tracing::info!(
            file = %file.name, number, of, line, statement_number = place.number, statements = place.of,
            elapsed_s, rows = place.rows, statement,
            "still running {} line {line} (file {number} of {of}, statement {} of {}), {elapsed_s} s so far{before}",
            file.name, place.number, place.of
        );
    }
}
