//! The course of a deployment that ECS carries out, stage by stage, as AWS documents it.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html>

use std::sync::Arc;
use std::time::Duration;

use greenlight::lifecycle_stage::LifecycleStage;

use super::ending::{self, Consequence, Ending};
use super::switches::Switches;
use super::{hooks, rollback, scale, traffic};
use crate::codedeploy::engine::{family_revision, in_words};
use crate::world::journal::Who;
use crate::world::service_deployments::{
    HookStatus, ServiceDeployment, ServiceDeploymentStatus, ServiceRevision, StageRecord, StageStatus,
};
use crate::world::services::Colour;
use crate::world::{State, World};

/// How much real time the bake may take.
const BAKE_TAKES: Duration = Duration::from_millis(1000);

/// Runs every service deployment that is begun, until it is dropped.
pub async fn run(world: Arc<World>, switches: Switches) {
    let mut courses = tokio::task::JoinSet::new();
    loop {
        let arn = world.until(next).await;
        let now = world.now();
        let begins = world.update(|state| {
            // Somebody may have stopped it a moment ago.
            let waits = |it: &&mut ServiceDeployment| it.status == ServiceDeploymentStatus::Pending;
            let deployment = state.service_deployment_mut(&arn).filter(waits)?;
            deployment.status = ServiceDeploymentStatus::InProgress;
            deployment.started_at = Some(now);
            deployment.updated_at = now;
            Some(())
        });
        if begins.is_some() {
            courses.spawn(course(Course { world: Arc::clone(&world), switches: switches.clone(), arn }));
        }
        while courses.try_join_next().is_some() {}
    }
}

/// The next one that can begin: nothing else of its service is under way.
fn next(state: &State) -> Option<String> {
    let free = |it: &&ServiceDeployment| {
        let mut others = state.deployments_of(&it.cluster, &it.service).filter(|other| other.arn != it.arn);
        others.all(|other| other.status.is_final() || other.status == ServiceDeploymentStatus::Pending)
    };
    let mut pending = state.service_deployments.iter().filter(|it| it.status == ServiceDeploymentStatus::Pending);
    pending.find(free).map(|it| it.arn.clone())
}

/// What stays the same for one deployment.
pub(super) struct Course {
    pub(super) world: Arc<World>,
    pub(super) switches: Switches,
    pub(super) arn: String,
}

async fn course(course: Course) {
    let forward = course.forward();
    let result = tokio::select! {
        biased;
        stopped = ending::stopped(&course) => Err(stopped),
        result = forward => result,
    };
    match result {
        Ok(()) => course.clean_up().await,
        Err(ending) => course.fail(&ending).await,
    }
}

impl Course {
    async fn forward(&self) -> Result<(), Ending> {
        self.note_blue()?;
        scale::reconcile(self).await?;
        self.begin(LifecycleStage::PreScaleUp);
        hooks::call(self, LifecycleStage::PreScaleUp, 0.0).await?;
        scale::up(self).await?;
        self.begin(LifecycleStage::PostScaleUp);
        hooks::call(self, LifecycleStage::PostScaleUp, 0.0).await?;
        traffic::shift_tests(self).await?;
        self.begin(LifecycleStage::PostTestTrafficShift);
        hooks::call(self, LifecycleStage::PostTestTrafficShift, 100.0).await?;
        traffic::shift_production(self).await?;
        self.begin(LifecycleStage::PostProductionTrafficShift);
        hooks::call(self, LifecycleStage::PostProductionTrafficShift, 100.0).await?;
        self.begin(LifecycleStage::BakeTime);
        let bake = self.deployment().settings.configuration.bake;
        self.say(format!("BAKE_TIME: both run for {}, and alarms are watched", in_words(bake)));
        self.world.clock.skip(bake, BAKE_TAKES).await;
        Ok(())
    }

    /// Blue ends. Nothing leads back from here.
    async fn clean_up(&self) {
        self.begin(LifecycleStage::CleanUp);
        for source in self.deployment().sources {
            scale::down(self, &source).await;
        }
        self.say("CLEAN_UP: blue is terminated");
        self.finish(ServiceDeploymentStatus::Successful, None);
    }

    async fn fail(&self, ending: &Ending) {
        let (reason, now) = (ending.reason(), self.world.now());
        let consequence = ending.consequence(&self.deployment());
        self.record(|deployment| {
            for stage in deployment.stages.iter_mut().filter(|it| it.status == StageStatus::InProgress) {
                stage.status = StageStatus::Failed;
                stage.ended_at = Some(now);
            }
            // Nobody waits for them any more.
            let open = |status| matches!(status, HookStatus::InProgress | HookStatus::AwaitingAction);
            for hook in deployment.hooks.iter_mut().filter(|hook| open(hook.status)) {
                hook.status = HookStatus::Failed;
            }
            deployment.status_reason = Some(reason.clone());
            deployment.status = match consequence {
                Consequence::Rollback => ServiceDeploymentStatus::RollbackRequested,
                Consequence::Stop => ServiceDeploymentStatus::StopRequested,
            };
        });
        match consequence {
            Consequence::Rollback => {
                self.say(format!("ROLLBACK_REQUESTED: {reason}"));
                rollback::go(self, &reason).await;
            }
            Consequence::Stop => {
                let share = self.deployment().production_share;
                self.say(format!(
                    "nothing moves back: {share} % of production on green, whatever runs keeps running. A person must deploy \
                     again"
                ));
                self.finish(ServiceDeploymentStatus::Stopped, Some(reason));
            }
        }
    }

