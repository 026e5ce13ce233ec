//! AWS: the only place that knows its SDK. Every call gives greenlight's own words, or a [`CannotTell`] that says what
//! was asked, of which object, and what to do.
//!
//! [`CannotTell`]: crate::check::CannotTell

mod alarms;
mod answer;
mod buckets;
mod codedeploy;
mod connection;
mod discovery;
mod ecr;
mod ecs;
mod failure;
mod functions;
mod listeners;
mod load_balancing;
mod logs;
mod metrics;
mod native;
mod objects;
mod one_off;
mod parameters;
mod rds;
mod recent;
mod revisions;
mod secrets;

use std::sync::OnceLock;

use aws_types::SdkConfig;
use aws_types::region::Region;

pub use self::connection::ConnectionError;
use self::recent::Recent;
use crate::deployment::{Alias, Listener, LoadBalancer, Service};
use crate::discovery::Candidate;
use crate::ports::{AlarmState, Task, TaskDefinition};
use crate::settings::Settings;

/// Every client, each built when it is first used; connections are kept between invocations.
#[derive(Debug)]
pub struct Aws {
    config: SdkConfig,
    cloudwatch: OnceLock<aws_sdk_cloudwatch::Client>,
    codedeploy: OnceLock<aws_sdk_codedeploy::Client>,
    ecr: OnceLock<aws_sdk_ecr::Client>,
    ecs: OnceLock<aws_sdk_ecs::Client>,
    lambda: OnceLock<aws_sdk_lambda::Client>,
    load_balancing: OnceLock<aws_sdk_elasticloadbalancingv2::Client>,
    logs: OnceLock<aws_sdk_cloudwatchlogs::Client>,
    rds: OnceLock<aws_sdk_rds::Client>,
    secrets_manager: OnceLock<aws_sdk_secretsmanager::Client>,
    ssm: OnceLock<aws_sdk_ssm::Client>,
    services: Recent<(Service, Vec<Candidate>)>,
    task_definitions: Recent<Option<TaskDefinition>>,
    tasks: Recent<Vec<Task>>,
    listeners: Recent<Listener>,
    load_balancers: Recent<LoadBalancer>,
    alarms: Recent<Vec<AlarmState>>,
    aliases: Recent<Alias>,
}

impl Aws {
    /// As the function's role, in the function's Region. Nothing is contacted yet.
    pub fn new(settings: &Settings) -> Result<Self, ConnectionError> {
        Ok(Self {
            config: connection::config(settings)?,
            cloudwatch: OnceLock::new(),
            codedeploy: OnceLock::new(),
            ecr: OnceLock::new(),
            ecs: OnceLock::new(),
            lambda: OnceLock::new(),
            load_balancing: OnceLock::new(),
            logs: OnceLock::new(),
            rds: OnceLock::new(),
            secrets_manager: OnceLock::new(),
            ssm: OnceLock::new(),
            services: Recent::default(),
            task_definitions: Recent::default(),
            tasks: Recent::default(),
            listeners: Recent::default(),
            load_balancers: Recent::default(),
            alarms: Recent::default(),
            aliases: Recent::default(),
        })
    }

    /// Forgets what an earlier invocation was told. Lambda freezes the process between two, its clock too perhaps, so that
    /// an answer that is long wrong would still look fresh.
    fn forget_answers(&self) {
        self.services.forget();
        self.task_definitions.forget();
        self.tasks.forget();
        self.listeners.forget();
        self.load_balancers.forget();
        self.alarms.forget();
        self.aliases.forget();
    }

    fn cloudwatch(&self) -> &aws_sdk_cloudwatch::Client {
        self.cloudwatch.get_or_init(|| aws_sdk_cloudwatch::Client::new(&self.config))
    }

    fn codedeploy(&self) -> &aws_sdk_codedeploy::Client {
        self.codedeploy.get_or_init(|| aws_sdk_codedeploy::Client::new(&self.config))
    }

    /// The client of this Region.
    fn ecr(&self, region: &str) -> aws_sdk_ecr::Client {
        match self.abroad(Some(region)) {
            Some(config) => aws_sdk_ecr::Client::new(&config),
            None => self.ecr.get_or_init(|| aws_sdk_ecr::Client::new(&self.config)).clone(),
        }
    }

    fn ecs(&self) -> &aws_sdk_ecs::Client {
        self.ecs.get_or_init(|| aws_sdk_ecs::Client::new(&self.config))
    }

    fn lambda(&self) -> &aws_sdk_lambda::Client {
        self.lambda.get_or_init(|| aws_sdk_lambda::Client::new(&self.config))
    }

    fn load_balancing(&self) -> &aws_sdk_elasticloadbalancingv2::Client {
        self.load_balancing.get_or_init(|| aws_sdk_elasticloadbalancingv2::Client::new(&self.config))
    }

    /// The client of this Region, the function's own when `None`.
    fn logs(&self, region: Option<&str>) -> aws_sdk_cloudwatchlogs::Client {
        match self.abroad(region) {
            Some(config) => aws_sdk_cloudwatchlogs::Client::new(&config),
            None => self.logs.get_or_init(|| aws_sdk_cloudwatchlogs::Client::new(&self.config)).clone(),
        }
    }

    fn rds(&self) -> &aws_sdk_rds::Client {
        self.rds.get_or_init(|| aws_sdk_rds::Client::new(&self.config))
    }

    /// The client of this Region, the function's own when `None`.
    fn secrets_manager(&self, region: Option<&str>) -> aws_sdk_secretsmanager::Client {
        match self.abroad(region) {
            Some(config) => aws_sdk_secretsmanager::Client::new(&config),
            None => self.secrets_manager.get_or_init(|| aws_sdk_secretsmanager::Client::new(&self.config)).clone(),
        }
    }

    /// The client of this Region, the function's own when `None`.
    fn ssm(&self, region: Option<&str>) -> aws_sdk_ssm::Client {
        match self.abroad(region) {
            Some(config) => aws_sdk_ssm::Client::new(&config),
            None => self.ssm.get_or_init(|| aws_sdk_ssm::Client::new(&self.config)).clone(),
        }
    }

    /// The configuration for another Region than the function's own.
    fn abroad(&self, region: Option<&str>) -> Option<SdkConfig> {
        let region = region.filter(|region| self.config.region().map(Region::as_ref) != Some(*region))?;
        Some(self.config.to_builder().region(Region::new(region.to_owned())).build())
    }
}
