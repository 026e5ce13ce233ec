//! References and functions of a template.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::world::{ACCOUNT, REGION};

/// The name of every stack.
pub(super) const STACK_NAME: &str = "rehearsal";

/// How deep references and conditions may lead into each other: deeper ones lead back to themselves.
const MAX_DEPTH: u32 = 32;

/// How often they may at all: a name that has another one twice, which has another one twice, would never be worked out.
const MAX_STEPS: u32 = 100_000;

/// Bytes of a text at most that is put together.
const LONGEST: usize = 256 * 1024;

/// Works out values. `None` stands for `AWS::NoValue`: whatever has it is left out.
pub(super) struct Resolver<'t> {
    root: &'t Map<String, Value>,
    parameters: BTreeMap<&'t str, Value>,
    /// What other stacks export, by the end of its name.
    exports: &'t BTreeMap<String, Value>,
    depth: Cell<u32>,
    steps: Cell<u32>,
}

/// The properties in which resources are given names.
const NAMES: [&str; 9] = [
    "FunctionName",
    "LogGroupName",
    "QueueName",
    "AlarmName",
    "ServiceName",
    "ClusterName",
    "DeploymentConfigName",
    "ApplicationName",
    "Name",
];

/// What is wrong, in words.
type Resolved<T> = Result<T, String>;

impl<'t> Resolver<'t> {
    /// Or the parameter that has no value, and why.
    pub(super) fn new(
        root: &'t Map<String, Value>,
        given: &BTreeMap<&str, Value>,
        exports: &'t BTreeMap<String, Value>,
    ) -> Result<Self, (String, String)> {
        let mut parameters = BTreeMap::new();
        for (name, declared) in root.get("Parameters").and_then(Value::as_object).into_iter().flatten() {
            let value = given.get(name.as_str()).or_else(|| declared.get("Default"));
            let value = value
                .ok_or_else(|| (name.clone(), "the parameter has no default and was not given".to_owned()))?
                .clone();
            let is_list =
                declared["Type"].as_str().is_some_and(|it| it == "CommaDelimitedList" || it.starts_with("List<"));
            let value = match &value {
                Value::String(text) if is_list => text.split(',').map(str::trim).collect(),
                _ => value,
            };
            parameters.insert(name.as_str(), value);
        }
        Ok(Self { root, parameters, exports, depth: Cell::new(0), steps: Cell::new(0) })
    }

    /// Whether a condition of the template holds.
    pub(super) fn condition(&self, name: &str) -> Resolved<bool> {
        let condition = self.section("Conditions", name).ok_or_else(|| format!("there is no condition `{name}`"))?;
        self.deeper(name, || self.truth(condition))
    }

    /// Works out what something else refers to by this name.
    fn deeper<T>(&self, name: &str, work_out: impl FnOnce() -> Resolved<T>) -> Resolved<T> {
        if self.depth.get() == MAX_DEPTH {
            return Err(format!("`{name}` leads back to itself"));
        }
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS {
            return Err(format!("`{name}` is one name too many that others are made of"));
        }
        self.depth.set(self.depth.get() + 1);
        let worked_out = work_out();
        self.depth.set(self.depth.get() - 1);
        worked_out
    }

    /// The value without functions.
    pub(super) fn resolve(&self, value: &Value) -> Resolved<Option<Value>> {
        Ok(Some(match value {
            Value::Array(items) => {
                let items = items.iter().filter_map(|item| self.resolve(item).transpose());
                Value::Array(items.collect::<Resolved<_>>()?)
            }
            Value::Object(entries) => match function(entries) {
                Some((name, argument)) => return self.call(name, argument),
                None => {
                    let mut resolved = Map::new();
                    for (key, value) in entries {
                        if let Some(value) = self.resolve(value)? {
                            resolved.insert(key.clone(), value);
                        }
                    }
                    Value::Object(resolved)
                }
            },
            plain => plain.clone(),
        }))
    }

