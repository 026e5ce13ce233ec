//! The world of a scenario that deploys a function: two versions, an alias that leads to the first, its deployment group
//! and its hooks.

use std::collections::BTreeMap;
use std::time::Duration;

use greenlight::stage::Stage;
use greenlight::units::Span;

use super::{BEFORE, Furnisher, Prepared, Production, Versions, alarms::usual_alarm, app_spec_key, hex};
use crate::scenario::{AlarmTarget, FunctionSpec, Version};
use crate::world::State;
use crate::world::alarms::Alarm;
use crate::world::deployments::GroupTarget;
use crate::world::functions::{Alias, Function};
use crate::world::metrics::MetricId;
use crate::world::services::Colour;
use crate::world::stores::Parameter;

/// Timeout and memory of the function where the scenario does not say.
const TIMEOUT: Duration = Duration::from_secs(10);
const MEMORY_MIB: u32 = 256;

impl Furnisher<'_> {
    pub(super) fn furnish_function(&self, state: &mut State, spec: &FunctionSpec) -> Prepared {
        let scenario = &self.loaded.scenario;
        state.functions = self.hooks(&self.here.applications, &Stage::OF_FUNCTIONS);
        state.functions.push(self.version(spec, &scenario.blue, "1", Colour::Blue));
        state.functions.push(self.version(spec, &scenario.green, "2", Colour::Green));
        state.aliases.push(Alias {
            function: spec.name.clone(),
            name: spec.alias.clone(),
            version: "1".to_owned(),
            additional: None,
            turn: 0,
        });
        state.alarms = self.alarms_of_function(spec);
        state.faults = self.faults();
        self.fill_secrets(state);
        if let Some(text) = &self.plan.text {
            let parameter = Parameter { value: text.clone(), version: 1, modified_at: self.now };
            state.stores.parameters.insert(format!("/greenlight/{0}/{0}", spec.name), parameter);
        }
        let alarms = state.alarms.iter().map(|alarm| alarm.name.clone()).collect();
        self.codedeploy(state, &spec.name, GroupTarget::Function, alarms);
        let mut revision = |current: &str, target: &str, colour| {
            let content = self.app_spec_of_function(spec, current, target);
            self.revision(state, &app_spec_key(&spec.name, colour), content)
        };
        let (green, blue) = (revision("1", "2", Colour::Green), revision("2", "1", Colour::Blue));
        self.first_deployment(state, &spec.name, &blue);
        BEFORE.clone_into(&mut state.phase);
        Prepared {
            versions: Versions::CodeDeploy { application: spec.name.clone(), group: spec.name.clone(), green, blue },
            production: Production::Alias { function: spec.name.clone(), alias: spec.alias.clone() },
        }
    }

    fn version(&self, spec: &FunctionSpec, version: &Version, number: &str, colour: Colour) -> Function {
        let mut environment =
            BTreeMap::from([("VERSION".to_owned(), number.to_owned()), ("COLOUR".to_owned(), colour.to_string())]);
        environment.extend(version.environment.clone());
        let command = version.command.as_ref().or(spec.command.as_ref()).map(String::as_str).unwrap_or_default();
        Function {
            name: spec.name.clone(),
            version: number.to_owned(),
            colour: Some(colour),
            command: self.bootstrap(command),
            environment,
            timeout: spec.timeout.map_or(TIMEOUT, Span::duration),
            memory_mib: spec.memory.unwrap_or(MEMORY_MIB),
            pace: 1.0,
            access_key: format!("ASIAREHEARSAL{}", hex(7).to_uppercase()),
            role: None,
            max_retries: 0,
            killed_after: None,
            told_left_ms: None,
            on_failure: None,
            subscription: None,
        }
    }

    fn alarms_of_function(&self, spec: &FunctionSpec) -> Vec<Alarm> {
        let usual = || vec![usual_alarm(&spec.name, "errors", "Errors", "Sum", 5.0, AlarmTarget::LoadBalancer)];
        let specs = self.loaded.scenario.alarms.clone().unwrap_or_else(usual);
        let invoked = format!("{}:{}", spec.name, spec.alias);
        let of_alias = [("FunctionName", spec.name.as_str()), ("Resource", invoked.as_str())];
        let metric = |name: &str, of: AlarmTarget| {
            let version = |number| [of_alias[0], of_alias[1], ("ExecutedVersion", number)];
            match of {
                AlarmTarget::LoadBalancer => MetricId::new("AWS/Lambda", name, &of_alias),
                AlarmTarget::Blue => MetricId::new("AWS/Lambda", name, &version("1")),
                AlarmTarget::Green => MetricId::new("AWS/Lambda", name, &version("2")),
            }
        };
        specs.iter().map(|spec| self.alarm_on(spec, metric(&spec.metric.value, spec.of))).collect()
    }

    fn app_spec_of_function(&self, spec: &FunctionSpec, current: &str, target: &str) -> String {
        format!(
            "version: 0.0\nResources:\n  - TargetFunction:\n      Type: AWS::Lambda::Function\n      Properties:\n        \
             Name: \"{}\"\n        Alias: \"{}\"\n        CurrentVersion: \"{current}\"\n        TargetVersion: \
             \"{target}\"\nHooks:{}",
            spec.name,
            spec.alias,
            self.app_spec_hooks()
        )
    }
}
