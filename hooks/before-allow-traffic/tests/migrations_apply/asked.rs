//! A folder of migrations and the check that applies them, whatever the engine.

use std::sync::Arc;
use std::time::Duration;

use before_allow_traffic::migrations::source::Source;
use before_allow_traffic::migrations_apply::MigrationsApply;
use before_allow_traffic::settings::Settings;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::deadline::Deadline;
use greenlight::fakes::Fakes;
use greenlight::plan::Credentials;
use greenlight::stage::Stage;
use tempfile::TempDir;

use crate::patience::{chain, until};

/// A folder of migrations, and what the check is told.
pub(crate) struct Asked {
    pub(crate) folder: TempDir,
    pub(crate) context: CheckContext,
    pub(crate) fakes: Fakes,
    pub(crate) settings: Settings,
}

impl Asked {
    /// These files, for the database that this secret leads to.
    pub(crate) fn new(files: &[(&str, &str)], secret: String, lock_timeout: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let fakes = Fakes::well();
        fakes.state().secrets.insert("shop/migrator".to_owned(), secret);
        let source = Source::Packaged(folder.path().to_owned());
        let settings =
            Settings { lock_timeout, ..Settings::new(source, Credentials::Secret("shop/migrator".to_owned())) };
        let context = fakes.context(Stage::BeforeAllowTraffic);
        let asked = Self { folder, context, fakes, settings };
        for (name, sql) in files {
            asked.write(name, sql);
        }
        asked
    }

    pub(crate) fn write(&self, name: &str, sql: &str) {
        std::fs::write(self.folder.path().join(name), sql).expect("the folder takes files");
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).expect("the file is there");
    }

    pub(crate) fn set_time_left(&mut self, left: Duration) {
        self.context.deadline = Deadline::after(left);
    }

    pub(crate) fn check(&self) -> Arc<MigrationsApply> {
        Arc::new(MigrationsApply::new(self.settings.clone(), Arc::default()))
    }

    /// Asks once.
    pub(crate) async fn ask(&self) -> Result<Answer, CannotTell> {
        self.check().ask(&self.context).await
    }

    /// Asks as the hook does: again for as long as that may help.
    pub(crate) async fn settle(&self) -> Answer {
        let check = self.check();
        until(async || match check.ask(&self.context).await {
            Ok(Answer::NotYet { .. }) => None,
            Ok(answer) => Some(answer),
            Err(unknown) => {
                assert!(unknown.transient, "{}", chain(&unknown));
                None
            }
        })
        .await
    }

    pub(crate) async fn yes(&self) -> String {
        match self.settle().await {
            Answer::Yes { evidence } => evidence,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn no(&self) -> (String, String) {
        match self.settle().await {
            Answer::No { evidence, remedy } => (evidence, remedy),
            other => panic!("{other:?}"),
        }
    }
}
