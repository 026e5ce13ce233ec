//! Templates of CloudFormation and SAM, as far as the rehearsal plays what they define: parameters, conditions and
//! intrinsic functions are worked out, and what is left are resources with plain properties.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>

mod intrinsic;
mod tree;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::intrinsic::{Resolver, STACK_NAME};

/// A template, before its parameters are known.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    root: Map<String, Value>,
}

/// What a template defines, with its parameters filled in. Resources whose condition does not hold are not in it.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Resources by logical id.
    pub resources: BTreeMap<String, Resource>,
    /// Outputs by logical id.
    pub outputs: BTreeMap<String, Value>,
    /// What it exports to other stacks, by the name without that of the stack.
    pub exports: BTreeMap<String, Value>,
}

/// A resource.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its type: `AWS::IAM::Role`.
    pub kind: String,
    /// Its properties.
    pub properties: Value,
}

/// Why a template is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It cannot be read.
    #[error("{source_name}: {reason}")]
    Unreadable {
        /// The template.
        source_name: String,
        /// Why.
        reason: String,
    },
    /// Something in it cannot be worked out.
    #[error("{source_name}: {place}: {reason}")]
    Unresolved {
        /// The template.
        source_name: String,
        /// The resource or output.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What becomes of a resource with a function that is not played.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unplayed {
    Refused,
    LeftOut,
}

impl Template {
    /// Reads a template in YAML or JSON. `source` is its name in messages.
    pub fn parse(text: &str, source: &str) -> Result<Self, TemplateError> {
        let unreadable = |reason: String| TemplateError::Unreadable { source_name: source.to_owned(), reason };
        match tree::read(text).map_err(|error| unreadable(error.to_string()))? {
            Value::Object(root) => Ok(Self { source: source.to_owned(), root }),
            _ => Err(unreadable("a template is a mapping".to_owned())),
        }
    }

    /// The stack that it makes with these parameters; the others have their defaults.
    pub fn with(&self, parameters: &BTreeMap<&str, Value>) -> Result<Stack, TemplateError> {
        self.beside(&BTreeMap::new(), parameters, Unplayed::Refused)
    }

    /// Where other stacks export these values. An import finds one by the end of its name: what the other stack is called
    /// is a matter of whoever deploys it.
    fn beside(
        &self,
        exports: &BTreeMap<String, Value>,
        parameters: &BTreeMap<&str, Value>,
        unplayed: Unplayed,
    ) -> Result<Stack, TemplateError> {
        let section = |name: &str| self.root.get(name).and_then(Value::as_object).into_iter().flatten();
        let failed = |place: &str, reason: String| TemplateError::Unresolved {
            source_name: self.source.clone(),
            place: place.to_owned(),
            reason,
        };
        let declared: Vec<&String> = section("Parameters").map(|(name, _)| name).collect();
        if let Some(unknown) = parameters.keys().find(|name| !declared.iter().any(|it| it == *name)) {
            return Err(failed(unknown, "the template has no such parameter".to_owned()));
        }
        let resolver =
            Resolver::new(&self.root, parameters, exports).map_err(|(place, reason)| failed(&place, reason))?;
        let mut resources = BTreeMap::new();
        for (name, resource) in section("Resources") {
            if let Some(condition) = resource["Condition"].as_str()
                && !resolver.condition(condition).map_err(|reason| failed(name, reason))?
            {
                continue;
            }
            let properties = match resolver.resolve(&resource["Properties"]) {
                Ok(properties) => properties,
                Err(_) if unplayed == Unplayed::LeftOut => continue,
                Err(reason) => return Err(failed(name, reason)),
            };
            let kind = resource["Type"].as_str().unwrap_or_default().to_owned();
            resources.insert(name.clone(), Resource { kind, properties: properties.unwrap_or_default() });
        }
        let (mut outputs, mut exports) = (BTreeMap::new(), BTreeMap::new());
        for (name, output) in section("Outputs") {
            let value = resolver.resolve(&output["Value"]).map_err(|reason| failed(name, reason))?;
            let value = value.unwrap_or_default();
            let export = resolver.resolve(&output["Export"]["Name"]).map_err(|reason| failed(name, reason))?;
            if let Some(Value::String(export)) = export {
                exports.insert(export.strip_prefix(STACK_NAME).unwrap_or(&export).to_owned(), value.clone());
            }
            outputs.insert(name.clone(), value);
        }
        Ok(Stack { resources, outputs, exports })
    }

    /// The stack with the parameters' defaults; those that have none stand for themselves by their names. A resource that
    /// cannot be worked out is not in it.
    pub fn sketched(&self) -> Result<Stack, TemplateError> {
        self.sketched_beside(&BTreeMap::new(), &BTreeMap::new())
    }

    /// As [`Self::sketched`], beside other stacks, and with those of these parameters that the template has.
    pub fn sketched_beside(
        &self,
        exports: &BTreeMap<String, Value>,
        given: &BTreeMap<String, String>,
    ) -> Result<Stack, TemplateError> {
        let parameters = self.root.get("Parameters").and_then(Value::as_object).into_iter().flatten();
        let value = |(name, declared): (&'_ String, &Value)| match given.get(name) {
            Some(value) => Some((name.clone(), Value::from(value.as_str()))),
            None if declared.get("Default").is_none() => Some((name.clone(), Value::from(name.as_str()))),
            None => None,
        };
        let parameters: BTreeMap<String, Value> = parameters.filter_map(value).collect();
        let parameters = parameters.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        self.beside(exports, &parameters, Unplayed::LeftOut)
    }

