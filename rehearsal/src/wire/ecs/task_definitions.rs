//! Task definitions. What a client registers beyond what the world runs is kept as it was given and told again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{invalid, page, short_name};
use crate::wire::context::{Context, Time};
use crate::wire::refusal::Refusal;
use crate::world::services::{Container, TaskDefinition};
use crate::world::{ACCOUNT, REGION, State};

/// Members of a registration that come back as they were given.
const KEPT: [&str; 15] = [
    "cpu",
    "enableFaultInjection",
    "ephemeralStorage",
    "executionRoleArn",
    "inferenceAccelerators",
    "ipcMode",
    "memory",
    "networkMode",
    "pidMode",
    "placementConstraints",
    "proxyConfiguration",
    "requiresCompatibilities",
    "runtimePlatform",
    "taskRoleArn",
    "volumes",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneDefinition {
    task_definition: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DefinitionDescription {
    task_definition: DefinitionOut,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribedDefinition {
    task_definition: DefinitionOut,
    tags: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefinitionOut {
    task_definition_arn: String,
    container_definitions: Vec<Value>,
    family: String,
    revision: u32,
    status: &'static str,
    compatibilities: [&'static str; 2],
    registered_at: Time,
    registered_by: String,
    #[serde(flatten)]
    kept: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Register {
    family: Option<String>,
    container_definitions: Option<Vec<Map<String, Value>>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListDefinitions {
    family_prefix: Option<String>,
    status: Option<String>,
    sort: Option<String>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DefinitionList {
    task_definition_arns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) fn describe(context: &Context<'_>, input: OneDefinition) -> Result<DescribedDefinition, Refusal> {
    context.world.read(|state| {
        let definition = find(state, input.task_definition.as_deref())?;
        Ok(DescribedDefinition { task_definition: told(context, state, definition), tags: Vec::new() })
    })
}

pub(super) fn list(context: &Context<'_>, input: ListDefinitions) -> Result<DefinitionList, Refusal> {
    let active = match input.status.as_deref() {
        None | Some("ACTIVE") => Some(true),
        Some("INACTIVE") => Some(false),
        Some("DELETE_IN_PROGRESS") => None,
        Some(_) => return Err(invalid("status must be one of ACTIVE, INACTIVE, DELETE_IN_PROGRESS")),
    };
    let all = context.world.read(|state| {
        let of_family = |it: &&TaskDefinition| input.family_prefix.as_ref().is_none_or(|family| it.family == *family);
        let mut found: Vec<&TaskDefinition> =
            state.task_definitions.iter().filter(of_family).filter(|it| Some(it.active) == active).collect();
        found.sort_by(|a, b| (&a.family, a.revision).cmp(&(&b.family, b.revision)));
        if input.sort.as_deref() == Some("DESC") {
            found.reverse();
        }
        found.into_iter().map(TaskDefinition::arn).collect()
    });
    let (task_definition_arns, next_token) = page(context, all, input.next_token.as_deref(), input.max_results, 100)?;
    Ok(DefinitionList { task_definition_arns, next_token })
}

pub(super) fn register(context: &Context<'_>, input: Register) -> Result<DefinitionDescription, Refusal> {
    let family =
        input.family.filter(|it| !it.is_empty()).ok_or_else(|| client("Family should not be null or empty."))?;
    let given = input.container_definitions.filter(|it| !it.is_empty());
    let given = given.ok_or_else(|| client("Container definitions should not be null or empty."))?;
    let containers = given.iter().map(container).collect::<Result<Vec<_>, _>>()?;
    let mut document = input.rest;
    document.retain(|name, _| KEPT.contains(&name.as_str()));
    document.insert("containerDefinitions".to_owned(), given.into());
    let now = context.world.now();
    context.world.update(|state| {
        let revisions = state.task_definitions.iter().filter(|it| it.family == family).map(|it| it.revision);
        let revision = revisions.max().unwrap_or(0) + 1;
        let definition = TaskDefinition { family, revision, active: true, registered_at: now, containers };
        state.stores.task_definitions.insert(definition.arn(), document);
        let answer = DefinitionDescription { task_definition: told(context, state, &definition) };
        state.task_definitions.push(definition);
        Ok(answer)
    })
}

pub(super) fn deregister(context: &Context<'_>, input: OneDefinition) -> Result<DefinitionDescription, Refusal> {
    let name = input.task_definition.unwrap_or_default();
    if !short_name(&name).contains(':') {
        return Err(client("Task definition must have a revision."));
    }
    context.world.update(|state| {
        let arn = find(state, Some(&name))?.arn();
        let definition = state.task_definitions.iter_mut().find(|it| it.arn() == arn).expect("it was found above");
        definition.active = false;
        Ok(DefinitionDescription { task_definition: told(context, state, find(state, Some(&name))?) })
    })
}

fn find<'a>(state: &'a State, name: Option<&str>) -> Result<&'a TaskDefinition, Refusal> {
    state.task_definition(name.unwrap_or_default()).ok_or_else(|| client("Unable to describe task definition."))
}

fn told(context: &Context<'_>, state: &State, definition: &TaskDefinition) -> DefinitionOut {
    let mut kept: BTreeMap<String, Value> = [
        ("networkMode", json!("awsvpc")),
        ("requiresCompatibilities", json!(["FARGATE"])),
        ("cpu", json!("256")),
        ("memory", json!("512")),
        ("volumes", json!([])),
        ("placementConstraints", json!([])),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let document = state.stores.task_definitions.get(&definition.arn());
    kept.extend(document.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    let given = kept.remove("containerDefinitions");
    let given = given.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let containers = definition.containers.iter().enumerate();
    DefinitionOut {
        task_definition_arn: definition.arn(),
        container_definitions: containers.map(|(place, it)| container_out(it, given.get(place))).collect(),
        family: definition.family.clone(),
        revision: definition.revision,
        status: if definition.active { "ACTIVE" } else { "INACTIVE" },
        compatibilities: ["EC2", "FARGATE"],
        registered_at: context.time(definition.registered_at),
        registered_by: format!("arn:aws:iam::{ACCOUNT}:user/rehearsal"),
        kept,
    }
}

/// The container as it was given, over what AWS fills in.
fn container_out(container: &Container, given: Option<&Value>) -> Value {
    let environment: Vec<Value> =
        container.environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let mut out = json!({
        "name": container.name,
        "image": container.image,
        "cpu": 0,
        "essential": true,
        "environment": environment,
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
        "portMappings": [],
    });
    if container.port != 0 {
        out["portMappings"] =
            json!([{ "containerPort": container.port, "hostPort": container.port, "protocol": "tcp" }]);
    }
    if !container.entry_point.is_empty() {
        out["entryPoint"] = json!(container.entry_point);
    }
    if !container.command.is_empty() {
        out["command"] = json!(container.command);
    }
    if !container.labels.is_empty() {
        out["dockerLabels"] = json!(container.labels);
    }
    if !container.secrets.is_empty() {
        let secret = |(name, from): (&String, &String)| json!({ "name": name, "valueFrom": from });
        out["secrets"] = container.secrets.iter().map(secret).collect();
    }
    if let Some((group, prefix)) = &container.log {
        let options = json!({ "awslogs-group": group, "awslogs-region": REGION, "awslogs-stream-prefix": prefix });
        out["logConfiguration"] = json!({ "logDriver": "awslogs", "options": options });
    }
    for (name, value) in given.and_then(Value::as_object).into_iter().flatten() {
        if name != "portMappings" {
            out[name] = value.clone();
        }
    }
    out
}

/// What the world runs of a container.
fn container(given: &Map<String, Value>) -> Result<Container, Refusal> {
    let text = |name: &str| given.get(name).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").ok_or_else(|| client("Container.name should not be null or empty."))?;
    let image = text("image").ok_or_else(|| client("Container.image should not be null or empty."))?;
    let ports = given.get("portMappings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if ports.len() > 1 {
        return Err(Refusal::not_implemented("ecs:RegisterTaskDefinition with several ports of one container"));
    }
    let port = ports.first().and_then(|port| port.get("containerPort")).and_then(Value::as_u64);
    let pairs = given.get("environment").and_then(Value::as_array).into_iter().flatten();
    let labels = given.get("dockerLabels").and_then(Value::as_object).into_iter().flatten();
    let words = |name: &str| -> Vec<String> {
        let words = given.get(name).and_then(Value::as_array).into_iter().flatten();
        words.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let log = given.get("logConfiguration").filter(|log| log["logDriver"] == "awslogs").and_then(|log| {
        let option = |name: &str| log["options"].get(name)?.as_str().map(str::to_owned);
        Some((option("awslogs-group")?, option("awslogs-stream-prefix")?))
    });
    let secrets = given.get("secrets").and_then(Value::as_array).into_iter().flatten();
    Ok(Container {
        name,
        log,
        secrets: secrets
            .filter_map(|it| Some((it.get("name")?.as_str()?.to_owned(), it.get("valueFrom")?.as_str()?.to_owned())))
            .collect(),
        image,
        port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
        entry_point: words("entryPoint"),
        command: words("command"),
        wrapper: Vec::new(),
        environment: pairs
            .filter_map(|pair| Some((pair.get("name")?.as_str()?.to_owned(), pair.get("value")?.as_str()?.to_owned())))
            .collect(),
        labels: labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect(),
    })
}

fn client(message: &str) -> Refusal {
    Refusal::new("ClientException", message)
}
