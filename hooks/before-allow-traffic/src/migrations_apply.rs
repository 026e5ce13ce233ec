//! Every migration of this version is applied to the database before users reach it.

use std::path::PathBuf;

use async_trait::async_trait;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::deployment::AnyDeployment;
use greenlight_postgres::locate::locate;

use crate::migrations::Halt;
use crate::migrations::attempt::{Attempt, Patience};
use crate::migrations::files::{self, File};
use crate::settings::{Folder, Settings};

/// Applies what is missing, once.
pub struct MigrationsApply {
    settings: Settings,
    patience: Patience,
}

impl MigrationsApply {
    /// With these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings, patience: Patience::default() }
    }

    async fn apply<D: AnyDeployment>(&self, context: &CheckContext<D>) -> Result<String, Halt> {
        let folder = match &self.settings.folder {
            Folder::None => return Ok("no migrations are configured".to_owned()),
            Folder::Packaged(folder) => folder,
            Folder::Remote(place) => {
                return Err(Halt::no(
                    format!("migrations.sql of the plan is {place}, which this version cannot read"),
                    "Put the files into the function's package and name their folder there; then redeploy.",
                ));
            }
        };
        let files = read(folder.clone()).await?;
        let Some(secret) = &self.settings.secret else {
            return Err(Halt::no(
                format!("{} are to be applied, but no secret with a login to the database is named", folder.display()),
                "Name one in the plan (database.secret), then redeploy.",
            ));
        };
        let Settings { overrides, roots, .. } = &self.settings;
        let login = locate(&context.ports, secret, overrides, roots).await?.login;
        let attempt = Attempt {
            files: &files,
            login: &login,
            caller: &format!("greenlight {} {}", context.stage.hook_name(), context.deployment.id()),
            deadline: context.deadline,
            lock_timeout: self.settings.lock_timeout,
            patience: &self.patience,
        };
        attempt.make().await
    }
}

#[async_trait]
impl<D: AnyDeployment> Check<D> for MigrationsApply {
    fn id(&self) -> &'static str {
        "migrations-apply"
    }

    fn question(&self) -> String {
        "Is every migration of this version applied to the database?".to_owned()
    }

    async fn ask(&self, context: &CheckContext<D>) -> Result<Answer, CannotTell> {
        if context.deployment.rollback().is_some() {
            return Ok(Answer::yes("not migrated: this deployment is a rollback"));
        }
        match self.apply(context).await {
            Ok(evidence) => Ok(Answer::yes(evidence)),
            Err(halt) => halt.into_answer(),
        }
    }
}

/// Off the one thread that everything else runs on.
async fn read(folder: PathBuf) -> Result<Vec<File>, Halt> {
    let shown = folder.display().to_string();
    let read = tokio::task::spawn_blocking(move || files::read(&folder)).await;
    let files = read.map_err(|error| {
        Halt::CannotTell(CannotTell {
            asked: format!("the files in {shown}"),
            remedy: "Redeploy.".to_owned(),
            transient: false,
            source: Some(Box::new(error)),
        })
    })?;
    match files {
        Ok(files) if files.is_empty() => Err(Halt::no(
            format!("{shown} holds no migration: no file <version>_<description>.sql"),
            "Put the files into the function's package, or name the right folder; then redeploy.",
        )),
        Ok(files) => Ok(files),
        Err(error) => Err(Halt::no(
            format!("{error}; nothing was migrated; traffic stays on blue"),
            "Correct the names and files above, then redeploy.",
        )),
    }
}
