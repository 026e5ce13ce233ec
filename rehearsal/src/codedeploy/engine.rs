//! The course of a deployment, as AWS documents it for the ECS compute platform; that of a function is in `function`.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-ecs.html>

use std::sync::Arc;
use std::time::Duration;

use super::switches::Switches;
use super::{ending, function, hook, traffic};
use crate::world::World;
use crate::world::deployments::{
    Deployment, DeploymentGroup, DeploymentStatus, EventStatus, GroupTarget, ServiceTarget,
};
use crate::world::journal::Who;
use crate::world::services::{Colour, Service, TaskDefinition, TaskSet, TaskSetStatus, TaskStatus};
use ending::Ending;
use greenlight::appspec::AnyAppSpec;

/// How much real time a wait for the end of blue may take.
const TERMINATION_TAKES: Duration = Duration::from_millis(600);

/// Runs every deployment that is created, until it is dropped.
pub async fn run(world: Arc<World>, switches: Switches) {
    let mut courses = tokio::task::JoinSet::new();
    loop {
        let id = world
            .until(|state| {
                let mut created =
                    state.codedeploy.deployments.iter().filter(|it| it.status == DeploymentStatus::Created);
                created.next().map(|deployment| deployment.id.clone())
            })
            .await;
        let now = world.now();
        world.update(|state| {
            if let Some(deployment) = state.codedeploy.deployment_mut(&id) {
                deployment.status = DeploymentStatus::InProgress;
                deployment.started_at = Some(now);
            }
        });
        courses.spawn(course(Arc::clone(&world), switches.clone(), id));
        while courses.try_join_next().is_some() {}
    }
}

/// What stays the same for one deployment.
pub(super) struct Course {
    pub(super) world: Arc<World>,
    pub(super) switches: Switches,
    pub(super) id: String,
}

async fn course(world: Arc<World>, switches: Switches, id: String) {
    let course = Course { world, switches, id };
    let Some((deployment, group)) = course.records() else { return };
    let result = if deployment.rolls_back.is_some() {
        match &group.target {
            GroupTarget::Service(service) => course.roll_back(service).await,
            GroupTarget::Function => function::roll_back(&course).await,
        }
    } else {
        let forward = async {
            match &group.target {
                GroupTarget::Service(service) => course.forward(service).await,
                GroupTarget::Function => function::forward(&course).await,
            }
        };
        tokio::select! {
            result = forward => result,
            stopped = ending::stopped(&course, &deployment, &group) => Err(stopped),
        }
    };
    ending::finish(&course, &group, result);
}

impl Course {
    pub(super) fn records(&self) -> Option<(Deployment, DeploymentGroup)> {
        self.world.read(|state| {
            let deployment = state.codedeploy.deployment(&self.id)?;
            let group = state.codedeploy.group(&deployment.application, &deployment.group)?;
            Some((deployment.clone(), group.clone()))
        })
    }

    pub(super) fn say(&self, text: impl Into<String>) {
        self.world.say(Who::CodeDeploy, text);
    }

    /// Changes the deployment's record.
    pub(super) fn record(&self, change: impl FnOnce(&mut Deployment)) {
        self.world.update(|state| {
            if let Some(deployment) = state.codedeploy.deployment_mut(&self.id) {
                change(deployment);
            }
        });
    }

    /// Enters a lifecycle event.
    pub(super) fn begin(&self, event: &str) {
        let now = self.world.now();
        self.world.update(|state| {
            event.clone_into(&mut state.phase);
            let Some(deployment) = state.codedeploy.deployment_mut(&self.id) else { return };
            if let Some(event) = deployment.events.iter_mut().find(|it| it.name == event) {
                event.status = EventStatus::InProgress;
                event.started_at = Some(now);
            }
        });
    }

    /// Leaves a lifecycle event.
    pub(super) fn end(&self, event: &str, status: EventStatus) {
        let now = self.world.now();
        self.record(|deployment| {
            if let Some(event) = deployment.events.iter_mut().find(|it| it.name == event) {
                event.status = status;
                event.ended_at = Some(now);
            }
        });
    }

