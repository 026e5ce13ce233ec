//! Makes the world a scenario begins in: a service that has been running for a while, its load balancer, its
//! deployment group, its hooks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use greenlight::stage::Stage;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::codedeploy::api::NewRevision;
use crate::scenario::{Caller, DeploymentEngine, Loaded, ServiceSpec, Version, Zone};
use crate::served_plan::ServedPlan;
use crate::tasks::for_shell;
use crate::world::deployment_configuration::Controller;
use crate::world::deployments::{GroupTarget, ServiceTarget};
use crate::world::faults::Fault;
use crate::world::functions::Function;
use crate::world::load_balancer::{
    Action, Certificate, HealthCheck, Listener, ListenerRole, LoadBalancer, Rule, TargetGroup,
};
use crate::world::services::{Colour, Container, Service, TaskDefinition, TaskSet, TaskSetStatus};
use crate::world::{ACCOUNT, REGION, State, World};

mod alarms;
mod codedeploy;
mod function;
mod hooks;
mod native;
mod stores;

pub use self::codedeploy::app_spec_key;
pub use self::hooks::{REPORT_FAILURE, function_name, hook_binary, report_failure_binary};

/// Name of the container that the load balancer talks to.
const CONTAINER: &str = "app";
/// Its port, as AWS is told; the process gets a free one.
const CONTAINER_PORT: u16 = 8080;
/// The phase of requests that are sent before the first deployment.
pub const BEFORE: &str = "before";
/// Prefix of the log streams of its tasks.
const LOG_PREFIX: &str = "ecs";
/// Bucket for AppSpec files that are kept in S3.
pub const BUCKET: &str = "greenlight-rehearsal";

/// What the scenario does not say because it is a matter of this machine.
pub struct Surroundings {
    /// The folder with the hooks' binaries.
    pub hooks: PathBuf,
    /// The sample service.
    pub sample_service: PathBuf,
    /// The sample service's migrations.
    pub sample_migrations: PathBuf,
    /// The database, where the service has one.
    pub database: Option<DatabaseLogin>,
    /// What HTTPS listeners need, where there are any.
    pub https: Option<Https>,
    /// The applications that the functions' stack is for, as its parameters name them: one, or a beginning and `*`.
    pub applications: String,
}

/// What HTTPS listeners need.
#[derive(Clone)]
pub struct Https {
    /// The certificate of both listeners.
    pub certificate: Certificate,
    /// The file with the certificate of its authority.
    pub roots: PathBuf,
}

/// How to reach the database.
#[derive(Clone)]
pub struct DatabaseLogin {
    /// What RDS calls it: `postgres`, `mariadb`.
    pub engine: &'static str,
    /// Version of the server.
    pub version: &'static str,
    /// The scheme of its URLs.
    pub scheme: &'static str,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Port of its endpoint in RDS: another one where a gate stands before it.
    pub endpoint_port: u16,
    /// Who logs in there by IAM authentication.
    pub iam_user: Option<String>,
    /// Database.
    pub name: String,
    /// User.
    pub user: String,
    /// Password.
    pub password: String,
    /// The file with the authority of its certificate.
    pub authority: PathBuf,
}

/// What a deployment of this scenario is created with.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Whoever carries it out, and what it is told.
    pub versions: Versions,
    /// Where users come in.
    pub production: Production,
}

/// What is deployed: green, and blue for a rollback by hand.
#[derive(Clone, Debug)]
pub enum Versions {
    /// By CodeDeploy.
    CodeDeploy {
        /// Application.
        application: String,
        /// Deployment group.
        group: String,
        /// The revision with green.
        green: NewRevision,
        /// The revision with blue.
        blue: NewRevision,
    },
    /// By ECS itself.
    Ecs {
        /// Cluster.
        cluster: String,
        /// Service.
        service: String,
        /// Green's task definition.
        green: String,
        /// Blue's.
        blue: String,
    },
}

/// Where users come in.
#[derive(Clone, Debug)]
pub enum Production {
    /// At this listener: its ARN.
    Listener(String),
    /// At the alias of a function.
    Alias {
        /// Name of the function.
        function: String,
        /// Name of the alias.
        alias: String,
    },
}

/// Fills the world. Nothing runs yet.
pub fn furnish(world: &World, loaded: &Loaded, plan: &ServedPlan, here: &Surroundings) -> Prepared {
    let now = world.now();
    let told_now = world.clock.to_client(now);
    world.logs.create_group(&log_group(&loaded.scenario.service.name));
    let prepared = world.update(|state| {
        let furnisher = Furnisher { loaded, plan, here, now, told_now, service: &loaded.scenario.service };
        match &loaded.scenario.function {
            None => furnisher.furnish(state),
            Some(function) => furnisher.furnish_function(state, &function.value),
        }
    });
    // The stack has made them.
    let groups = world.read(|state| state.functions.iter().map(Function::log_group).collect::<Vec<_>>());
    groups.iter().for_each(|group| world.logs.create_group(group));
    prepared
}

