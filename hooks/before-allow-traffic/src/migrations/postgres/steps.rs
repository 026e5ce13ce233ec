//! A file that begins with `-- no-transaction`, run step by step.
//!
//! A step that PostgreSQL takes in a transaction is booked in that same transaction. One that it does not take there is
//! booked as in doubt before, as done after; whoever finds it in doubt looks at the catalogue, clears away what a broken
//! build left, and runs it again. `SET` is no step: it is done again by every run.

use greenlight_lint::statements::{Statement, statements};
use tokio::time::Instant;

use super::apply::{failure, run};
use super::fault;
use super::indexes::{self, Found};
use super::kind::Kind;
use super::ledger::Ledger;
use super::session::Session;
use crate::migrations::Halt;
use crate::migrations::files::File;
use crate::migrations::ledger::{Progress, Tally};
use crate::migrations::turn::{Failure, Place, Turn};

/// One statement, or everything from `BEGIN` to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    statements: Vec<Statement<'a>>,
    kind: Kind,
}

/// The steps of a file, or what is wrong with it: one sentence each.
pub fn steps(file: &File) -> Result<Vec<Step<'_>>, Vec<String>> {
    let name = &file.name;
    let (mut steps, mut faults) = (Vec::<Step<'_>>::new(), Vec::new());
    let mut open: Option<Step<'_>> = None;
    for statement in statements(&file.sql) {
        let statement = match statement {
            Ok(statement) => statement,
            Err(unclosed) => {
                faults.push(format!("{name} {unclosed}"));
                continue;
            }
        };
        let at = format!("{name} line {}: {}", statement.line, statement.summary());
        let kind = Kind::of(&statement);
        match (&kind, open.take()) {
            (Kind::Untraceable, _) => {
                faults.push(format!("{at} leaves a transaction of which nobody can say how it ends"))
            }
            (Kind::CopyFromStdin, _) => faults.push(format!("{at} needs data that only psql could send")),
            (Kind::CreateIndexConcurrently { name: None, .. }, _) => {
                faults.push(format!(
                    "{at} gives the index no name, so that nobody could find it again after an interruption"
                ));
            }
            (Kind::Begin, None) => open = Some(Step { statements: vec![statement], kind: Kind::Begin }),
            (Kind::Begin, Some(_)) => faults.push(format!("{at} is inside another transaction")),
            (Kind::Commit | Kind::Rollback, None) => {
                faults.push(format!("{at} ends a transaction that was never begun"))
            }
            (Kind::Commit | Kind::Rollback, Some(mut step)) => {
                step.statements.push(statement);
                // Work that the file itself undoes is no step: it is done, and undone, by every run.
                step.kind = if kind == Kind::Commit { Kind::Begin } else { Kind::Setting };
                steps.push(step);
            }
            (_, Some(mut step)) => {
                step.statements.push(statement);
                open = Some(step);
            }
            (_, None) => steps.push(Step { statements: vec![statement], kind }),
        }
    }
    if let Some(step) = open {
        faults.push(format!("{name} line {}: the transaction that begins here never ends", step.statements[0].line));
    }
    if faults.is_empty() { Ok(steps) } else { Err(faults) }
}

/// Runs what is left of a file and books it as finished.
pub async fn apply(session: &mut Session, ledger: &Ledger, turn: Turn<'_>) -> Result<u64, Failure> {
    let started = Instant::now();
    let file = turn.file;
    let steps = steps(file).map_err(|faults| Halt::no(faults.join("; "), "Correct the file, then redeploy."))?;
    let place = Place { of: steps.iter().map(|step| step.statements.len()).sum(), ..Place::default() };
    let mut run = Run { session, ledger, turn, place, tally: Tally::new(steps.len(), Progress::default()) };
    let begun = ledger.progress(run.session, file).await.map_err(|error| run.own(error))?;
    match &begun {
        Some(progress) => run.tally.progress = progress.clone(),
        None => ledger.begin(run.session, file).await.map_err(|error| run.own(error))?,
    }
    let (resume, doubt) = (run.tally.progress.done, run.tally.progress.in_doubt);
    if resume > 0 || doubt {
        tracing::info!(file = %file.name, done = resume, of = steps.len(), "going on where an earlier run stopped");
    }
    match run.steps(&steps, resume, doubt).await {
        Ok(()) => {
            let rows = run.place.rows;
            ledger.finish(run.session, file, started.elapsed()).await.map_err(|error| run.own(error))?;
            Ok(rows)
        }
        Err(failure) => {
            run.leave_no_trace(&failure).await;
            Err(failure)
        }
    }
}

