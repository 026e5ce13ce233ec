//! A file, run step by step.
//!
//! A step that changes rows is booked in the transaction that changes them. Any other is booked as in doubt before and as done
//! after; whoever finds it in doubt looks whether its table is still what it was, or runs it again and takes "it is there
//! already" for done. `SET` is no step: it is done again by every run.

use std::collections::BTreeSet;

use greenlight_lint::mysql::statements::{Statement, statements};
use tokio::time::Instant;

use super::fault::{self, Class};
use super::kind::Kind;
use super::ledger::{self, Doubt, Position};
use super::session::Session;
use super::tables;
use super::variables::{Stale, is_over};
use crate::migrations::Halt;
use crate::migrations::files::File;
use crate::migrations::ledger::{Progress, Tally};
use crate::migrations::turn::{Failure, Place, Turn};

/// One statement, or several that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    statements: Vec<Statement<'a>>,
    kind: Kind,
    marks_session: bool,
}

impl<'a> Step<'a> {
    fn of(statement: Statement<'a>, kind: Kind) -> Self {
        let mut step = Self { statements: Vec::new(), kind: kind.clone(), marks_session: false };
        step.push(statement, &kind);
        step
    }

    /// A statement that belongs to it too, of this kind by itself.
    fn push(&mut self, statement: Statement<'a>, kind: &Kind) {
        // A variable may be set anywhere, and a lock be taken.
        self.marks_session |= kind.marks_session() || statement.text.contains('@') || statement.mentions("get_lock");
        self.statements.push(statement);
    }

    fn line(&self) -> usize {
        self.statements[0].line
    }
}

/// The steps of a file, or what is wrong with it: one sentence each.
pub fn steps<'a>(file: &'a File, database: &str) -> Result<Vec<Step<'a>>, Vec<String>> {
    let name = &file.name;
    let (mut steps, mut faults) = (Vec::<Step<'a>>::new(), Vec::new());
    let mut open: Option<Step<'a>> = None;
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
        // The table of a session is there for what follows; whatever commits ends the transaction for both.
        if open.as_ref().is_some_and(|step| step.kind == Kind::Temporary && !belongs_to_temporary(&kind)) {
            steps.extend(open.take());
        }
        match (kind, open.take()) {
            (Kind::Wrong(why), it) => {
                faults.push(format!("{at} {why}"));
                open = it;
            }
            (Kind::Use(other), it) if !other.eq_ignore_ascii_case(database) => {
                faults.push(format!("{at} leaves the database {database}, for which the migrations are"));
                open = it;
            }
            (kind, Some(mut step)) if step.kind == Kind::Lock => {
                let ends = kind == Kind::Unlock;
                step.push(statement, &kind);
                if ends {
                    step.kind = Kind::Unknown;
                    steps.push(step);
                } else {
                    open = Some(step);
                }
            }
            (kind @ (Kind::Begin | Kind::Lock), None) => open = Some(Step::of(statement, kind)),
            (Kind::Begin, it) => {
                faults.push(format!("{at} is inside another transaction"));
                open = it;
            }
            (Kind::Commit | Kind::Rollback, None) => {
                faults.push(format!("{at} ends a transaction that was never begun"));
            }
            (kind @ (Kind::Commit | Kind::Rollback), Some(mut step)) => {
                step.push(statement, &kind);
                // Work that the file itself undoes is no step: it is done, and undone, by every run.
                if kind == Kind::Rollback {
                    step.kind = Kind::Setting;
                }
                steps.push(step);
            }
            (kind, Some(step)) if kind.commits() => {
                faults.push(format!(
                    "{at} would commit the transaction that begins on line {}: take it out of there",
                    step.line()
                ));
                open = Some(step);
            }
            (kind, Some(mut step)) => {
                if kind == Kind::Unknown {
                    step.kind = Kind::Unknown;
                }
                step.push(statement, &kind);
                open = Some(step);
            }
            (Kind::Use(_), None) => steps.push(Step::of(statement, Kind::Setting)),
            (Kind::Temporary, None) => open = Some(Step::of(statement, Kind::Temporary)),
            (kind, None) => steps.push(Step::of(statement, kind)),
        }
    }
    match open {
        None => {}
        Some(step) if step.kind == Kind::Temporary => steps.push(step),
        Some(step) => {
            let what = if step.kind == Kind::Lock {
                "are the tables locked and never unlocked"
            } else {
                "begins a transaction that never ends"
            };
            faults.push(format!("{name} line {}: here {what}", step.line()));
        }
    }
    if faults.is_empty() { Ok(steps) } else { Err(faults) }
}