    async fn forward(&self, group: &ServiceTarget) -> Result<(), Ending> {
        let blue = self.note_blue(group)?;
        hook::call(self, "BeforeInstall").await?;
        let green = self.install(group, &blue).await?;
        hook::call(self, "AfterInstall").await?;
        self.begin("AllowTestTraffic");
        if let Some(listener) = &group.test_listener {
            traffic::point(self, listener, &[(&green.target_group, 100)]);
            self.say(format!(
                "AllowTestTraffic: the test listener forwards to green ({})",
                self.name(&green.target_group)
            ));
        } else {
            self.say("AllowTestTraffic: the group has no test listener");
        }
        self.end("AllowTestTraffic", EventStatus::Succeeded);
        if group.test_listener.is_some() {
            hook::call(self, "AfterAllowTestTraffic").await?;
        } else {
            self.end("AfterAllowTestTraffic", EventStatus::Skipped);
        }
        hook::call(self, "BeforeAllowTraffic").await?;
        traffic::shift(self, group, &blue, &green).await?;
        hook::call(self, "AfterAllowTraffic").await?;
        self.terminate_blue(group, &blue).await;
        Ok(())
    }

    /// What serves production now is blue.
    fn note_blue(&self, group: &ServiceTarget) -> Result<TaskSet, Ending> {
        let service = self.service(group)?;
        let blue = service.primary().cloned().ok_or_else(|| Ending::internal("the service has no primary task set"))?;
        self.world.update(|state| {
            for set in state.service_mut(&group.cluster, &group.service).into_iter().flat_map(|it| &mut it.task_sets) {
                set.colour = if set.id == blue.id { Colour::Blue } else { Colour::Green };
            }
            if let Some(deployment) = state.codedeploy.deployment_mut(&self.id) {
                deployment.blue = Some(blue.id.clone());
            }
        });
        let (from, to) = (family_revision(&blue.task_definition), family_revision(&self.target()?));
        let config = self.records().map(|(deployment, _)| deployment.config).unwrap_or_default();
        self.say(format!("deployment {} of {}/{}: {from} → {to}, {config}", self.id, group.cluster, group.service));
        Ok(blue)
    }

    /// The task definition that the AppSpec names.
    fn target(&self) -> Result<String, Ending> {
        self.world
            .read(|state| {
                let deployment = state.codedeploy.deployment(&self.id)?;
                let revision = state.codedeploy.revision(&deployment.application, &deployment.revision)?;
                match super::api::app_spec(revision) {
                    AnyAppSpec::Service(spec) => Some(spec.task_definition),
                    AnyAppSpec::Function(_) => None,
                }
            })
            .ok_or_else(|| Ending::internal("the revision is gone"))
    }

    pub(super) fn service(&self, group: &ServiceTarget) -> Result<Service, Ending> {
        self.world
            .read(|state| state.service(&group.cluster, &group.service).cloned())
            .ok_or_else(|| Ending::internal("the service of the deployment group does not exist"))
    }

    /// The name of a target group.
    pub(super) fn name(&self, arn: &str) -> String {
        self.world.read(|state| state.target_group(arn).map_or_else(|| arn.to_owned(), |group| group.name.clone()))
    }

    async fn install(&self, group: &ServiceTarget, blue: &TaskSet) -> Result<TaskSet, Ending> {
        self.begin("Install");
        let service = self.service(group)?;
        let green = self.make_green(group, &service, blue)?;
        self.say(format!(
            "Install: green task set {} of {}, {} tasks, target group {}",
            green.id,
            family_revision(&green.task_definition),
            green.desired,
            self.name(&green.target_group)
        ));
        if self.switches.green_in_use_at_install {
            traffic::point(self, &group.production_listener, &[(&blue.target_group, 100), (&green.target_group, 0)]);
        }
        let healthy = self.switches.install_waits_for_health;
        let ready = self.world.until(|state| {
            let set = state.task_set(&green.id)?;
            let running = state.live_tasks(&green.id).filter(|task| task.status == TaskStatus::Running).count();
            (if healthy { set.steady } else { running >= set.desired as usize }).then_some(())
        });
        let timeout = self.switches.install_timeout;
        tokio::select! {
            () = ready => {}
            () = self.world.clock.skip(timeout, Duration::from_secs(5)) => return Err(Ending::InstallTimedOut(timeout)),
        }
        self.end("Install", EventStatus::Succeeded);
        Ok(green)
    }

