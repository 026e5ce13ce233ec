//! What the values of a scenario cannot tell one by one: keys that contradict each other, and files that are not there.

use std::collections::BTreeSet;
use std::path::Path;

use greenlight::document::{Judge, Location, Spanned, one_of};
use greenlight::stage::Stage;

use super::native::native_phase;
use super::{AlarmSpec, AlarmTarget, DeploymentEngine, Scenario, Version};
use crate::alb::metrics;
use crate::database::Engine;
use crate::scenario::migrations;
use crate::world::deployments::Platform;

/// Those of a function that the rehearsal counts.
const METRICS_OF_A_FUNCTION: [&str; 3] = ["Invocations", "Errors", "Duration"];

/// Notes what is wrong with a scenario.
pub(super) struct Sense<'a> {
    pub(super) judge: &'a Judge<'a>,
    /// What its paths are relative to.
    pub(super) folder: &'a Path,
    /// Where it begins.
    pub(super) place: Location,
}

impl Sense<'_> {
    pub(super) fn refuse(&self, place: Location, message: impl Into<String>) {
        self.judge.note(self.judge.wrong(place, message));
    }
}

impl Scenario {
    /// Refuses what makes no sense.
    pub(super) fn check(&self, sense: &Sense<'_>) {
        if self.story.is_empty() {
            sense.judge.note(sense.judge.missing(sense.place, "story"));
        }
        self.check_function(sense);
        self.check_health_check(sense);
        self.check_database(sense);
        self.check_traffic(sense);
        self.check_alarms(sense);
        self.check_hooks(sense);
        self.deployment.check(self.platform(), sense);
        self.check_native(sense);
        self.check_stop(sense);
    }

    fn check_function(&self, sense: &Sense<'_>) {
        let Some(function) = &self.function else {
            if let Some(events) = &self.traffic.events {
                sense.refuse(events.referenced, "only a `function` is invoked with events");
            }
            return;
        };
        let place = function.referenced;
        if self.service.is_written {
            sense.refuse(place, "a scenario deploys a `service` or a `function`, not both");
        }
        let runs = |version: &Version| version.command.is_some() || function.value.command.is_some();
        if !runs(&self.blue) || !runs(&self.green) {
            sense.judge.note(sense.judge.missing(place, "command"));
        }
        if let Some(requests) = &self.traffic.requests {
            sense.refuse(requests.referenced, "a function is invoked with `events`, not with requests");
        }
        if let Some(event) = self.hooks.keys().find(|event| !Stage::OF_FUNCTIONS.contains(&event.stage())) {
            let name = event.stage().event_name();
            sense.refuse(place, format!("the deployment of a function has no {name}; leave it out of `hooks`"));
        }
        if let Some(migrations) = &self.expect.migrations {
            sense.refuse(migrations.referenced, "there are no migrations here: a function has no database");
        }
        if let Some(events) = self.traffic.events.as_ref().filter(|events| events.value.is_empty()) {
            sense.refuse(events.referenced, "users need something to send; expected at least one event");
        }
    }

    fn check_health_check(&self, sense: &Sense<'_>) {
        let check = &self.service.health_check;
        if check.timeout.value >= check.interval {
            let message = format!("a health check's timeout must be shorter than its interval, {}", check.interval);
            sense.refuse(check.timeout.referenced, message);
        }
    }

    fn check_database(&self, sense: &Sense<'_>) {
        let service = &self.service;
        if self.function.is_some() {
            return;
        }
        if !service.database {
            let places = [
                service.migrations.as_ref().map(|it| it.referenced),
                service.long_report.as_ref().map(|it| it.referenced),
                service.migrations_in_s3.as_ref().map(|it| it.referenced),
                service.migrated_to.as_ref().map(|it| it.referenced),
                self.expect.migrations.as_ref().map(|it| it.referenced),
            ];
            for place in places.into_iter().flatten() {
                sense.refuse(place, "there are no migrations here: the service has `database: false`");
            }
            return;
        }
        if let Some(engine) = service.database_engine.as_ref().filter(|it| it.value == Engine::MariaDb) {
            let place = engine.referenced;
            if service.database_iam_user.is_some() {
                sense.refuse(
                    place,
                    "the gate that judges tokens of IAM speaks PostgreSQL; leave `database_iam_user` out",
                );
            }
            if self.runs_sample_service() {
                sense.refuse(
                    place,
                    "the sample service speaks to PostgreSQL; name a `command` of your own, and `migrations`",
                );
            }
        }
        let Some(folder) = &service.migrations else { return };
        let path = sense.folder.join(&folder.value);
        let versions = match migrations::versions(&path) {
            Ok(versions) => versions,
            Err(error) => {
                let message = format!("the folder of migrations {} cannot be read: {error}", path.display());
                return sense.refuse(folder.referenced, message);
            }
        };
        if versions.is_empty() {
            let message = format!("no migration is in {}; expected files such as `0001_orders.sql`", path.display());
            return sense.refuse(folder.referenced, message);
        }
        match &service.migrated_to {
            Some(version) if !versions.contains(&version.value) => {
                let known = versions.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
                let message = format!(
                    "no migration of {} has version {}; expected one of {known}",
                    path.display(),
                    version.value
                );
                sense.refuse(version.referenced, message);
            }
            _ => {}
        }
    }

