//! greenlight's own functions, as `template.yaml` deploys them: each under its role, so that a hook that asks for what the
//! role does not allow is refused here too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use greenlight::stage::Stage;
use serde_json::{Value, json};

use super::{BUCKET, Furnisher, hex, log_group, migrations, task_roles};
use crate::cloudformation::{Stack, Template};
use crate::iam::Role;
use crate::tasks::for_shell;
use crate::world::functions::{Function, LATEST, OnFailure, Subscription};
use crate::world::log_filter::LogFilter;
use crate::world::stores::resource_id;
use crate::world::{ACCOUNT, REGION};

/// The function that answers for hooks that died.
pub const REPORT_FAILURE: &str = "greenlight-report-failure";

/// What `sam deploy` deploys.
static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    Template::parse(include_str!("../../../template.yaml"), "template.yaml").expect("a test reads the same file")
});

/// Timeout of a hook's function: long enough for the bake that a plan gets that names none.
const HOOK_TIMEOUT: Duration = Duration::from_secs(90);

/// How long it takes until a subscriber is told of a line. AWS says near real time.
const SUBSCRIBED_AFTER: Duration = Duration::from_secs(5);

/// The stack of greenlight's functions with these parameters; the others have their defaults.
pub(crate) fn stack(parameters: &BTreeMap<&str, Value>) -> Stack {
    TEMPLATE.with(parameters).expect("every scenario fills in the same parameters")
}

/// The name of greenlight's function at this stage.
pub fn function_name(stage: Stage) -> String {
    format!("CodeDeployHook_greenlight-{}", stage.hook_name())
}

/// Where this hook's binary is in a folder: by its name as cargo leaves it, else where `sam build` puts it.
pub fn hook_binary(folder: &Path, stage: Stage) -> PathBuf {
    let by_name = folder.join(stage.hook_name());
    if by_name.is_file() { by_name } else { folder.join(stage.event_name()).join("bootstrap") }
}

/// Where the binary of [`REPORT_FAILURE`] is.
pub fn report_failure_binary(folder: &Path) -> PathBuf {
    let by_name = folder.join("report-failure");
    if by_name.is_file() { by_name } else { folder.join("ReportFailure").join("bootstrap") }
}

/// Who is told when the function of this name dies: by its on-failure destination, and by its log.
fn told(stack: &Stack, name: &str) -> (Option<OnFailure>, Option<Subscription>) {
    let feeder = &function(stack, REPORT_FAILURE)["Events"]["HookDied"]["Properties"]["Queue"];
    let destination = &TEMPLATE.globals("Function")["EventInvokeConfig"]["DestinationConfig"]["OnFailure"];
    let queue = destination["Destination"]["Fn::GetAtt"][0].as_str().expect("the template has a destination");
    let feeds = feeder.as_str().is_some_and(|arn| arn.ends_with(&format!(":{queue}")));
    let on_failure = feeds.then(|| {
        let queue = &stack.resources[queue].properties;
        let seconds = queue["VisibilityTimeout"].as_u64().expect("the template says how long");
        let deliveries = queue["RedrivePolicy"]["maxReceiveCount"].as_u64().and_then(|count| u32::try_from(count).ok());
        OnFailure {
            function: REPORT_FAILURE.to_owned(),
            deliveries: deliveries.expect("the template says how often"),
            hidden_for: Duration::from_secs(seconds),
        }
    });
    let group = format!("/aws/lambda/{name}");
    let mut filters = stack.of_kind("AWS::Logs::SubscriptionFilter").map(|(_, properties)| properties);
    let subscription = filters.find(|properties| properties["LogGroupName"] == group).map(|found| {
        let pattern = found["FilterPattern"].as_str().expect("the template has a pattern");
        let filter = LogFilter::read(pattern).expect("a test reads the same pattern");
        Subscription { function: REPORT_FAILURE.to_owned(), filter, after: SUBSCRIBED_AFTER }
    });
    (on_failure, subscription)
}

/// What the template says of the function of this name.
fn function<'s>(stack: &'s Stack, name: &str) -> &'s Value {
    let mut functions = stack.of_kind("AWS::Serverless::Function").map(|(_, properties)| properties);
    functions
        .find(|properties| properties["FunctionName"] == name)
        .expect("the template has a function for every stage")
}

/// The role that the template gives this function.
fn role(stack: &Stack, function: &Value) -> Arc<Role> {
    let name = function["Role"].as_str().and_then(|arn| arn.rsplit_once('/')).map_or("", |(_, name)| name);
    Arc::new(Role::of(stack, name).expect("a test judges the same policies"))
}

fn memory_mib() -> u32 {
    let memory = TEMPLATE.globals("Function")["MemorySize"].as_u64();
    memory.and_then(|mib| u32::try_from(mib).ok()).expect("the template says how much memory every function has")
}