fn belongs_to_temporary(kind: &Kind) -> bool {
    matches!(kind, Kind::Rows | Kind::Setting | Kind::Temporary | Kind::DropTemporary)
}

/// Runs what is left of a file that [`inspect`](super::inspection::inspect) found nothing wrong with, and books it as finished. The rows it touched.
pub async fn apply(session: &mut Session<'_>, turn: Turn<'_>, begun: Option<Position>) -> Result<u64, Failure> {
    let (started, file) = (Instant::now(), turn.file);
    let steps = steps(file, &session.server.database);
    let steps = steps.map_err(|faults| Halt::no(faults.join("; "), "Correct the file, then redeploy."))?;
    session.marked = steps.iter().any(|step| step.marks_session);
    let place = Place { of: steps.iter().map(|step| step.statements.len()).sum(), ..Place::default() };
    let is_new = begun.is_none();
    let Position { progress, doubt: found } = begun.unwrap_or_default();
    let (resume, doubt) = (progress.done, progress.in_doubt);
    let tally = Tally::new(steps.len(), progress);
    let mut run = Run { session, turn, place, tally, found, untransactional: None };
    if is_new {
        ledger::begin(run.session, file).await.map_err(|error| run.begun_meanwhile(error))?;
    }
    if resume > 0 || doubt {
        tracing::info!(file = %file.name, done = resume, of = steps.len(), "going on where an earlier run stopped");
    }
    match run.steps(&steps, resume, doubt).await {
        Ok(()) => {
            let rows = run.place.rows;
            ledger::finish(run.session, file, started.elapsed()).await.map_err(|error| run.own(error))?;
            Ok(rows)
        }
        Err(failure) => {
            run.leave_no_trace(&failure).await;
            Err(failure)
        }
    }
}

struct Run<'a, 's> {
    session: &'a mut Session<'s>,
    turn: Turn<'a>,
    place: Place,
    tally: Tally,
    /// What an earlier run has left of the step in doubt.
    found: Doubt,
    /// Tables that no transaction can undo, once asked for.
    untransactional: Option<BTreeSet<String>>,
}

impl Run<'_, '_> {
    fn own(&self, error: sqlx::Error) -> Failure {
        Failure::Halt(fault::halt(&self.turn.file.name, &self.session.place, error))
    }

    /// Somebody who does not ask for the lock has written the row before us.
    fn begun_meanwhile(&self, error: sqlx::Error) -> Failure {
        if fault::mysql_number(&error) != Some(1062) {
            return self.own(error);
        }
        let evidence = format!("another tool than greenlight has just begun {}", self.turn.file.name);
        let again = fault::jittered(std::time::Duration::from_secs(1));
        Halt::not_yet(evidence, again, "Let it finish, then redeploy.").into()
    }