    fn check_traffic(&self, sense: &Sense<'_>) {
        match &self.traffic.requests {
            Some(requests) if requests.value.is_empty() => {
                let message = "users need something to ask; expected at least one request";
                sense.judge.note(sense.judge.lacking(requests.referenced, message));
            }
            _ => {}
        }
    }

    fn check_alarms(&self, sense: &Sense<'_>) {
        let mut names = BTreeSet::new();
        for alarm in self.alarms.iter().flatten() {
            if !names.insert(&alarm.name) {
                sense.refuse(alarm.metric.referenced, format!("two alarms are called `{}`", alarm.name));
            }
            alarm.check(self.platform(), sense);
        }
    }

    fn check_hooks(&self, sense: &Sense<'_>) {
        for hook in self.hooks.values() {
            if let (Some(none), Some(_)) = (hook.none.as_ref().filter(|none| none.value), &hook.command) {
                sense.refuse(none.referenced, "a hook that is left out runs no command; keep one of the two keys");
            }
        }
    }

    fn check_stop(&self, sense: &Sense<'_>) {
        let Some(stop_at) = &self.deployment.stop_at else { return };
        if !self.deployment.is_of_a_known_config(self.platform()) {
            return;
        }
        let (phases, wanted) = match self.engine {
            DeploymentEngine::CodeDeploy => (self.phases(), stop_at.value.clone()),
            DeploymentEngine::Ecs => (self.native_phases(), native_phase(&stop_at.value)),
        };
        if phases.contains(&wanted) {
            return;
        }
        let known: Vec<&str> = phases.iter().map(String::as_str).collect();
        let message = format!("the deployment never waits at `{}`; {}", stop_at.value, one_of(&stop_at.value, &known));
        sense.refuse(stop_at.referenced, message);
    }

    /// The phases in which this deployment waits for something, so that a person has time to stop it.
    fn phases(&self) -> Vec<String> {
        let platform = self.platform();
        let called = |event: &str| {
            let spec = self.hooks.iter().find(|(name, _)| name.stage().event_name() == event);
            spec.is_none_or(|(_, spec)| !spec.is_left_out())
        };
        let hook = |event: &str| called(event).then(|| event.to_owned());
        let mut phases = Vec::new();
        if platform == Platform::Ecs {
            phases.extend(hook("BeforeInstall"));
            phases.push("Install".to_owned());
            phases.extend(hook("AfterInstall"));
            phases.extend(hook("AfterAllowTestTraffic").filter(|_| self.deployment.test_listener));
        }
        phases.extend(hook("BeforeAllowTraffic"));
        phases.extend(self.deployment.steps(platform).into_iter().map(|percent| format!("AllowTraffic {percent} %")));
        phases.extend(hook("AfterAllowTraffic"));
        phases.extend((platform == Platform::Ecs).then(|| "termination wait".to_owned()));
        phases
    }
}

impl AlarmSpec {
    fn check(&self, platform: Platform, sense: &Sense<'_>) {
        let Spanned { value: metric, referenced: place, .. } = &self.metric;
        if platform == Platform::Lambda {
            let known = METRICS_OF_A_FUNCTION;
            if !known.contains(&metric.as_str()) {
                sense.refuse(*place, format!("Lambda counts no `{metric}`; {}", one_of(metric, &known)));
            }
            return;
        }
        let balancer = self.of == AlarmTarget::LoadBalancer;
        let known = if balancer { metrics::OF_A_LOAD_BALANCER } else { metrics::OF_A_TARGET_GROUP };
        if known.contains(&metric.as_str()) {
            return;
        }
        let elsewhere = if balancer { metrics::OF_A_TARGET_GROUP } else { metrics::OF_A_LOAD_BALANCER };
        let message = match (elsewhere.contains(&metric.as_str()), balancer) {
            (true, true) => format!("`{metric}` is counted for target groups only; add `of: green` or `of: blue`"),
            (true, false) => format!("`{metric}` is counted for the whole load balancer only; leave out `of`"),
            (false, _) => format!("the load balancer counts no `{metric}`; {}", one_of(metric, known)),
        };
        sense.refuse(*place, message);
    }
}
