//! A scenario: the service, how to start blue and green, the plan, what goes wrong, what is expected.
//!
//! Every key has a default, so that a file says only what makes it different.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use greenlight::document::{self, Mistakes, Spanned};
use greenlight::plan::Plan;
use greenlight::stage::Stage;
use greenlight::units::Rate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::mutants::Mutated;
use crate::text_file::{self, Unreadable};
use crate::world::deployments::Platform;

mod deployment;
mod expectation;
mod function;
pub mod migrations;
pub mod native;
mod rules;
mod sense;
mod service;
mod template;
mod trouble;

pub use deployment::{
    AlarmSpec, AlarmTarget, AppSpecPlace, DeploymentSpec, PREDEFINED, RollbackOn, Shift, SwitchesSpec, usual_config,
};
pub use expectation::{Expectation, ExpectedStatus};
pub use function::FunctionSpec;
pub use native::{DeploymentEngine, NativeSpec};
pub use service::{SecretSpec, ServiceSpec, Version, Zone};
pub use template::TemplateSpec;
pub use trouble::{Caller, FaultKindSpec, FaultSpec, HookSpec, ProceedSpec};

/// A scenario as it is written. Paths are relative to the file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What happens and why it is worth seeing: the first lines of the transcript.
    #[serde(default, deserialize_with = "rules::story")]
    #[schemars(required)]
    pub story: String,
    /// Who carries out the deployment: `codedeploy`, or `ecs` by itself.
    #[serde(default)]
    pub engine: DeploymentEngine,
    /// CloudFormation templates that define service, deployment, listeners and alarms.
    #[serde(default)]
    pub template: Option<Spanned<TemplateSpec>>,
    /// The service.
    #[serde(default)]
    pub service: ServiceSpec,
    /// A Lambda function, in place of the service.
    #[serde(default)]
    pub function: Option<Spanned<FunctionSpec>>,
    /// The version that serves.
    #[serde(default)]
    pub blue: Version,
    /// The version that is deployed.
    #[serde(default)]
    pub green: Version,
    /// How it is deployed.
    #[serde(default)]
    pub deployment: DeploymentSpec,
    /// What holds only where ECS carries out the deployment.
    #[serde(default)]
    pub on_ecs: NativeSpec,
    /// CloudWatch alarms of the deployment group; the usual two when the key is missing, none for `[]`.
    #[serde(default)]
    pub alarms: Option<Vec<AlarmSpec>>,
    /// The parameter with which a person lets a deployment go on although alarms fire; none when missing.
    #[serde(default)]
    pub proceed: Option<ProceedSpec>,
    /// Functions in place of greenlight's own, or settings for them, by lifecycle event.
    #[serde(default)]
    pub hooks: BTreeMap<LifecycleEventName, HookSpec>,
    /// Secrets in Secrets Manager, by name, beside the one that RDS would keep for the database: their texts.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// The tag `greenlight:applications` of secrets, by their names: the applications whose plans may use them.
    #[serde(default)]
    pub secret_applications: BTreeMap<String, String>,
    /// The plan's file; when missing that which the template's task definition has as its label, else none.
    #[serde(default)]
    pub plan: Option<Spanned<PathBuf>>,
    /// Production traffic.
    #[serde(default)]
    pub traffic: TrafficSpec,
    /// Faults of AWS endpoints.
    #[serde(default)]
    pub faults: Vec<FaultSpec>,
    /// Choices where AWS documents nothing.
    #[serde(default)]
    pub switches: SwitchesSpec,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expectation,
}

impl Scenario {
    /// The JSON Schema of a scenario, for editors.
    pub fn schema() -> serde_json::Value {
        let settings = schemars::generate::SchemaSettings::draft2020_12();
        let mut schema = settings.into_generator().into_root_schema_for::<Self>();
        schema.insert("title".to_owned(), "greenlight scenario".into());
        schema.to_value()
    }

    /// The name of its CodeDeploy application and of its deployment group: that of what is deployed.
    pub fn application(&self) -> &str {
        self.function.as_ref().map_or(&self.service.name, |function| &function.value.name)
    }

    /// The stages that a deployment of this has.
    pub fn stages(&self) -> &'static [Stage] {
        if self.function.is_some() { &Stage::OF_FUNCTIONS } else { &Stage::ALL }
    }

    /// What is deployed to.
    pub fn platform(&self) -> Platform {
        if self.function.is_some() { Platform::Lambda } else { Platform::Ecs }
    }

    /// Whether the AppSpec names no function at this stage.
    pub fn leaves_out(&self, stage: Stage) -> bool {
        let has_it = self.stages().contains(&stage);
        !has_it || self.hooks.iter().any(|(event, spec)| event.stage() == stage && spec.is_left_out())
    }

    /// Whether a version is the sample service.
    pub fn runs_sample_service(&self) -> bool {
        self.function.is_none()
            && self.service.command.is_none()
            && [&self.blue, &self.green].iter().any(|it| it.command.is_none())
    }

    /// Whether greenlight's own hook runs at this stage.
    pub fn runs_own_hook(&self, stage: Stage) -> bool {
        let replaced = |(event, spec): (&LifecycleEventName, &HookSpec)| {
            event.stage() == stage && (spec.is_left_out() || spec.command.is_some())
        };
        self.stages().contains(&stage) && !self.hooks.iter().any(replaced)
    }
}

/// A lifecycle event at which a function can be called.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are CodeDeploy's")]
pub enum LifecycleEventName {
    BeforeInstall,
    AfterInstall,
    AfterAllowTestTraffic,
    BeforeAllowTraffic,
    AfterAllowTraffic,
}

