//! SSM's Parameter Store: parameters of type `String`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::context::{Context, Operation, Time, required};
use super::refusal::Refusal;
use crate::world::stores::Parameter;
use crate::world::{ACCOUNT, REGION};

/// What is implemented.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("DescribeParameters", |context, input| context.run(input, describe_parameters)),
    ("GetParameter", |context, input| context.run(input, get_parameter)),
    ("GetParameters", |context, input| context.run(input, get_parameters)),
    ("PutParameter", |context, input| context.run(input, put_parameter)),
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetParameter {
    name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GotParameter {
    parameter: ParameterOut,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetParameters {
    names: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GotParameters {
    parameters: Vec<ParameterOut>,
    invalid_parameters: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ParameterOut {
    name: String,
    r#type: &'static str,
    value: String,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<String>,
    last_modified_date: Time,
    #[serde(rename = "ARN")]
    arn: String,
    data_type: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeParameters {
    parameter_filters: Option<Vec<Filter>>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: String,
    option: Option<String>,
    values: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedParameters {
    parameters: Vec<MetadataOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetadataOut {
    name: String,
    #[serde(rename = "ARN")]
    arn: String,
    r#type: &'static str,
    last_modified_date: Time,
    version: u64,
    tier: &'static str,
    data_type: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutParameter {
    name: Option<String>,
    value: Option<String>,
    r#type: Option<String>,
    overwrite: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutDone {
    version: u64,
    tier: &'static str,
}

fn get_parameter(context: &Context<'_>, input: GetParameter) -> Result<GotParameter, Refusal> {
    let name = required(input.name, || invalid("name", "Member must not be null"))?;
    Ok(GotParameter { parameter: find(context, &name)? })
}

fn get_parameters(context: &Context<'_>, input: GetParameters) -> Result<GotParameters, Refusal> {
    let names = input.names.unwrap_or_default();
    if names.is_empty() || names.len() > 10 {
        return Err(invalid("names", "Member must have length between 1 and 10"));
    }
    let mut answer = GotParameters { parameters: Vec::new(), invalid_parameters: Vec::new() };
    for name in names {
        match find(context, &name) {
            Ok(parameter) => answer.parameters.push(parameter),
            Err(_) => answer.invalid_parameters.push(name),
        }
    }
    Ok(answer)
}

/// Without values, as AWS does it. Filtered by name only.
fn describe_parameters(context: &Context<'_>, input: DescribeParameters) -> Result<DescribedParameters, Refusal> {
    let mut wanted: Option<Vec<String>> = None;
    for filter in input.parameter_filters.unwrap_or_default() {
        match (filter.key.as_str(), filter.option.as_deref()) {
            ("Name", None | Some("Equals")) => wanted = Some(filter.values.unwrap_or_default()),
            (key, option) => {
                let option = option.unwrap_or("Equals");
                return Err(Refusal::not_implemented(&format!("ssm:DescribeParameters filtered by {key} {option}")));
            }
        }
    }
    let is_wanted = |name: &&String| wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
    let names: Vec<String> =
        context.world.read(|state| state.stores.parameters.keys().filter(is_wanted).cloned().collect());
    let found = names.iter().filter_map(|name| find(context, name).ok()).collect::<Vec<_>>();
    let (page, next_token) = context
        .page(found, input.next_token.as_deref(), input.max_results, 50)
        .ok_or_else(|| Refusal::new("InvalidNextToken", "The specified token is not valid."))?;
    let parameters = page.into_iter().map(|found| MetadataOut {
        name: found.name,
        arn: found.arn,
        r#type: found.r#type,
        last_modified_date: found.last_modified_date,
        version: found.version,
        tier: "Standard",
        data_type: found.data_type,
    });
    Ok(DescribedParameters { parameters: parameters.collect(), next_token })
}

fn put_parameter(context: &Context<'_>, input: PutParameter) -> Result<PutDone, Refusal> {
    let name = required(input.name, || invalid("name", "Member must not be null"))?;
    let value = required(input.value, || invalid("value", "Member must not be null"))?;
    match input.r#type.as_deref() {
        None | Some("String") => {}
        Some(kind @ ("StringList" | "SecureString")) => {
            return Err(Refusal::not_implemented(&format!("ssm:PutParameter with Type {kind}")));
        }
        Some(other) => {
            return Err(invalid("type", &format!("{other} is not one of [SecureString, StringList, String]")));
        }
    }
    let now = context.world.now();
    let version =
        context.world.update(|state| write(&mut state.stores.parameters, &name, value, input.overwrite, now))?;
    Ok(PutDone { version, tier: "Standard" })
}

fn write(
    parameters: &mut std::collections::BTreeMap<String, Parameter>,
    name: &str,
    value: String,
    overwrite: Option<bool>,
    now: Timestamp,
) -> Result<u64, Refusal> {
    let version = match parameters.get(name) {
        Some(_) if overwrite != Some(true) => {
            return Err(Refusal::new(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
            ));
        }
        Some(parameter) => parameter.version + 1,
        None => 1,
    };
    parameters.insert(name.to_owned(), Parameter { value, version, modified_at: now });
    Ok(version)
}

/// By name or ARN, with a version behind a colon where one is wanted.
fn find(context: &Context<'_>, wanted: &str) -> Result<ParameterOut, Refusal> {
    let own_arns = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter");
    let name = wanted.strip_prefix(&own_arns).unwrap_or(wanted);
    let (name, selector) = match name.split_once(':') {
        Some((name, selector)) => (name, Some(selector)),
        None => (name, None),
    };
    let not_found = || Refusal::new("ParameterNotFound", format!("Parameter {wanted} not found."));
    context.world.read(|state| {
        // An ARN has no slash of its own before the name of a parameter that has none.
        let (name, parameter) = [name, name.trim_start_matches('/')]
            .iter()
            .find_map(|name| state.stores.parameters.get_key_value(*name))
            .ok_or_else(not_found)?;
        if selector.is_some_and(|selector| selector != parameter.version.to_string()) {
            return Err(Refusal::new(
                "ParameterVersionNotFound",
                format!("Systems Manager could not find version {} of {name}.", selector.unwrap_or_default()),
            ));
        }
        Ok(ParameterOut {
            arn: format!("{own_arns}/{}", name.trim_start_matches('/')),
            name: name.clone(),
            r#type: "String",
            value: parameter.value.clone(),
            version: parameter.version,
            selector: selector.map(|selector| format!(":{selector}")),
            last_modified_date: context.time(parameter.modified_at),
            data_type: "text",
        })
    })
}

fn invalid(member: &str, rule: &str) -> Refusal {
    Refusal::new(
        "ValidationException",
        format!("1 validation error detected: Value at '{member}' failed to satisfy constraint: {rule}"),
    )
}