/// Adds another service with an application of its own, for which the functions that are there work, too.
pub fn furnish_beside(world: &World, loaded: &Loaded, plan: &ServedPlan, here: &Surroundings) -> Prepared {
    let now = world.now();
    let told_now = world.clock.to_client(now);
    world.logs.create_group(&log_group(&loaded.scenario.service.name));
    let furnisher = Furnisher { loaded, plan, here, now, told_now, service: &loaded.scenario.service };
    world.update(|state| furnisher.furnish_service(state))
}

/// The folder of migrations of this scenario.
pub fn migrations(loaded: &Loaded, sample: &Path) -> PathBuf {
    let named = loaded.scenario.service.migrations.as_ref();
    named.map_or_else(|| sample.to_owned(), |folder| loaded.folder.join(&folder.value))
}

struct Furnisher<'a> {
    loaded: &'a Loaded,
    plan: &'a ServedPlan,
    here: &'a Surroundings,
    now: Timestamp,
    /// What a client's clock says now.
    told_now: Timestamp,
    service: &'a ServiceSpec,
}

impl Furnisher<'_> {
    fn furnish(&self, state: &mut State) -> Prepared {
        state.functions = self.hooks(&self.here.applications, &Stage::ALL);
        state.faults = self.faults();
        state.zone_without_room = self.service.zone_without_room.map(Zone::name);
        self.furnish_service(state)
    }

    fn furnish_service(&self, state: &mut State) -> Prepared {
        let name = self.service.name.clone();
        let balancer =
            LoadBalancer { name: name.clone(), id: hex(16), dns_name: "127.0.0.1".to_owned(), created_at: self.now };
        let groups = [self.target_group(&balancer, 1), self.target_group(&balancer, 2)];
        let certificate = self.here.https.as_ref().map(|https| https.certificate.clone());
        let listener =
            |role| Listener { certificate: certificate.clone(), ..listener(&balancer, role, &groups[0].arn) };
        let mut production = listener(ListenerRole::Production);
        let mut test = self.loaded.scenario.deployment.test_listener.then(|| listener(ListenerRole::Test));
        let alarms = self.alarms(&balancer, &groups);
        let alarm_names: Vec<String> = alarms.iter().map(|alarm| alarm.name.clone()).collect();
        state.alarms.extend(alarms);
        let engine = self.loaded.scenario.engine;
        let controller = match engine {
            DeploymentEngine::CodeDeploy => Controller::CodeDeploy,
            DeploymentEngine::Ecs => {
                self.native_controller(&groups, &mut production, test.as_mut(), alarm_names.clone())
            }
        };
        let blue = self.task_definition(1, &self.loaded.scenario.blue);
        let mut green = self.task_definition(2, &self.loaded.scenario.green);
        if let Some(mutated) = &self.loaded.mutated {
            green = mutated.break_green(green, &blue, &self.loaded.scenario);
        }
        let (blue_arn, green_arn) = (blue.arn(), green.arn());
        for arn in [&blue_arn, &green_arn] {
            state.stores.task_definitions.insert(arn.clone(), self.roles());
        }
        state.services.push(self.service(&blue_arn, &groups[0].arn, controller));
        state.task_definitions.extend([blue, green]);
        state.load_balancers.push(balancer);
        let production_listener = production.arn.clone();
        let test_listener = test.as_ref().map(|listener| listener.arn.clone());
        state.listeners.push(production);
        state.listeners.extend(test);
        let group_names = groups.each_ref().map(|group| group.name.clone());
        state.target_groups.extend(groups);
        self.push_images(state);
        self.fill_stores(state);
        let production = Production::Listener(production_listener.clone());
        BEFORE.clone_into(&mut state.phase);
        if engine == DeploymentEngine::Ecs {
            return Prepared { versions: self.natively(state, blue_arn, green_arn), production };
        }
        let target = ServiceTarget {
            cluster: self.service.cluster.clone(),
            service: name.clone(),
            target_groups: group_names,
            production_listener,
            test_listener,
            termination_wait: self.loaded.scenario.deployment.kept(),
        };
        self.codedeploy(state, &name, GroupTarget::Service(target), alarm_names);
        let green = self.revision(state, &app_spec_key(&name, Colour::Green), self.app_spec(&green_arn));
        let blue = self.revision(state, &app_spec_key(&name, Colour::Blue), self.app_spec(&blue_arn));
        self.first_deployment(state, &name, &blue);
        Prepared { versions: Versions::CodeDeploy { application: name.clone(), group: name, green, blue }, production }
    }

    fn target_group(&self, balancer: &LoadBalancer, number: u32) -> TargetGroup {
        let check = &self.service.health_check;
        let name = format!("{}-{number}", self.service.name);
        TargetGroup {
            arn: format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/{name}/{}", hex(16)),
            name,
            load_balancer: balancer.arn(),
            port: CONTAINER_PORT,
            health_check: HealthCheck {
                path: check.path.clone(),
                interval: check.interval.duration(),
                timeout: check.timeout.value.duration(),
                healthy_threshold: check.healthy,
                unhealthy_threshold: check.unhealthy,
                matcher: check.matcher.clone(),
            },
            deregistration_delay: self.service.deregistration_delay.duration(),
            targets: Vec::new(),
        }
    }

    fn task_definition(&self, revision: u32, version: &Version) -> TaskDefinition {
        let mut environment = BTreeMap::from([
            ("VERSION".to_owned(), revision.to_string()),
            ("COLOUR".to_owned(), if revision == 1 { "blue" } else { "green" }.to_owned()),
        ]);
        if let Some(login) = &self.here.database {
            environment.insert(self.service.database_variable.clone(), login.url());
        }
        environment.extend(version.environment.clone());
        let command = version.command.as_ref().or(self.service.command.as_ref());
        // The sample service's image has an entry point; of a user's own nobody knows.
        let (entry_point, command) = match command {
            Some(command) => (Vec::new(), vec!["sh".to_owned(), "-c".to_owned(), for_shell(command)]),
            None => (vec![self.here.sample_service.display().to_string()], Vec::new()),
        };
        let labels = self.plan.text.iter().map(|text| ("greenlight.plan".to_owned(), text.clone())).collect();
        TaskDefinition {
            family: self.service.name.clone(),
            revision,
            active: true,
            registered_at: self.now,
            containers: vec![Container {
                name: CONTAINER.to_owned(),
                image: format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{}:{revision}", self.service.name),
                port: CONTAINER_PORT,
                entry_point,
                command,
                wrapper: Vec::new(),
                environment,
                labels,
                secrets: version.secrets.iter().map(|(name, from)| (name.clone(), from.value_from())).collect(),
                log: Some((log_group(&self.service.name), LOG_PREFIX.to_owned())),
            }],
        }
    }

    /// The roles of a task definition, as ECS tells them.
    fn roles(&self) -> Map<String, Value> {
        let [execution, task] = task_roles(&self.service.name).map(Value::from);
        Map::from_iter([("executionRoleArn".to_owned(), execution), ("taskRoleArn".to_owned(), task)])
    }

    fn service(&self, task_definition: &str, target_group: &str, controller: Controller) -> Service {
        let blue = TaskSet {
            id: format!("ecs-svc/{}", uuid::Uuid::new_v4().as_u128() % 10_u128.pow(19)),
            task_definition: task_definition.to_owned(),
            status: TaskSetStatus::Primary,
            desired: self.service.desired_count,
            target_group: target_group.to_owned(),
            external_id: None,
            created_at: self.now,
            steady: false,
            stability_at: self.now,
            colour: Colour::Blue,
        };
        Service {
            cluster: self.service.cluster.clone(),
            name: self.service.name.clone(),
            desired_count: self.service.desired_count,
            health_check_grace_period: self.service.health_check_grace_period.duration(),
            container_name: CONTAINER.to_owned(),
            container_port: CONTAINER_PORT,
            created_at: self.now,
            controller,
            task_sets: vec![blue],
        }
    }

    fn faults(&self) -> Vec<Fault> {
        let faults = self.loaded.scenario.faults.iter();
        faults
            .map(|fault| Fault {
                after: 0,
                caller: fault.by.map(Caller::function),
                operation: fault.operation.clone(),
                kind: fault.answer.kind(),
                times: fault.times,
            })
            .collect()
    }
}