impl LifecycleEventName {
    /// greenlight's stage at this event.
    pub fn stage(self) -> Stage {
        match self {
            Self::BeforeInstall => Stage::BeforeInstall,
            Self::AfterInstall => Stage::AfterInstall,
            Self::AfterAllowTestTraffic => Stage::AfterAllowTestTraffic,
            Self::BeforeAllowTraffic => Stage::BeforeAllowTraffic,
            Self::AfterAllowTraffic => Stage::AfterAllowTraffic,
        }
    }
}

/// Production traffic.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrafficSpec {
    /// Requests per second of real time; 200/s when missing.
    #[serde(default = "TrafficSpec::usual_rate", deserialize_with = "rules::rate")]
    pub rate: Rate,
    /// The requests, sent in turn; the sample service's when missing.
    #[serde(default)]
    pub requests: Option<Spanned<Vec<RequestSpec>>>,
    /// The events that a function is invoked with, in turn; an empty one when missing.
    #[serde(default)]
    pub events: Option<Spanned<Vec<serde_json::Value>>>,
}

impl TrafficSpec {
    fn usual_rate() -> Rate {
        "200/s".parse().expect("a rate")
    }
}

impl Default for TrafficSpec {
    fn default() -> Self {
        Self { rate: Self::usual_rate(), requests: None, events: None }
    }
}

/// One kind of production request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestSpec {
    /// `GET` when missing.
    #[serde(default = "RequestSpec::get", deserialize_with = "rules::method")]
    pub method: String,
    /// Path and query.
    #[serde(deserialize_with = "rules::path")]
    pub path: String,
    /// JSON body.
    #[serde(default)]
    pub json: Option<serde_json::Value>,
}

impl RequestSpec {
    fn get() -> String {
        "GET".to_owned()
    }
}

/// A scenario, its plan, and where they came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file's name without ending.
    pub name: String,
    /// The folder its paths are relative to.
    pub folder: PathBuf,
    /// The scenario.
    pub scenario: Scenario,
    /// The plan's file name and text, checked.
    pub plan: Option<(PathBuf, String)>,
    /// How green is broken, where it is.
    pub mutated: Option<Mutated>,
}

/// Why a scenario could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is wrong.
    #[error("{0}")]
    Document(#[from] Mistakes),
    /// The templates that were given beside it are of no use.
    #[error("{0}")]
    Template(String),
    /// Its file could not be read.
    #[error("{}", source.of(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Unreadable,
    },
}

/// Reads a scenario and everything it refers to, and starts nothing.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    load_with(path, &Instead::default())
}

/// What was said where a scenario was asked for, in place of what it says itself.
#[derive(Clone, Debug, Default)]
pub struct Instead {
    /// These templates.
    pub template: Option<TemplateSpec>,
    /// This engine.
    pub engine: Option<DeploymentEngine>,
}

/// As [`load`], with this in place of its own.
pub fn load_with(path: &Path, instead: &Instead) -> Result<Loaded, LoadError> {
    let text = text_file::read(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let (scenario, plan) = read(&text, &path.display().to_string(), &folder, instead)?;
    let name = path.file_stem().map_or_else(|| "scenario".to_owned(), |stem| stem.to_string_lossy().into_owned());
    // A function starts elsewhere: what it is given must not depend on where this was typed.
    let folder = std::path::absolute(if folder.as_os_str().is_empty() { Path::new(".") } else { &folder })
        .map_err(|error| LoadError::Unreadable { path: folder, source: Unreadable::Refused(error) })?;
    Ok(Loaded { name, folder, scenario, plan, mutated: None })
}

/// Reads a scenario that lies in this folder, with the file name and text of its plan. `source` is its name in messages.
pub fn read(
    text: &str,
    source: &str,
    folder: &Path,
    instead: &Instead,
) -> Result<(Scenario, Option<(PathBuf, String)>), LoadError> {
    // The plan is another document: its mistakes are told beside the scenario's.
    let (mut wrong_plan, mut wrong_template) = (None, None);
    let read = document::parse_and_judge(text, source, &[], |written: Spanned<Scenario>, judge| {
        let Spanned { value: mut scenario, referenced: place, .. } = written;
        let its_plan = match (&instead.template, scenario.template.take()) {
            (Some(given), _) => template::define(&mut scenario, given, folder).unwrap_or_else(|reason| {
                wrong_template = Some(reason);
                None
            }),
            (None, Some(own)) => {
                let defined = template::define(&mut scenario, &own.value, folder);
                judge.keep(defined.map_err(|reason| judge.wrong(own.referenced, reason))).flatten()
            }
            (None, None) => None,
        };
        scenario.engine = instead.engine.unwrap_or(scenario.engine);
        scenario.check(&sense::Sense { judge, folder, place });
        let plan = judge.part(scenario.plan.as_ref(), |named| {
            let file = folder.join(&named.value);
            let text = text_file::read(&file).map_err(|error| {
                judge.wrong(named.referenced, format!("the plan {} cannot be read: {error}", file.display()))
            })?;
            Ok((file, text))
        });
        let plan = plan.or(its_plan);
        wrong_plan = plan.as_ref().and_then(|(file, text)| Plan::parse(text, &file.display().to_string()).err());
        Some((scenario, plan))
    });
    if let Some(reason) = wrong_template {
        return Err(LoadError::Template(reason));
    }
    match (read, wrong_plan) {
        (Ok(read), None) => Ok(read),
        (Ok(_), Some(wrong)) => Err(wrong.into()),
        (Err(wrong), None) => Err(wrong.into()),
        (Err(wrong), Some(plan)) => Err(wrong.and(plan).into()),
    }
}
