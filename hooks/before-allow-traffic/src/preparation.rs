//! What must be at hand before anything is judged or applied: the files, and a login.

use std::sync::{Arc, Mutex, PoisonError};

use greenlight::check::CheckContext;
use greenlight::deployment::AnyDeployment;
use greenlight_database::locate::locate;
use greenlight_database::login::Login;

use crate::migrations::Halt;
use crate::migrations::files::File;
use crate::settings::Settings;

/// The files, and where they belong.
#[derive(Debug)]
pub struct Prepared {
    /// By version; never none.
    pub files: Arc<[File]>,
    /// The database.
    pub login: Login,
}

impl Prepared {
    /// Reads the files and finds the database, side by side. `None` where this service has no migrations.
    pub async fn get<D: AnyDeployment>(settings: &Settings, context: &CheckContext<D>) -> Result<Option<Self>, Halt> {
        let ports = &context.ports;
        let Some(source) = &settings.source else { return Ok(None) };
        let Some(credentials) = &settings.credentials else {
            source.read(ports).await?;
            return Err(Halt::no(
                format!("{source} is to be applied, but no secret with a login to the database is named"),
                "Name one in the plan (database.secret), or a user for IAM authentication (database.auth); then redeploy.",
            ));
        };
        let owner = context.deployment.owner_of_secrets();
        let located = locate(ports, &owner, credentials, &settings.overrides, &settings.roots);
        let (files, located) = tokio::join!(source.read(ports), located);
        // What is wrong with the files is the better reason.
        Ok(Some(Self { files: files?.into(), login: located?.login }))
    }
}

/// What the judge of the files has at hand is handed over to whoever applies them, once: a second attempt begins anew.
#[derive(Debug, Default)]
pub struct Handover(Mutex<Option<Prepared>>);

impl Handover {
    /// Leaves it for whoever comes next.
    pub fn leave(&self, prepared: Prepared) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
    }

    /// What was left, if anything was.
    pub fn take(&self) -> Option<Prepared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