impl Furnisher<'_> {
    /// The functions of these stages, in a stack that may touch this application, and what it needs, and nothing else.
    pub(super) fn hooks(&self, application: &str, stages: &[Stage]) -> Vec<Function> {
        let stack = stack(&self.parameters(application));
        let hooks = stages.iter().map(|stage| self.hook(*stage, &stack));
        hooks.chain([self.report_failure(&stack)]).collect()
    }

    fn report_failure(&self, stack: &Stack) -> Function {
        let deployed = function(stack, REPORT_FAILURE);
        let retries = deployed["EventInvokeConfig"]["MaximumRetryAttempts"].as_u64();
        let timeout = deployed["Timeout"].as_u64().map(Duration::from_secs);
        Function {
            name: REPORT_FAILURE.to_owned(),
            version: LATEST.to_owned(),
            colour: None,
            command: vec![report_failure_binary(&self.here.hooks).display().to_string()],
            environment: BTreeMap::new(),
            timeout: timeout.expect("the template says how long it may take"),
            memory_mib: memory_mib(),
            pace: 1.0,
            access_key: format!("ASIAREHEARSAL{}", hex(7).to_uppercase()),
            role: Some(role(stack, deployed)),
            max_retries: retries.and_then(|count| u32::try_from(count).ok()).expect("the template says how often"),
            killed_after: None,
            told_left_ms: None,
            on_failure: None,
            subscription: None,
        }
    }

    fn parameters(&self, application: &str) -> BTreeMap<&'static str, Value> {
        let arn = |service: &str, resource: String| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}");
        let secret = |name: &str| arn("secretsmanager", format!("secret:{name}"));
        let migrator = match &self.here.database {
            Some(_) => secret(&format!("{}-??????", self.database_secret(application))),
            None => String::new(),
        };
        // Whoever installs the suite lists what the plans of all applications use.
        let mut for_requests = vec![secret(&format!("{application}/*"))];
        let others = self.loaded.scenario.secrets.keys().filter(|name| !name.starts_with(&format!("{application}/")));
        for_requests.extend(others.map(|name| secret(&format!("{name}-??????"))));
        let migrations = self.service.migrations_in_s3.as_ref().map_or("", |in_s3| &in_s3.value.bucket);
        let iam_user = self.here.database.as_ref().and_then(|login| login.iam_user.as_ref());
        let database = self.service.database_identifier.as_deref().unwrap_or(application);
        let iam_user = iam_user.map(|user| format!("{}/{user}", resource_id(database))).unwrap_or_default();
        BTreeMap::from([
            ("Application", json!(application)),
            ("Cluster", json!(self.service.cluster)),
            ("Database", json!(database)),
            ("DatabaseSecret", json!(migrator)),
            ("DatabaseUser", json!(iam_user)),
            ("FunctionsToInvoke", json!(arn("lambda", format!("function:{application}:*")))),
            ("LogGroup", json!(log_group(application))),
            ("MigrationsBucket", json!(migrations)),
            ("MigrationTaskRoles", json!(task_roles(application).join(","))),
            ("RequestSecrets", json!(for_requests.join(","))),
            ("RevisionBucket", json!(BUCKET)),
        ])
    }

    fn hook(&self, stage: Stage, stack: &Stack) -> Function {
        let spec = self.loaded.scenario.hooks.iter().find(|(event, _)| event.stage() == stage);
        let spec = spec.map(|(_, spec)| spec.clone()).unwrap_or_default();
        let mut environment = BTreeMap::new();
        if stage == Stage::BeforeAllowTraffic && self.plan.migrates {
            let place = match &self.service.migrations_in_s3 {
                Some(in_s3) => in_s3.value.to_string(),
                None => migrations(self.loaded, &self.here.sample_migrations).display().to_string(),
            };
            environment.insert("GREENLIGHT_MIGRATIONS".to_owned(), place);
        }
        if let Some(login) = &self.here.database {
            environment.insert("GREENLIGHT_DATABASE_CA_BUNDLE".to_owned(), login.authority.display().to_string());
        }
        if let Some(https) = &self.here.https {
            environment.insert("GREENLIGHT_CA_BUNDLE".to_owned(), https.roots.display().to_string());
        }
        environment.extend(spec.environment);
        let name = function_name(stage);
        let deployed = function(stack, &name);
        // Another program than greenlight's is a function of the user's own, with a role of its own.
        let own = spec.command.is_none();
        let (command, role) = match spec.command {
            Some(command) => (self.bootstrap(&command), None),
            None => (vec![hook_binary(&self.here.hooks, stage).display().to_string()], Some(role(stack, deployed))),
        };
        let (on_failure, subscription) = if own { told(stack, &name) } else { (None, None) };
        Function {
            name,
            version: LATEST.to_owned(),
            colour: None,
            command,
            environment,
            timeout: spec.timeout.map_or(HOOK_TIMEOUT, greenlight::units::Span::duration),
            memory_mib: spec.memory.unwrap_or_else(memory_mib),
            pace: if stage == Stage::AfterAllowTraffic { self.plan.pace } else { 1.0 },
            access_key: format!("ASIAREHEARSAL{}", hex(7).to_uppercase()),
            role,
            max_retries: 0,
            killed_after: spec.killed_after.map(greenlight::units::Span::duration),
            told_left_ms: None,
            on_failure,
            subscription,
        }
    }

    /// A function knows no working folder of ours: its command is meant relative to the scenario.
    pub(super) fn bootstrap(&self, command: &str) -> Vec<String> {
        vec![
            "sh".to_owned(),
            "-c".to_owned(),
            format!("cd \"$1\" || exit; {}", for_shell(command)),
            "bootstrap".to_owned(),
            self.loaded.folder.display().to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_that_ships_is_understood_with_nothing_but_its_defaults() {
        let stack = stack(&BTreeMap::new());
        for stage in Stage::ALL {
            let role = role(&stack, function(&stack, &function_name(stage)));
            assert!(role.granted().contains("codedeploy:PutLifecycleEventHookExecutionStatus"), "{stage}");
        }
        assert!(memory_mib() >= 128);
        for stage in Stage::ALL {
            let (on_failure, subscription) = told(&stack, &function_name(stage));
            assert!(on_failure.is_some() && subscription.is_some(), "nobody is told when {stage}'s hook dies");
        }
    }
}
