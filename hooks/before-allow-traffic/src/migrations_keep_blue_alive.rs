//! Blue survives what is about to be applied: it serves everybody while the database is migrated, and may go on serving
//! after a rollback.

mod blue_queries;
pub mod facts;
pub mod mysql_facts;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::deployment::AnyDeployment;
use greenlight::plan::AllowedMigration;
use greenlight_database::Engine;
use greenlight_lint::{Finding, Migration, Weight, lint, questions};

use crate::migrations::files::File;
use crate::migrations::ledger::{Applied, is_applied};
use crate::migrations::{Halt, counted, mysql, postgres};
use crate::preparation::{Handover, Prepared};
use crate::settings::Settings;

/// The check's id.
pub const ID: &str = "migrations-keep-blue-alive";

/// So many findings are told; the others are counted.
const TOLD: usize = 5;

/// Judges every pending file before the first one is applied.
pub struct MigrationsKeepBlueAlive {
    settings: Settings,
    handover: Arc<Handover>,
}

impl MigrationsKeepBlueAlive {
    /// With these settings; leaves there what whoever applies the files needs, too.
    pub fn new(settings: Settings, handover: Arc<Handover>) -> Self {
        Self { settings, handover }
    }

    async fn judge<D: AnyDeployment>(&self, context: &CheckContext<D>) -> Result<Answer, Halt> {
        let Some(prepared) = Prepared::get(&self.settings, context).await? else {
            return Ok(Answer::yes("no migrations are configured"));
        };
        let caller = format!("greenlight {} {}", context.stage.hook_name(), context.deployment.id());
        let (login, deadline, lock_timeout) = (&prepared.login, context.deadline, self.settings.lock_timeout);
        let result = match login.engine {
            Engine::PostgreSql => {
                let mut session = postgres::session::Session::open(login, &caller, deadline, lock_timeout).await?;
                let result = self.ask_postgres(&mut session, &prepared.files).await;
                session.close().await;
                result
            }
            Engine::MySql => {
                let mut session = mysql::session::Session::open(login, &caller, deadline, lock_timeout).await?;
                let result = self.ask_mysql(&mut session, &prepared.files).await;
                session.close().await;
                result
            }
        };
        self.handover.leave(prepared);
        result
    }

    async fn ask_postgres(
        &self,
        session: &mut postgres::session::Session,
        files: &Arc<[File]>,
    ) -> Result<Answer, Halt> {
        let rows = match postgres::ledger::Ledger::find(session).await? {
            Some(ledger) => ledger.rows(session).await?,
            None => Vec::new(),
        };
        let pending = Pending::of(files, &rows);
        if pending.at.is_empty() {
            return Ok(nothing_is_pending(files));
        }
        let facts = facts::facts(session, &pending.read(questions).await?).await?;
        let found = pending.read(move |pending| lint(pending, &facts)).await?;
        let pending = pending.files();
        let (allowed, stops) = self.weighed(&found, &pending);
        if !stops.is_empty() {
            return Ok(self.no(&stops, &pending));
        }
        let tried = blue_queries::try_out(session, &self.settings.blue_queries, &pending).await?;
        match tried.no {
            Some(no) => Ok(no),
            None => Ok(Answer::yes(self.yes(&found, &allowed, &pending, tried.evidence))),
        }
    }

    async fn ask_mysql(&self, session: &mut mysql::session::Session<'_>, files: &Arc<[File]>) -> Result<Answer, Halt> {
        if !self.settings.blue_queries.is_empty() {
            return Err(Halt::no(
                format!(
                    "{}: blue's queries cannot be tried out, for MySQL commits every change of the schema",
                    session.place
                ),
                "Take migrations.blue_queries out of the plan; then redeploy.",
            ));
        }
        let rows =
            if mysql::ledger::is_there(session).await? { mysql::ledger::rows(session).await? } else { Vec::new() };
        let pending = Pending::of(files, &rows);
        if pending.at.is_empty() {
            return Ok(nothing_is_pending(files));
        }
        let facts = mysql_facts::facts(session, &pending.read(greenlight_lint::mysql::questions).await?).await?;
        let found = pending.read(move |pending| greenlight_lint::mysql::lint(pending, &facts)).await?;
        let pending = pending.files();
        let (allowed, stops) = self.weighed(&found, &pending);
        if !stops.is_empty() {
            return Ok(self.no(&stops, &pending));
        }
        Ok(Answer::yes(self.yes(&found, &allowed, &pending, None)))
    }