impl DatabaseLogin {
    /// `postgres://user:password@host:port/name`, for tasks: they are rehearsed, their TLS is not.
    pub fn url(&self) -> String {
        let Self { scheme, user, password, host, port, name, .. } = self;
        let no_tls = if self.scheme == "postgres" { "?sslmode=disable" } else { "" };
        format!("{scheme}://{user}:{password}@{host}:{port}/{name}{no_tls}")
    }
}

fn listener(balancer: &LoadBalancer, role: ListenerRole, target_group: &str) -> Listener {
    let path = format!("app/{}/{}/{}", balancer.name, balancer.id, hex(16));
    let rule = Rule {
        arn: format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener-rule/{path}/{}", hex(16)),
        priority: None,
        conditions: Vec::new(),
        action: Action::Forward(vec![(target_group.to_owned(), 100)]),
    };
    Listener {
        arn: format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/{path}"),
        load_balancer: balancer.arn(),
        port: 0,
        role,
        certificate: None,
        rules: vec![rule],
    }
}

/// The execution role and the task role of a service.
fn task_roles(service: &str) -> [String; 2] {
    ["execution", "task"].map(|role| format!("arn:aws:iam::{ACCOUNT}:role/{service}-{role}"))
}

/// The log group of a service, as the ECS console names it.
fn log_group(service: &str) -> String {
    format!("/ecs/{service}")
}

fn hex(digits: usize) -> String {
    uuid::Uuid::new_v4().simple().to_string().chars().take(digits).collect()
}