    async fn steps(&mut self, steps: &[Step<'_>], resume: usize, doubt: bool) -> Result<(), Failure> {
        if steps.len() < resume {
            self.tally.is_of(self.turn.file, None)?;
        }
        let (mut before, mut stale) = (0, Stale::default());
        for (index, step) in steps.iter().enumerate() {
            self.place.number = before;
            before += step.statements.len();
            let done = self.tally.count(index, step.statements.iter().map(|statement| statement.text));
            if index + 1 == resume {
                self.tally.is_of(self.turn.file, Some(&done))?;
            }
            if index < resume && step.kind == Kind::Setting {
                self.again(step, &mut stale, &steps[index + 1..resume]).await?;
            }
            if index < resume {
                continue;
            }
            for statement in &step.statements {
                stale.is_free_of(self.turn.file, statement)?;
            }
            if step.kind == Kind::Setting {
                self.statements(&step.statements).await?;
            } else {
                // Only settings may stand between what is done and what is in doubt.
                let in_doubt = doubt && self.tally.progress.in_doubt && self.tally.progress.done == resume;
                self.step(step, done, in_doubt).await?;
            }
        }
        Ok(())
    }

    /// What an earlier run has set for its session, and this one needs, too.
    async fn again<'s>(
        &mut self,
        step: &'s Step<'s>,
        stale: &mut Stale<'s>,
        until_there: &[Step<'_>],
    ) -> Result<(), Failure> {
        for statement in &step.statements {
            stale.meets(statement);
            if is_over(statement, until_there.iter().flat_map(|step| &step.statements)) {
                self.place.number += 1;
                continue;
            }
            self.statements(std::slice::from_ref(statement)).await?;
        }
        Ok(())
    }

    /// A file whose first step was refused was never begun: sqlx's own runners must not trip over its row.
    async fn leave_no_trace(&mut self, failure: &Failure) {
        let refused = matches!(failure, Failure::Statement { error, .. } if fault::class(error) != Class::Lost);
        if refused && self.tally.progress.done == 0 && !self.tally.progress.in_doubt {
            let _ = ledger::forget(self.session, self.turn.file).await;
        }
    }

    async fn book(&mut self, progress: Progress, doubt: Doubt) -> Result<(), Failure> {
        let position = Position { progress, doubt };
        ledger::keep(self.session, self.turn.file, &position).await.map_err(|error| self.own(error))?;
        self.tally.progress = position.progress;
        Ok(())
    }

    async fn step(&mut self, step: &Step<'_>, done: Progress, in_doubt: bool) -> Result<(), Failure> {
        let takes_transaction = matches!(step.kind, Kind::Rows | Kind::Begin | Kind::Temporary | Kind::DropTemporary);
        if !takes_transaction {
            // It may make a table, or change a table's engine.
            self.untransactional = None;
            return self.alone(step, done, in_doubt).await;
        }
        if in_doubt || self.is_untransactional(step).await? {
            return self.alone(step, done, in_doubt).await;
        }
        self.booked_transaction(step, done).await
    }

    async fn is_untransactional(&mut self, step: &Step<'_>) -> Result<bool, Failure> {
        let known = match self.untransactional.take() {
            Some(known) => known,
            None => tables::untransactional(self.session).await?,
        };
        let speaks = step.statements.iter().any(|statement| tables::speaks_of(statement, &known));
        self.untransactional = Some(known);
        Ok(speaks)
    }

    /// In a transaction together with its own record.
    async fn booked_transaction(&mut self, step: &Step<'_>, done: Progress) -> Result<(), Failure> {
        let begins = step.kind == Kind::Begin;
        let (last, inner) = match step.statements.split_last() {
            Some((last, inner)) if begins => (Some(last), inner),
            _ => (None, step.statements.as_slice()),
        };
        if !begins {
            self.session.run("START TRANSACTION").await.map_err(|error| self.own(error))?;
        }
        self.statements(inner).await?;
        self.book_in_transaction(&done).await?;
        match last {
            Some(commit) => self.statements(std::slice::from_ref(commit)).await?,
            None => {
                let committed = self.session.run("COMMIT").await;
                committed.map_err(|error| failure(&step.statements[0], error, self.tally.rest()))?;
            }
        }
        self.tally.progress = done;
        Ok(())
    }

    async fn book_in_transaction(&mut self, done: &Progress) -> Result<(), Failure> {
        let position = Position { progress: done.clone(), doubt: Doubt::default() };
        ledger::keep(self.session, self.turn.file, &position).await.map_err(|error| self.own(error))
    }

    /// In no transaction of ours: in doubt before, done after.
    async fn alone(&mut self, step: &Step<'_>, done: Progress, in_doubt: bool) -> Result<(), Failure> {
        let now = match &step.kind {
            Kind::Table(name) => tables::definition(self.session, name).await?,
            _ => None,
        };
        if in_doubt && self.found.doubted.as_ref() != Some(&done.digest) {
            return Err(self.changed_in_doubt(&step.statements[0]).into());
        }
        let forgiven = match &step.kind {
            // An atomic statement has done all of it or nothing.
            Kind::Table(_) if in_doubt && self.found.definition != now => {
                return self.book(done, Doubt::default()).await;
            }
            Kind::Object(errors) if in_doubt => *errors,
            Kind::Table(_) | Kind::Again | Kind::Object(_) => &[],
            _ if in_doubt => return Err(self.nobody_knows(&step.statements[0]).into()),
            _ => &[],
        };
        if !in_doubt {
            let doubt = Doubt { doubted: Some(done.digest.clone()), definition: now };
            self.book(Progress { in_doubt: true, ..self.tally.progress.clone() }, doubt).await?;
        }
        match self.statements(&step.statements).await {
            Err(Failure::Statement { error, .. })
                if fault::mysql_number(&error).is_some_and(|number| forgiven.contains(&number)) => {}
            Err(Failure::Statement { error, line, summary, rest }) => {
                if fault::class(&error) != Class::Lost {
                    // What the server refused is not done: there is no doubt any more.
                    let position = Progress { in_doubt: false, ..self.tally.progress.clone() };
                    let _ = self.book(position, Doubt::default()).await;
                }
                return Err(Failure::Statement { error, line, summary, rest });
            }
            ended => ended?,
        }
        if step.kind == Kind::Unknown {
            // A routine may have left a transaction open: this keeps its work, and our records are by themselves again.
            self.session.run("SET SESSION autocommit = 1; COMMIT").await.map_err(|error| self.own(error))?;
        }
        self.book(done, Doubt::default()).await
    }

    fn changed_in_doubt(&self, statement: &Statement<'_>) -> Halt {
        let File { name, version, .. } = self.turn.file;
        Halt::no(
            format!(
                "{name} was changed in line {} or before, and nobody heard how the statement ended that an earlier run has begun \
                 there; {}; nothing more was done",
                statement.line,
                self.tally.rest()
            ),
            format!(
                "Put it back as it was; or, once you have seen that it was not done, UPDATE _greenlight_steps SET in_doubt = \
                 FALSE WHERE version = {version}; then redeploy."
            ),
        )
    }

    fn nobody_knows(&self, statement: &Statement<'_>) -> Halt {
        let File { name, version, .. } = self.turn.file;
        Halt::no(
            format!(
                "{name} line {} ({}) was begun by an earlier run, and nobody heard how it ended; {}",
                statement.line,
                statement.summary(),
                self.tally.rest()
            ),
            format!(
                "See whether it was done. If not, UPDATE _greenlight_steps SET in_doubt = FALSE WHERE version = {version}; if \
                 it was, write DO 0 in its place besides; then redeploy."
            ),
        )
    }

    async fn statements(&mut self, statements: &[Statement<'_>]) -> Result<(), Failure> {
        for statement in statements {
            self.place.number += 1;
            match self.statement(statement).await {
                Ok(rows) => self.place.rows += rows,
                Err(error) => {
                    if fault::class(&error) != Class::Lost {
                        let _ = self.session.run("ROLLBACK").await;
                    }
                    return Err(failure(statement, error, self.tally.rest()));
                }
            }
        }
        Ok(())
    }

    async fn statement(&mut self, statement: &Statement<'_>) -> Result<u64, sqlx::Error> {
        self.session.keep_limits().await?;
        let limits = ["lock_wait_timeout", "innodb_lock_wait_timeout", "max_statement_time"];
        let sets = statement.starts_with(&["set"]) && !statement.starts_with(&["set", "statement"]);
        self.session.file_sets_limits |= sets && limits.iter().any(|limit| statement.mentions(limit));
        let running = self.session.run_statement(statement.text);
        self.turn.watched(self.place, statement.line, || statement.summary(), running).await
    }
}

/// A statement that went wrong, with the line on which the server stumbled.
fn failure(statement: &Statement<'_>, error: sqlx::Error, rest: String) -> Failure {
    Failure::Statement { line: statement.line + fault::lines_down(&error), summary: statement.summary(), rest, error }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::{Kind, steps};
    use crate::migrations::files::File;

    fn kinds(sql: &str) -> Vec<(usize, Kind)> {
        let file = File::with(sql);
        steps(&file, "shop").unwrap().into_iter().map(|step| (step.statements.len(), step.kind)).collect()
    }

    fn faults(sql: &str) -> Vec<String> {
        steps(&File::with(sql), "shop").unwrap_err()
    }

    #[test]
    fn a_transaction_is_one_step_and_one_that_is_undone_is_none() {
        assert_eq!(
            kinds("set @a = 1; begin; select 1; select 2; commit; analyze table a; begin; select 3; rollback"),
            [(1, Kind::Setting), (4, Kind::Begin), (1, Kind::Again), (3, Kind::Setting)]
        );
    }

    #[test]
    fn a_temporary_table_is_one_step_with_what_uses_it() {
        assert_eq!(
            kinds(
                "create temporary table t (x int); insert into t select 1; update a, t set a.x = t.x; alter table a drop x"
            ),
            [(3, Kind::Temporary), (1, Kind::Table("a".to_owned()))]
        );
    }

    #[test]
    fn locked_tables_are_one_step_of_which_nobody_can_say_whether_it_was_done() {
        assert_eq!(
            kinds("lock tables a write; insert into a values (1); unlock tables; use shop"),
            [(3, Kind::Unknown), (1, Kind::Setting)]
        );
    }

    #[test]
    fn what_nobody_could_go_on_with_is_refused() {
        assert_eq!(faults("begin; begin; commit; commit").len(), 2);
        assert_eq!(faults("select 1;\nbegin; select 2"), ["1_a.sql line 2: here begins a transaction that never ends"]);
        assert_eq!(faults("lock tables a write"), ["1_a.sql line 1: here are the tables locked and never unlocked"]);
        assert_eq!(
            faults("begin;\nalter table a add x int;\ncommit"),
            [
                "1_a.sql line 2: alter table a add x int would commit the transaction that begins on line 1: take it out of there"
            ]
        );
        assert_eq!(
            faults("use other"),
            ["1_a.sql line 1: use other leaves the database shop, for which the migrations are"]
        );
    }
}