    fn make_green(&self, group: &ServiceTarget, service: &Service, blue: &TaskSet) -> Result<TaskSet, Ending> {
        let (now, wanted) = (self.world.now(), self.target()?);
        self.world.update(|state| {
            let definition = state.task_definition(&wanted).filter(|definition| definition.active);
            let task_definition = definition.map(TaskDefinition::arn).ok_or_else(|| {
                Ending::Ecs(format!("The ECS service cannot be updated: task definition {wanted} is not active"))
            })?;
            let target_group = group
                .target_groups
                .iter()
                .filter_map(|name| state.target_group_named(name))
                .map(|group| group.arn.clone())
                .find(|arn| *arn != blue.target_group)
                .ok_or_else(|| Ending::internal("both target groups of the pair are blue's"))?;
            let green = TaskSet {
                id: format!("ecs-svc/{}", uuid::Uuid::new_v4().as_u128() % 10_u128.pow(19)),
                task_definition,
                status: TaskSetStatus::Active,
                desired: service.desired_count,
                target_group,
                external_id: Some(self.id.clone()),
                created_at: now,
                steady: false,
                stability_at: now,
                colour: Colour::Green,
            };
            if let Some(service) = state.service_mut(&group.cluster, &group.service) {
                service.task_sets.push(green.clone());
            }
            if let Some(deployment) = state.codedeploy.deployment_mut(&self.id) {
                deployment.green = Some(green.id.clone());
            }
            Ok(green)
        })
    }

    async fn terminate_blue(&self, group: &ServiceTarget, blue: &TaskSet) {
        self.world.update(|state| "termination wait".clone_into(&mut state.phase));
        self.record(|deployment| deployment.termination_wait_started = true);
        self.say(format!("waits {} before it terminates blue", in_words(group.termination_wait)));
        self.world.clock.skip(group.termination_wait, TERMINATION_TAKES).await;
        self.delete_task_set(group, &blue.id).await;
        self.say("blue is terminated");
    }

    /// Scales a task set to nothing and waits until it is gone.
    pub(super) async fn delete_task_set(&self, group: &ServiceTarget, id: &str) {
        self.world.update(|state| {
            for set in state.service_mut(&group.cluster, &group.service).into_iter().flat_map(|it| &mut it.task_sets) {
                if set.id == id {
                    set.desired = 0;
                    set.status = TaskSetStatus::Draining;
                }
            }
        });
        self.world.until(|state| state.task_set(id).is_none().then_some(())).await;
    }

    async fn roll_back(&self, group: &ServiceTarget) -> Result<(), Ending> {
        let (blue, green) = self.world.read(|state| {
            let failed = state.codedeploy.deployment(&self.id).and_then(|it| it.rolls_back.clone());
            let failed = failed.and_then(|id| state.codedeploy.deployment(&id).cloned());
            failed.map_or((None, None), |failed| {
                let task_set = |id: Option<String>| id.and_then(|id| state.task_set(&id).cloned());
                (task_set(failed.blue), task_set(failed.green))
            })
        });
        let blue = blue.ok_or_else(|| Ending::internal("blue is gone: there is nothing to roll back to"))?;
        self.say(format!("rollback {}: {} takes all traffic again", self.id, family_revision(&blue.task_definition)));
        for event in ["BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic"] {
            self.rollback_hook(event).await?;
        }
        self.begin("AllowTraffic");
        self.world.update(|state| "rollback".clone_into(&mut state.phase));
        traffic::back_to_blue(self, group, &blue);
        self.end("AllowTraffic", EventStatus::Succeeded);
        self.rollback_hook("AfterAllowTraffic").await?;
        if let Some(green) = green {
            self.delete_task_set(group, &green.id).await;
            self.say("green is terminated");
        }
        Ok(())
    }

    pub(super) async fn rollback_hook(&self, event: &str) -> Result<(), Ending> {
        if self.switches.hooks_on_rollback {
            hook::call(self, event).await
        } else {
            self.end(event, EventStatus::Skipped);
            Ok(())
        }
    }
}

/// `family:revision` of a task definition's ARN.
pub fn family_revision(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or(arn).to_owned()
}

/// `5 minutes`, `1 hour`, `90 seconds`.
pub fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0 => return "no time".to_owned(),
        s if s % 3600 == 0 => (s / 3600, "hour"),
        s if s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
