//! Every migration of this version is applied to the database before users reach it.

use async_trait::async_trait;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::deployment::AnyDeployment;
use greenlight_postgres::locate::locate;

use crate::migrations::Halt;
use crate::migrations::attempt::{Attempt, Patience};
use crate::settings::Settings;

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
        let Some(source) = &self.settings.source else { return Ok("no migrations are configured".to_owned()) };
        let Some(secret) = &self.settings.secret else {
            source.read(&context.ports).await?;
            return Err(Halt::no(
                format!("{source} is to be applied, but no secret with a login to the database is named"),
                "Name one in the plan (database.secret), then redeploy.",
            ));
        };
        let Settings { overrides, roots, .. } = &self.settings;
        let located = locate(&context.ports, secret, overrides, roots);
        let (files, located) = tokio::join!(source.read(&context.ports), located);
        // What is wrong with the files is the better reason.
        let (files, login) = (files?, located?.login);
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