    /// Whether it has this parameter.
    pub fn has_parameter(&self, name: &str) -> bool {
        self.root.get("Parameters").is_some_and(|parameters| parameters.get(name).is_some())
    }

    /// What SAM gives every resource of this kind (`Function`), before parameters are known.
    pub fn globals(&self, kind: &str) -> &Value {
        self.root.get("Globals").map_or(&Value::Null, |globals| &globals[kind])
    }
}

impl Stack {
    /// The resources of this type, by logical id.
    pub fn of_kind<'s>(&'s self, kind: &str) -> impl Iterator<Item = (&'s str, &'s Value)> {
        let of_kind = self.resources.iter().filter(move |(_, resource)| resource.kind == kind);
        of_kind.map(|(name, resource)| (name.as_str(), &resource.properties))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stack(text: &str, parameters: &[(&'static str, Value)]) -> Result<Stack, String> {
        let template = Template::parse(text, "t.yaml").map_err(|error| error.to_string())?;
        template.with(&parameters.iter().cloned().collect()).map_err(|error| error.to_string())
    }

    const TEMPLATE: &str = r#"
Parameters:
  Name: { Type: String, Default: orders }
  Secret: { Type: String, Default: "" }
  Subnets: { Type: CommaDelimitedList, Default: "a,b" }
Conditions:
  HasSecret: !Not [!Equals [!Ref Secret, ""]]
  IsAlone: !And [Condition: HasSecret, !Equals [!Ref Name, orders]]
Mappings:
  Sizes: { small: { tasks: 2 } }
Resources:
  Log:
    Type: AWS::Logs::LogGroup
    Properties: { LogGroupName: !Sub "/ecs/${Name}", RetentionInDays: 90 }
  Role:
    Type: AWS::IAM::Role
    Properties:
      Description: !Join ["-", [!Ref Name, !Select [1, !Ref Subnets]]]
      Tasks: !FindInMap [Sizes, small, tasks]
      Logs: !GetAtt Log.Arn
      Login: !If [HasSecret, !Ref Secret, !Ref AWS::NoValue]
      Literal: !Sub "${!not} ${one}"
      With: !Sub ["${Name} and ${other}", { other: !Ref AWS::Region }]
  Extra:
    Type: AWS::IAM::Role
    Condition: IsAlone
Outputs:
  Role: { Value: !GetAtt Role.Arn }
"#;

    /// Also with the stack of a thread.
    #[test]
    fn a_template_that_nests_too_deeply_is_not_read() {
        let nested = |levels: usize| format!("{}1{}", "{ a: ".repeat(levels), " }".repeat(levels));
        assert!(Template::parse(&nested(28), "t.yaml").is_ok());
        assert!(Template::parse(&nested(29), "t.yaml").is_err());
        assert!(Template::parse(&nested(5_000), "t.yaml").is_err());
    }

    #[test]
    fn parameters_conditions_and_functions_are_worked_out() {
        let text = TEMPLATE.replace(" ${one}", "");
        let stack = stack(&text, &[]).expect("a stack");
        assert_eq!(
            stack.resources["Role"].properties,
            json!({
                "Description": "orders-b",
                "Tasks": 2,
                "Logs": "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/orders:*",
                "Literal": "${not}",
                "With": "orders and eu-west-1",
            })
        );
        assert_eq!(stack.outputs["Role"], "arn:aws:iam::123456789012:role/Role");
        assert!(!stack.resources.contains_key("Extra"));
    }

    #[test]
    fn a_parameter_that_is_given_counts_for_its_default() {
        let text = TEMPLATE.replace(" ${one}", "");
        let stack = stack(&text, &[("Secret", json!("arn:s"))]).expect("a stack");
        assert_eq!(stack.resources["Role"].properties["Login"], "arn:s");
        assert!(stack.resources.contains_key("Extra"));
    }

    #[test]
    fn what_cannot_be_worked_out_is_named() {
        assert_eq!(stack(TEMPLATE, &[]).unwrap_err(), "t.yaml: Role: there is no parameter or resource `one`");
        let unknown = stack(TEMPLATE, &[("Nmae", json!("x"))]).unwrap_err();
        assert_eq!(unknown, "t.yaml: Nmae: the template has no such parameter");
        let function = stack("Resources: { A: { Type: T, Properties: { x: !Cidr [a] } } }", &[]).unwrap_err();
        assert_eq!(function, "t.yaml: A: the function Fn::Cidr is not played");
        let list = stack("- a", &[]).unwrap_err();
        assert_eq!(list, "t.yaml: a template is a mapping");
        let needed = stack("Parameters: { A: { Type: String } }\nResources: {}", &[]).unwrap_err();
        assert_eq!(needed, "t.yaml: A: the parameter has no default and was not given");
    }
}