    fn call(&self, name: &str, argument: &Value) -> Resolved<Option<Value>> {
        Ok(Some(match name {
            "Ref" => return self.reference(text(argument)?),
            "Fn::GetAtt" => {
                let [resource, attribute] = self.list(argument)?;
                self.attribute(text(&resource)?, text(&attribute)?)?
            }
            "Fn::Sub" => match argument {
                Value::Array(_) => {
                    let [pattern, own] = self.list(argument)?;
                    self.substitute(text(&pattern)?, own.as_object())?.into()
                }
                pattern => self.substitute(text(pattern)?, None)?.into(),
            },
            "Fn::Join" => {
                let [between, items] = self.list(argument)?;
                let items = items.as_array().ok_or("Fn::Join joins a list")?;
                items.iter().map(shown).collect::<Vec<_>>().join(text(&between)?).into()
            }
            "Fn::Select" => {
                let [index, items] = self.list(argument)?;
                let index = shown(&index).parse::<usize>().map_err(|_| "Fn::Select needs a number")?;
                items.get(index).cloned().ok_or_else(|| format!("Fn::Select: there is no item {index}"))?
            }
            "Fn::Split" => {
                let [between, whole] = self.list(argument)?;
                text(&whole)?.split(text(&between)?).collect()
            }
            "Fn::If" => {
                let [condition, then, otherwise] = argument.as_array().map(Vec::as_slice).unwrap_or_default() else {
                    return Err("Fn::If takes a condition and two values".to_owned());
                };
                let chosen = if self.condition(text(condition)?)? { then } else { otherwise };
                return self.resolve(chosen);
            }
            "Fn::FindInMap" => {
                let [map, first, second] = self.list(argument)?;
                let found = self.section("Mappings", text(&map)?).map(|map| &map[text(&first).unwrap_or_default()]);
                let found = found.map(|map| &map[text(&second).unwrap_or_default()]).filter(|found| !found.is_null());
                found.cloned().ok_or_else(|| format!("Fn::FindInMap finds nothing at {first}, {second}"))?
            }
            "Fn::ImportValue" => self.import(self.resolve(argument)?.unwrap_or_default()),
            "Fn::GetAZs" => crate::world::ZONES.into_iter().collect(),
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" | "Condition" => {
                self.truth(&Value::Object(Map::from_iter([(name.to_owned(), argument.clone())])))?.into()
            }
            unknown => return Err(format!("the function {unknown} is not played")),
        }))
    }

    /// The arguments of a function, worked out; exactly so many.
    fn list<const N: usize>(&self, argument: &Value) -> Resolved<[Value; N]> {
        let items = self.resolve(argument)?.unwrap_or_default();
        let items = items.as_array().cloned().unwrap_or_default();
        items.try_into().map_err(|_| format!("{argument} must be a list of {N}"))
    }

    /// What another stack exports under this name; the name itself where that stack is not known.
    fn import(&self, name: Value) -> Value {
        let wanted = shown(&name);
        let found = self.exports.iter().filter(|(end, _)| wanted.ends_with(end.as_str()));
        found.max_by_key(|(end, _)| end.len()).map_or(name, |(_, value)| value.clone())
    }

    fn truth(&self, condition: &Value) -> Resolved<bool> {
        let entries = condition.as_object().ok_or("a condition is a function")?;
        let (name, argument) = function(entries).ok_or("a condition is a function")?;
        let items = || argument.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|it| self.truth(it));
        match name {
            "Condition" => self.condition(text(argument)?),
            "Fn::Equals" => {
                let [one, other] = self.list(argument)?;
                Ok(shown(&one) == shown(&other))
            }
            "Fn::Not" => Ok(!items().collect::<Resolved<Vec<_>>>()?.contains(&true)),
            "Fn::And" => Ok(!items().collect::<Resolved<Vec<_>>>()?.contains(&false)),
            "Fn::Or" => Ok(items().collect::<Resolved<Vec<_>>>()?.contains(&true)),
            unknown => Err(format!("{unknown} is no condition")),
        }
    }

    fn reference(&self, name: &str) -> Resolved<Option<Value>> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        let pseudo = match name {
            "AWS::AccountId" => Some(ACCOUNT),
            "AWS::Partition" => Some("aws"),
            "AWS::Region" => Some(REGION),
            "AWS::StackName" => Some(STACK_NAME),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            _ => None,
        };
        if let Some(pseudo) = pseudo {
            return Ok(Some(pseudo.into()));
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        Ok(Some(match self.kind(name)? {
            "AWS::IAM::ManagedPolicy" => self.attribute(name, "Arn")?,
            kind if kind.starts_with("AWS::ElasticLoadBalancingV2::") => self.attribute(name, "Arn")?,
            _ => self.physical(name)?.into(),
        }))
    }

    /// An ARN, where the rehearsal has a use for it; else a word that says what it would be.
    fn attribute(&self, name: &str, attribute: &str) -> Resolved<Value> {
        let kind = self.kind(name)?;
        let physical = self.physical(name)?;
        let arn = |rest: String| Ok(format!("arn:aws:{rest}").into());
        match (kind, attribute) {
            // Roles are found by their logical ids.
            ("AWS::IAM::Role", "Arn") => arn(format!("iam::{ACCOUNT}:role/{name}")),
            ("AWS::IAM::ManagedPolicy", "Arn") => arn(format!("iam::{ACCOUNT}:policy/{name}")),
            ("AWS::Logs::LogGroup", "Arn") => arn(format!("logs:{REGION}:{ACCOUNT}:log-group:{physical}:*")),
            ("AWS::Serverless::Function" | "AWS::Lambda::Function", "Arn") => {
                arn(format!("lambda:{REGION}:{ACCOUNT}:function:{physical}"))
            }
            ("AWS::SQS::Queue", "Arn") => arn(format!("sqs:{REGION}:{ACCOUNT}:{physical}")),
            _ => Ok(format!("{name}.{attribute}").into()),
        }
    }

    /// The name that a resource is given, else its logical id.
    fn physical(&self, name: &str) -> Resolved<String> {
        let properties = self.section("Resources", name).map_or(&Value::Null, |resource| &resource["Properties"]);
        let own = NAMES.iter().find_map(|key| properties.get(*key));
        match own {
            Some(own) => {
                let own = self.deeper(name, || self.resolve(own))?;
                Ok(own.as_ref().map_or_else(|| name.to_owned(), shown))
            }
            None => Ok(name.to_owned()),
        }
    }

    fn kind(&self, name: &str) -> Resolved<&'t str> {
        let resource = self.section("Resources", name);
        let resource = resource.ok_or_else(|| format!("there is no parameter or resource `{name}`"))?;
        Ok(resource["Type"].as_str().unwrap_or_default())
    }

    fn section(&self, section: &str, name: &str) -> Option<&'t Value> {
        self.root.get(section)?.get(name)
    }

    /// `${Name}`, `${Resource.Attribute}`, `${!literally}`.
    fn substitute(&self, pattern: &str, own: Option<&Map<String, Value>>) -> Resolved<String> {
        let mut text = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("${") {
            text.push_str(before);
            let (name, after) = after.split_once('}').ok_or("Fn::Sub: a `${` has no `}`")?;
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                text.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let value = match (own.and_then(|own| own.get(name)), name.split_once('.')) {
                (Some(value), _) => Some(value.clone()),
                (None, Some((resource, attribute))) => Some(self.attribute(resource, attribute)?),
                (None, None) => self.reference(name)?,
            };
            text.push_str(&value.as_ref().map(shown).unwrap_or_default());
            if text.len() > LONGEST {
                return Err(format!("Fn::Sub: the text has more than {} KiB", LONGEST / 1024));
            }
        }
        text.push_str(rest);
        Ok(text)
    }
}

/// The function that a mapping with one key is.
fn function(entries: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = entries.iter();
    match (entries.next(), entries.next()) {
        (Some((name, argument)), None) if name == "Ref" || name == "Condition" || name.starts_with("Fn::") => {
            // A policy statement may have conditions of its own; a template's is named.
            (name != "Condition" || argument.is_string()).then_some((name.as_str(), argument))
        }
        _ => None,
    }
}

fn text(value: &Value) -> Resolved<&str> {
    value.as_str().ok_or_else(|| format!("{value} must be a text"))
}

/// As CloudFormation puts a value into a text.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
