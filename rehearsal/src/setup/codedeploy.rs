//! What CodeDeploy knows before a deployment: application, group, configurations, `AppSpecs`, and the deployment that brought blue.

use greenlight::stage::Stage;

use super::{BUCKET, CONTAINER, CONTAINER_PORT, Furnisher, function_name};
use crate::codedeploy::api::{self, NewRevision};
use crate::scenario::{AppSpecPlace, PREDEFINED};
use crate::world::deployments::{
    Creator, Deployment, DeploymentConfig, DeploymentGroup, DeploymentStatus, EventStatus, GroupTarget,
    RevisionLocation,
};
use crate::world::services::Colour;
use crate::world::stores::Object;
use crate::world::{ACCOUNT, REGION, State};

impl Furnisher<'_> {
    /// The application and its group, both of this name, and every deployment configuration.
    pub(super) fn codedeploy(&self, state: &mut State, name: &str, target: GroupTarget, alarms: Vec<String>) {
        let deployment = &self.loaded.scenario.deployment;
        let platform = self.loaded.scenario.platform();
        let (config, routing) = deployment.config(platform);
        let predefined =
            PREDEFINED.map(|(name, platform, routing)| DeploymentConfig { name: name.to_owned(), platform, routing });
        state.codedeploy.configs = predefined.to_vec();
        if state.codedeploy.config(&config).is_none() {
            state.codedeploy.configs.push(DeploymentConfig { name: config.clone(), platform, routing });
        }
        state.codedeploy.applications.push(name.to_owned());
        state.codedeploy.groups.push(DeploymentGroup {
            application: name.to_owned(),
            name: name.to_owned(),
            config,
            target,
            auto_rollback: deployment.rollback_events(),
            alarms_enabled: !alarms.is_empty(),
            alarms,
        });
    }

    /// The AppSpec of one version.
    pub(super) fn revision(&self, state: &mut State, key: &str, content: String) -> NewRevision {
        let key = key.to_owned();
        // There in any case, for whoever deploys by hand.
        let object = Object { body: content.clone().into_bytes(), modified_at: self.now };
        let in_s3 = |version| NewRevision::S3 {
            bucket: BUCKET.to_owned(),
            key: key.clone(),
            bundle_type: "YAML".to_owned(),
            version,
        };
        let (object_version, newest) = (in_s3(Some(object.version())), in_s3(None));
        state.stores.objects.insert((BUCKET.to_owned(), key.clone()), object);
        match self.loaded.scenario.deployment.app_spec {
            AppSpecPlace::Inline => NewRevision::Inline { content, sha256: None },
            AppSpecPlace::S3 => newest,
            AppSpecPlace::S3Version => object_version,
        }
    }

    pub(super) fn app_spec(&self, task_definition: &str) -> String {
        let container = self.loaded.scenario.deployment.app_spec_container.as_deref().unwrap_or(CONTAINER);
        format!(
            "version: 0.0\nResources:\n  - TargetService:\n      Type: AWS::ECS::Service\n      Properties:\n        \
             TaskDefinition: \"{task_definition}\"\n        LoadBalancerInfo:\n          ContainerName: \
             \"{container}\"\n          ContainerPort: {CONTAINER_PORT}\nHooks:{}",
            self.app_spec_hooks()
        )
    }

    pub(super) fn app_spec_hooks(&self) -> String {
        let mut hooks = String::new();
        for stage in Stage::ALL.iter().filter(|stage| !self.loaded.scenario.leaves_out(**stage)) {
            let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", function_name(*stage));
            hooks.push_str(&format!("  - {}: \"{arn}\"\n", stage.event_name()));
        }
        if hooks.is_empty() { " []\n".to_owned() } else { format!("\n{hooks}") }
    }

    /// The deployment that brought blue: it makes blue's revision the last known good one.
    pub(super) fn first_deployment(&self, state: &mut State, name: &str, blue: &NewRevision) {
        let Ok(revision) = api::register(state, name, blue, self.now) else { return };
        let mut events = api::events(&revision);
        for event in &mut events {
            event.status = EventStatus::Succeeded;
            event.started_at = Some(self.now);
            event.ended_at = Some(self.now);
        }
        let id = api::new_id();
        let group = state.codedeploy.group(name, name);
        let config = group.map(|group| group.config.clone()).unwrap_or_default();
        let location: RevisionLocation = revision.location;
        let own = state.services.iter_mut().filter(|service| service.name == name);
        for set in own.flat_map(|service| &mut service.task_sets) {
            set.external_id = Some(id.clone());
        }
        state.codedeploy.deployments.push(Deployment {
            id,
            application: name.to_owned(),
            group: name.to_owned(),
            config,
            revision: location,
            previous_revision: None,
            creator: Creator::User,
            status: DeploymentStatus::Succeeded,
            description: Some("brought the version that serves now".to_owned()),
            created_at: self.now,
            started_at: Some(self.now),
            completed_at: Some(self.now),
            error: None,
            rolls_back: None,
            rolled_back_by: None,
            auto_rollback_override: None,
            events,
            blue: None,
            green: None,
            green_percent: 100,
            termination_wait_started: false,
            stop_requested: false,
        });
    }
}

/// The key of a version's AppSpec in [`BUCKET`].
pub fn app_spec_key(service: &str, colour: Colour) -> String {
    format!("{service}/{colour}/appspec.yaml")
}