struct Run<'a> {
    session: &'a mut Session,
    ledger: &'a Ledger,
    turn: Turn<'a>,
    place: Place,
    tally: Tally,
}

impl Run<'_> {
    fn own(&self, error: sqlx::Error) -> Failure {
        Failure::Halt(fault::halt(&self.turn.file.name, &self.session.place, error))
    }

    async fn steps(&mut self, steps: &[Step<'_>], resume: usize, doubt: bool) -> Result<(), Failure> {
        if steps.len() < resume {
            self.tally.is_of(self.turn.file, None)?;
        }
        let mut before = 0;
        for (index, step) in steps.iter().enumerate() {
            self.place.number = before;
            before += step.statements.len();
            let done = self.tally.count(index, step.statements.iter().map(|statement| statement.text));
            if index + 1 == resume {
                self.tally.is_of(self.turn.file, Some(&done))?;
            }
            if step.kind == Kind::Setting {
                self.transaction(step).await?;
            } else if index >= resume {
                // Only settings may stand between what is done and what is in doubt.
                let in_doubt = doubt && self.tally.progress.in_doubt && self.tally.progress.done == resume;
                self.step(step, done, in_doubt).await?;
            }
        }
        Ok(())
    }

    /// A file whose first step was refused was never begun: sqlx's own runners must not trip over its row.
    async fn leave_no_trace(&mut self, failure: &Failure) {
        let refused = matches!(failure, Failure::Statement { error, .. } if fault::class(error) != fault::Class::Lost);
        if refused && self.tally.progress.done == 0 && !self.tally.progress.in_doubt {
            let _ = self.ledger.forget(self.session, self.turn.file).await;
        }
    }

    async fn book(&mut self, progress: Progress) -> Result<(), Failure> {
        let kept = self.ledger.keep(self.session, self.turn.file, &progress).await;
        kept.map_err(|error| self.own(error))?;
        self.tally.progress = progress;
        Ok(())
    }

    async fn step(&mut self, step: &Step<'_>, done: Progress, in_doubt: bool) -> Result<(), Failure> {
        if in_doubt && self.turned_out_well(step).await? {
            return self.book(done).await;
        }
        if !in_doubt && !step.kind.refuses_transaction() {
            let place = self.place;
            match self.booked_transaction(step, &done).await {
                Err(Failure::Statement { error, .. }) if wants_no_transaction(&error) => self.place = place,
                result => return result,
            }
        }
        self.alone(step, done, in_doubt).await
    }

    /// Whether a step of which nobody heard the end was done, as far as the catalogue can tell.
    async fn turned_out_well(&mut self, step: &Step<'_>) -> Result<bool, Failure> {
        Ok(match &step.kind {
            Kind::CreateIndexConcurrently { name: Some(name), table } => {
                indexes::look(self.session, name, table).await? == Found::Valid
            }
            Kind::DropIndexConcurrently(name) => indexes::is_gone(self.session, name).await?,
            _ => false,
        })
    }

    /// In a transaction together with its own record.
    async fn booked_transaction(&mut self, step: &Step<'_>, done: &Progress) -> Result<(), Failure> {
        let begins = step.kind == Kind::Begin;
        if !begins {
            self.session.run("BEGIN").await.map_err(|error| self.own(error))?;
        }
        let (last, inner) = match step.statements.split_last() {
            Some((last, inner)) if begins => (Some(last), inner),
            _ => (None, step.statements.as_slice()),
        };
        for statement in inner {
            self.statement(statement).await?;
        }
        self.ledger.keep(self.session, self.turn.file, done).await.map_err(|error| self.own(error))?;
        match last {
            Some(commit) => self.statement(commit).await?,
            None => {
                let committed = self.session.run("COMMIT").await;
                committed.map_err(|error| failure(&step.statements[0], error, self.tally.rest()))?;
            }
        }
        self.tally.progress = done.clone();
        Ok(())
    }

    /// Without a record: what every run does again.
    async fn transaction(&mut self, step: &Step<'_>) -> Result<(), Failure> {
        for statement in &step.statements {
            self.statement(statement).await?;
        }
        Ok(())
    }

    /// Outside any transaction: in doubt before, done after.
    async fn alone(&mut self, step: &Step<'_>, done: Progress, was_in_doubt: bool) -> Result<(), Failure> {
        let statement = &step.statements[0];
        if step.kind.waits_politely() {
            self.session.limit_politely().await.map_err(|error| self.own(error))?;
        }
        if let Kind::CreateIndexConcurrently { name: Some(name), table } = &step.kind {
            indexes::clear(self.session, name, table).await?;
        }
        if !was_in_doubt {
            self.book(Progress { in_doubt: true, ..self.tally.progress.clone() }).await?;
        }
        self.place.number += 1;
        match run(self.session, self.turn, self.place, statement).await {
            Ok(rows) => self.place.rows += rows,
            Err(error) if was_in_doubt && exists_already(&error) => {}
            Err(error) => {
                self.tidy(step, &error).await;
                return Err(failure(statement, error, self.tally.rest()));
            }
        }
        self.book(done).await?;
        if step.kind.waits_politely() {
            self.session.limit_as_usual().await.map_err(|error| self.own(error))?;
        }
        Ok(())
    }

    /// After a refusal there is no doubt any more, and what a broken build left would cost blue's every write.
    async fn tidy(&mut self, step: &Step<'_>, error: &sqlx::Error) {
        if fault::class(error) == fault::Class::Lost {
            return;
        }
        if let Kind::CreateIndexConcurrently { name: Some(name), table } = &step.kind
            && indexes::clear(self.session, name, table).await.is_err()
        {
            tracing::warn!(index = name, "an invalid index is left; the next run drops it");
            return;
        }
        let _ = self.book(Progress { in_doubt: false, ..self.tally.progress.clone() }).await;
    }

    async fn statement(&mut self, statement: &Statement<'_>) -> Result<(), Failure> {
        self.place.number += 1;
        match run(self.session, self.turn, self.place, statement).await {
            Ok(rows) => {
                self.place.rows += rows;
                Ok(())
            }
            Err(error) => {
                let _ = self.session.run("ROLLBACK").await;
                Err(failure(statement, error, self.tally.rest()))
            }
        }
    }
}

