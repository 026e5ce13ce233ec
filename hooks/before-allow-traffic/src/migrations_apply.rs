//! Every migration of this version is applied to the database before users reach it.

use std::sync::Arc;

use async_trait::async_trait;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::deployment::AnyDeployment;

use crate::migrations::Halt;
use crate::migrations::attempt::{Attempt, Patience};
use crate::preparation::{Handover, Prepared};
use crate::settings::Settings;

/// Applies what is missing, once.
pub struct MigrationsApply {
    settings: Settings,
    patience: Patience,
    handover: Arc<Handover>,
}

impl MigrationsApply {
    /// With these settings; what is left there is used first.
    pub fn new(settings: Settings, handover: Arc<Handover>) -> Self {
        Self { settings, patience: Patience::default(), handover }
    }

    async fn apply<D: AnyDeployment>(&self, context: &CheckContext<D>) -> Result<String, Halt> {
        let prepared = match self.handover.take() {
            Some(prepared) => Some(prepared),
            None => Prepared::get(&self.settings, context).await?,
        };
        let Some(Prepared { files, login }) = prepared else { return Ok("no migrations are configured".to_owned()) };
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
