//! Deployment configurations.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::existing_config;
use super::{OnlyToken, page};
use crate::wire::context::{Context, required, stable_uuid};
use crate::wire::refusal::Refusal;
use crate::world::deployments::{DeploymentConfig, Platform, Routing};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetConfig {
    deployment_config_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GotConfig {
    deployment_config_info: ConfigInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigInfo {
    deployment_config_id: String,
    deployment_config_name: String,
    compute_platform: &'static str,
    traffic_routing_config: RoutingConfig,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct RoutingConfig {
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_based_canary: Option<Canary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_based_linear: Option<Linear>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Canary {
    canary_percentage: u32,
    canary_interval: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Linear {
    linear_percentage: u32,
    linear_interval: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateConfig {
    deployment_config_name: Option<String>,
    traffic_routing_config: Option<RoutingConfig>,
    compute_platform: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreatedConfig {
    deployment_config_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigList {
    deployment_configs_list: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) fn get(context: &Context<'_>, input: GetConfig) -> Result<GotConfig, Refusal> {
    let name = config_name(input.deployment_config_name)?;
    context.world.read(|state| {
        existing_config(state, &name)?;
        let config = state.codedeploy.config(&name).expect("it exists");
        Ok(GotConfig {
            deployment_config_info: ConfigInfo {
                deployment_config_id: id(&config.name),
                deployment_config_name: config.name.clone(),
                compute_platform: config.platform.name(),
                traffic_routing_config: RoutingConfig::of(config.routing),
            },
        })
    })
}

pub(super) fn list(context: &Context<'_>, input: OnlyToken) -> Result<ConfigList, Refusal> {
    let all = context.world.read(|state| state.codedeploy.configs.iter().map(|it| it.name.clone()).collect());
    let (deployment_configs_list, next_token) = page(context, all, input.next_token.as_deref())?;
    Ok(ConfigList { deployment_configs_list, next_token })
}

pub(super) fn create(context: &Context<'_>, input: CreateConfig) -> Result<CreatedConfig, Refusal> {
    let name = config_name(input.deployment_config_name)?;
    if name.starts_with("CodeDeployDefault") || name.len() > 100 {
        return Err(Refusal::new(
            "InvalidDeploymentConfigNameException",
            "A deployment configuration's name has at most 100 characters and does not begin with CodeDeployDefault",
        ));
    }
    let platform = match input.compute_platform.as_deref() {
        Some("ECS") => Platform::Ecs,
        Some("Lambda") => Platform::Lambda,
        None | Some("Server") => {
            return Err(Refusal::not_implemented("codedeploy:CreateDeploymentConfig for servers"));
        }
        Some(other) => {
            return Err(Refusal::new(
                "InvalidComputePlatformException",
                format!("{other} is not one of Server, Lambda, ECS"),
            ));
        }
    };
    let routing = input.traffic_routing_config.as_ref().map_or(Ok(Routing::AllAtOnce), RoutingConfig::routing)?;
    context.world.update(|state| {
        if state.codedeploy.config(&name).is_some() {
            return Err(Refusal::new(
                "DeploymentConfigAlreadyExistsException",
                format!("Deployment Configuration already exists for name: {name}"),
            ));
        }
        state.codedeploy.configs.push(DeploymentConfig { name: name.clone(), platform, routing });
        Ok(CreatedConfig { deployment_config_id: id(&name) })
    })
}

impl RoutingConfig {
    fn of(routing: Routing) -> Self {
        let minutes = |interval: Duration| interval.as_secs() / 60;
        let (kind, canary, linear) = match routing {
            Routing::AllAtOnce => ("AllAtOnce", None, None),
            Routing::Canary { percent, interval } => (
                "TimeBasedCanary",
                Some(Canary { canary_percentage: percent, canary_interval: minutes(interval) }),
                None,
            ),
            Routing::Linear { percent, interval } => (
                "TimeBasedLinear",
                None,
                Some(Linear { linear_percentage: percent, linear_interval: minutes(interval) }),
            ),
        };
        Self { r#type: kind.to_owned(), time_based_canary: canary, time_based_linear: linear }
    }

    fn routing(&self) -> Result<Routing, Refusal> {
        let invalid = |message: &str| Refusal::new("InvalidTrafficRoutingConfigurationException", message);
        let (percent, minutes, make): (u32, u64, fn(u32, Duration) -> Routing) = match self.r#type.as_str() {
            "AllAtOnce" => return Ok(Routing::AllAtOnce),
            "TimeBasedCanary" => {
                let canary = self.time_based_canary.as_ref().ok_or_else(|| invalid("timeBasedCanary is required"))?;
                (canary.canary_percentage, canary.canary_interval, |percent, interval| Routing::Canary {
                    percent,
                    interval,
                })
            }
            "TimeBasedLinear" => {
                let linear = self.time_based_linear.as_ref().ok_or_else(|| invalid("timeBasedLinear is required"))?;
                (linear.linear_percentage, linear.linear_interval, |percent, interval| Routing::Linear {
                    percent,
                    interval,
                })
            }
            _ => return Err(invalid("type is not one of TimeBasedCanary, TimeBasedLinear, AllAtOnce")),
        };
        if !(1..=99).contains(&percent) {
            return Err(invalid("The percentage must be between 1 and 99"));
        }
        if minutes == 0 {
            return Err(invalid("The interval must be at least one minute"));
        }
        Ok(make(percent, Duration::from_secs(minutes * 60)))
    }
}

fn config_name(name: Option<String>) -> Result<String, Refusal> {
    required(name, || Refusal::new("DeploymentConfigNameRequiredException", "Deployment configuration name is missing"))
}

fn id(name: &str) -> String {
    stable_uuid(&format!("deployment configuration {name}"))
}