    /// What the plan allows, and what stops the deployment.
    fn weighed<'a>(&self, found: &'a [Finding], pending: &[&File]) -> (Vec<&'a Finding>, Vec<&'a Finding>) {
        let stops = found.iter().filter(|finding| finding.weight == Weight::Stops);
        stops.partition(|finding| self.allowed(finding, pending).is_some())
    }

    fn allowed(&self, finding: &Finding, pending: &[&File]) -> Option<&AllowedMigration> {
        let file = pending.iter().find(|file| file.name == finding.file)?;
        self.settings.allow.iter().find(|it| it.covers(&file.name, &file.checksum))
    }

    fn no(&self, stops: &[&Finding], pending: &[&File]) -> Answer {
        let mut told: Vec<String> =
            stops.iter().take(TOLD).map(|finding| format!("{finding}; safe: {}", finding.instead)).collect();
        if stops.len() > TOLD {
            told.push(format!("and {} more", stops.len() - TOLD));
        }
        let outdated: Vec<String> = self
            .settings
            .allow
            .iter()
            .filter(|it| stops.iter().any(|finding| finding.file == it.file))
            .map(|it| format!("{} has changed since it was allowed", it.file))
            .collect();
        let evidence = format!(
            "{}; nothing was migrated; traffic stays on blue",
            told.into_iter().chain(outdated).collect::<Vec<_>>().join("; ")
        );
        let mut names: Vec<&str> = stops.iter().map(|finding| finding.file.as_str()).collect();
        names.dedup();
        let entries: Vec<String> = pending
            .iter()
            .filter(|file| names.contains(&file.name.as_str()))
            .map(|file| AllowedMigration::entry(&file.name, &file.checksum))
            .collect();
        let remedy = format!(
            "Write it the safe way; or, if blue is not harmed, say why in the plan: migrations: {{ allow: [{}] }}; then redeploy.",
            entries.join(", ")
        );
        Answer::no(evidence, remedy)
    }

    /// `14_drop_note.sql line 1 breaks blue, which the plan allows: no version since 41 reads it`
    fn excused(&self, file: &str, allowed: &[&Finding]) -> String {
        let mut harms: Vec<String> =
            allowed.iter().filter(|it| it.file == file).map(|it| format!("line {} {}", it.line, it.harm)).collect();
        if harms.len() > TOLD {
            let more = harms.split_off(TOLD).len();
            harms.push(format!("and {more} more"));
        }
        let reason = self.settings.allow.iter().find(|it| it.file == file).map_or("", |it| &it.reason);
        format!("{file} {}, which the plan allows: {reason}", harms.join(", "))
    }

    fn yes(&self, found: &[Finding], allowed: &[&Finding], pending: &[&File], tried: Option<String>) -> String {
        let harmful: BTreeSet<&str> = allowed.iter().map(|finding| finding.file.as_str()).collect();
        let mut told: Vec<String> = harmful.iter().map(|name| self.excused(name, allowed)).collect();
        let harmless: Vec<&str> =
            pending.iter().map(|file| file.name.as_str()).filter(|name| !harmful.contains(name)).collect();
        match harmless.as_slice() {
            [] => {}
            [only] => told.push(format!("{only} harms no query of blue")),
            [.., last] => {
                told.push(format!("{} pending files harm no query of blue, the last is {last}", harmless.len()))
            }
        }
        told.extend(tried);
        told.extend(remarks(found));
        told.join("; ")
    }
}

/// The files that are not applied, by their places among all.
struct Pending {
    all: Arc<[File]>,
    at: Vec<usize>,
}

impl Pending {
    fn of(files: &Arc<[File]>, rows: &[Applied]) -> Self {
        let at = (0..files.len()).filter(|at| !is_applied(rows, &files[*at])).collect();
        Self { all: Arc::clone(files), at }
    }

    fn files(&self) -> Vec<&File> {
        self.at.iter().map(|at| &self.all[*at]).collect()
    }

    /// Reads them on a thread of its own: megabytes of SQL take seconds, in which nothing else could answer.
    async fn read<T: Send + 'static>(
        &self,
        reader: impl FnOnce(&[Migration<'_>]) -> T + Send + 'static,
    ) -> Result<T, CannotTell> {
        let pending = Self { all: Arc::clone(&self.all), at: self.at.clone() };
        let task = tokio::task::spawn_blocking(move || {
            let files = pending.files();
            let migrations: Vec<Migration<'_>> = files
                .iter()
                .map(|file| Migration { name: &file.name, sql: &file.sql, in_transaction: !file.without_transaction() })
                .collect();
            reader(&migrations)
        });
        task.await.map_err(|error| CannotTell {
            asked: "what the migrations do: reading them broke off".to_owned(),
            remedy: "Report it with the files; until it is mended make the check advisory in the plan.".to_owned(),
            transient: false,
            source: Some(error.into()),
        })
    }
}

fn nothing_is_pending(files: &[File]) -> Answer {
    Answer::yes(format!("nothing is pending of {}", counted(files.len(), "file")))
}

/// What is worth knowing, each once with all its places.
fn remarks(found: &[Finding]) -> Vec<String> {
    let mut places: Vec<(&str, Vec<String>)> = Vec::new();
    for remark in found.iter().filter(|finding| finding.weight == Weight::Remark) {
        let place = format!("{} line {}", remark.file, remark.line);
        match places.iter_mut().find(|(suffers, _)| *suffers == remark.suffers) {
            Some((_, places)) if places.contains(&place) => {}
            Some((_, places)) => places.push(place),
            None => places.push((&remark.suffers, vec![place])),
        }
    }
    let told = |(suffers, places): &(&str, Vec<String>)| {
        let more = if places.len() > TOLD { format!(" and {} more", places.len() - TOLD) } else { String::new() };
        let named: Vec<&str> = places.iter().take(TOLD).map(String::as_str).collect();
        format!("worth knowing ({}{more}): {suffers}", named.join(", "))
    };
    places.iter().map(told).collect()
}

#[async_trait]
impl<D: AnyDeployment> Check<D> for MigrationsKeepBlueAlive {
    fn id(&self) -> &'static str {
        ID
    }

    fn question(&self) -> String {
        "Does blue survive the migrations that are about to be applied?".to_owned()
    }

    async fn ask(&self, context: &CheckContext<D>) -> Result<Answer, CannotTell> {
        if context.deployment.rollback().is_some() {
            return Ok(Answer::yes("not asked: this deployment is a rollback, and migrates nothing"));
        }
        match self.judge(context).await {
            Ok(answer) => Ok(answer),
            Err(halt) => halt.into_answer(),
        }
    }
}
