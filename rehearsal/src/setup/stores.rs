//! What lies in the stores before a deployment: images, secrets, parameters, databases, migrations.

use std::collections::BTreeMap;

use greenlight::secret_use::TAG as SECRETS_TAG;

use super::{Furnisher, migrations};
use crate::scenario::DeploymentEngine;
use crate::world::State;
use crate::world::stores::{Database, Image, Object, Parameter, Secret};

impl Furnisher<'_> {
    pub(super) fn push_images(&self, state: &mut State) {
        let versions = [(1, &self.loaded.scenario.blue), (2, &self.loaded.scenario.green)];
        let images = versions.into_iter().filter(|(_, version)| version.image.pushed).map(|(revision, version)| {
            let findings =
                version.image.findings.as_ref().map(|findings| {
                    findings.iter().map(|(severity, count)| (severity.ecr().to_owned(), *count)).collect()
                });
            (revision.to_string(), Image { pushed_at: self.now, findings })
        });
        state.stores.repositories.insert(self.service.name.clone(), images.collect());
    }

    pub(super) fn fill_stores(&self, state: &mut State) {
        if let Some(proceed) = &self.loaded.scenario.proceed {
            let value = proceed.parameter(self.told_now);
            let application = match self.loaded.scenario.engine {
                DeploymentEngine::CodeDeploy => &self.service.name,
                DeploymentEngine::Ecs => &self.service.cluster,
            };
            let name = format!("/greenlight/{application}/{}/proceed", self.service.name);
            state.stores.parameters.insert(name, Parameter { value, version: 1, modified_at: self.now });
        }
        self.fill_secrets(state);
        let Some(login) = &self.here.database else { return };
        self.upload_migrations(state);
        let name = &self.service.name;
        let secret = serde_json::json!({
            "engine": login.engine,
            "host": login.host,
            "port": login.endpoint_port,
            "dbname": login.name,
            "username": login.user,
            "password": login.password,
            "sslmode": "verify-full",
        });
        let secret_name = self.database_secret(name);
        state.stores.secrets.insert(secret_name.clone(), self.secret(&secret_name, secret.to_string()));
        state.stores.databases.insert(
            self.service.database_identifier.as_ref().unwrap_or(name).clone(),
            Database {
                engine: login.engine.to_owned(),
                engine_version: login.version.to_owned(),
                status: self.service.database_status.clone(),
                host: login.host.clone(),
                port: login.endpoint_port,
                name: login.name.clone(),
                iam_authentication: login.iam_user.is_some(),
                cluster: None,
                tags: tagged(self.service.database_applications.clone().or_else(|| self.moved_to_ecs())),
                created_at: self.now,
            },
        );
    }

    pub(super) fn fill_secrets(&self, state: &mut State) {
        for (name, text) in &self.loaded.scenario.secrets {
            state.stores.secrets.insert(name.clone(), self.secret(name, text.clone()));
        }
    }

    fn secret(&self, name: &str, value: String) -> Secret {
        let applications = self.loaded.scenario.secret_applications.get(name).cloned();
        let own = name.starts_with(&format!("{}/", self.service.name));
        let applications = applications.or_else(|| own.then(|| self.moved_to_ecs()).flatten());
        Secret { value, tags: tagged(applications), created_at: self.now }
    }

    /// Who moves a service from CodeDeploy to ECS leaves its secrets and its database their names, and tags them with this.
    fn moved_to_ecs(&self) -> Option<String> {
        let by_ecs = self.loaded.scenario.engine == DeploymentEngine::Ecs;
        by_ecs.then(|| format!("{}/{}", self.service.cluster, self.service.name))
    }

    pub(super) fn database_secret(&self, application: &str) -> String {
        self.service.database_secret.clone().unwrap_or_else(|| format!("{application}/migrator"))
    }

    /// As a pipeline would before it creates the deployment.
    fn upload_migrations(&self, state: &mut State) {
        let Some(place) = self.service.migrations_in_s3.as_ref().map(|it| &it.value) else { return };
        let folder = migrations(self.loaded, &self.here.sample_migrations);
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(body) = std::fs::read(entry.path()) else { continue };
            let key = format!("{}{}", place.prefix, entry.file_name().to_string_lossy());
            state.stores.objects.insert((place.bucket.clone(), key), Object { body, modified_at: self.now });
        }
    }
}

fn tagged(applications: Option<String>) -> BTreeMap<String, String> {
    applications.map(|applications| (SECRETS_TAG.to_owned(), applications)).into_iter().collect()
}