    /// Writes the end. What is to be said is said first: whoever waits for the end finds it in the journal.
    pub(super) fn finish(&self, status: ServiceDeploymentStatus, reason: Option<String>) {
        let now = self.world.now();
        let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        self.say(format!("service deployment {} is {}{why}", self.deployment().id(), status.name()));
        self.record(|deployment| {
            for stage in deployment.stages.iter_mut().filter(|it| it.status == StageStatus::InProgress) {
                stage.status = StageStatus::Succeeded;
                stage.ended_at = Some(now);
            }
            deployment.status = status;
            deployment.status_reason = reason;
            deployment.finished_at = Some(now);
        });
    }

    pub(super) fn say(&self, text: impl Into<String>) {
        self.world.say(Who::Deployment, text);
    }

    /// The record. It is never removed.
    pub(super) fn deployment(&self) -> ServiceDeployment {
        self.world.read(|state| state.service_deployment(&self.arn).cloned()).expect("deployments are kept")
    }

    /// Changes the record.
    pub(super) fn record(&self, change: impl FnOnce(&mut ServiceDeployment)) {
        let now = self.world.now();
        self.world.update(|state| {
            if let Some(deployment) = state.service_deployment_mut(&self.arn) {
                change(deployment);
                deployment.updated_at = now;
            }
        });
    }

    /// A revision of it.
    pub(super) fn revision(&self, arn: &str) -> Option<ServiceRevision> {
        self.world.read(|state| state.service_revision(arn).cloned())
    }

    /// Green.
    pub(super) fn target(&self) -> ServiceRevision {
        self.revision(&self.deployment().target).expect("revisions are kept")
    }

    /// Blue.
    pub(super) fn source(&self) -> Option<ServiceRevision> {
        self.revision(self.deployment().source()?)
    }

    /// Enters a stage. One that comes again at the next step goes on.
    pub(super) fn begin(&self, stage: LifecycleStage) {
        let now = self.world.now();
        self.world.update(|state| {
            let Some(deployment) = state.service_deployment_mut(&self.arn) else { return };
            let shift = stage == LifecycleStage::PreProductionTrafficShift;
            let share = Some(deployment.production_share).filter(|share| shift && *share > 0.0);
            deployment.stage = Some(stage);
            for before in deployment.stages.iter_mut().filter(|it| it.status == StageStatus::InProgress) {
                before.status = StageStatus::Succeeded;
                before.ended_at = Some(now);
            }
            match deployment.stages.iter_mut().find(|it| it.stage == stage) {
                Some(again) => again.status = StageStatus::InProgress,
                None => deployment.stages.push(StageRecord {
                    stage,
                    status: StageStatus::InProgress,
                    started_at: now,
                    ended_at: None,
                }),
            }
            state.phase = phase(stage, share);
        });
    }

    /// What serves production now is blue, whatever else runs.
    fn note_blue(&self) -> Result<(), Ending> {
        let (deployment, target) = (self.deployment(), self.target());
        let sources = self.world.update(|state| {
            let service = state.service_mut(&deployment.cluster, &deployment.service);
            let service = service.ok_or_else(|| Ending::Ecs("the service is gone".to_owned()))?;
            let blue = service.primary().map(|set| set.id.clone());
            for set in &mut service.task_sets {
                set.colour = if Some(&set.id) == blue.as_ref() { Colour::Blue } else { Colour::Green };
            }
            let others = service.task_sets.iter().map(|set| &set.id).filter(|id| Some(*id) != blue.as_ref());
            let sets: Vec<String> = blue.iter().chain(others).cloned().collect();
            Ok(sets
                .iter()
                .filter_map(|id| state.revision_of_task_set(id))
                .map(|revision| revision.arn.clone())
                .collect::<Vec<_>>())
        })?;
        self.record(|deployment| deployment.sources = sources);
        let from = self.source().map_or("nothing".to_owned(), |blue| family_revision(&blue.task_definition));
        self.say(format!(
            "service deployment {} of {}/{}: {from} → {}, {}",
            deployment.id(),
            deployment.cluster,
            deployment.service,
            family_revision(&target.task_definition),
            deployment.settings.configuration.strategy.in_words(),
        ));
        Ok(())
    }

    /// The name of a target group.
    pub(super) fn name(&self, arn: &str) -> String {
        self.world.read(|state| state.target_group(arn).map_or_else(|| arn.to_owned(), |group| group.name.clone()))
    }
}

/// The phase of production requests: a stage, and where only part of production is on green how much.
pub(super) fn phase(stage: LifecycleStage, share: Option<f64>) -> String {
    share.map_or_else(|| stage.name().to_owned(), |share| format!("{} {share} %", stage.name()))
}