/// `CREATE DATABASE`, `ALTER SYSTEM`, a procedure that commits, …: refused before anything was done.
fn wants_no_transaction(error: &sqlx::Error) -> bool {
    matches!(fault::sqlstate(error).as_deref(), Some("25001" | "2D000"))
}

/// What a step in doubt says when it was done after all.
fn exists_already(error: &sqlx::Error) -> bool {
    matches!(fault::sqlstate(error).as_deref(), Some("42P07" | "42710" | "42P04"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::{Kind, steps};
    use crate::migrations::files::File;

    fn kinds(sql: &str) -> Vec<(usize, Kind)> {
        steps(&File::with(sql)).unwrap().into_iter().map(|step| (step.statements.len(), step.kind)).collect()
    }

    #[test]
    fn a_transaction_is_one_step_and_one_that_is_undone_is_none() {
        assert_eq!(
            kinds("set a = 1; begin; select 1; select 2; commit; vacuum; begin; select 3; rollback"),
            [(1, Kind::Setting), (4, Kind::Begin), (1, Kind::Alone { politely: true }), (3, Kind::Setting)]
        );
    }

    #[test]
    fn what_nobody_could_go_on_with_is_refused() {
        let faults = steps(&File::with("begin; begin; commit")).unwrap_err();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert_eq!(
            steps(&File::with("select 1;\nbegin; select 2")).unwrap_err(),
            ["1_a.sql line 2: the transaction that begins here never ends"]
        );
        assert_eq!(
            steps(&File::with("create index concurrently on t (a)")).unwrap_err(),
            [
                "1_a.sql line 1: create index concurrently on t (a) gives the index no name, so that nobody could find it again \
              after an interruption"
            ]
        );
    }
}
