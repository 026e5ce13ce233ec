//! The AppSpec file: what CodeDeploy deploys and which functions it calls.
//!
//! AWS's own pages write its keys in different case (`Resources`, `resources`), so case does not matter here either.
//! <https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html>

use crate::document::{self, DocumentError, Node, Spanned, Value};
use crate::stage::Stage;

/// An AppSpec for the ECS compute platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSpec {
    /// ARN with revision of the task definition to deploy.
    pub task_definition: String,
    /// The container that the load balancer talks to.
    pub container_name: String,
    /// Its port.
    pub container_port: u16,
    /// Lifecycle event name and function (name or ARN), in the order of the file.
    pub hooks: Vec<(String, String)>,
}

/// The resource type this version serves.
const ECS_SERVICE: &str = "AWS::ECS::Service";

/// The resource type of CodeDeploy's Lambda platform.
const LAMBDA_FUNCTION: &str = "AWS::Lambda::Function";

impl AppSpec {
    /// Reads an AppSpec in YAML or JSON. `source` is its name in messages.
    pub fn parse(text: &str, source: &str) -> Result<Self, DocumentError> {
        let root: Node = document::parse(text, source)?;
        Reader { text, source }.app_spec(&root)
    }
}

/// Reads the tree, and knows how to point at it.
struct Reader<'a> {
    text: &'a str,
    source: &'a str,
}

impl Reader<'_> {
    fn app_spec(&self, root: &Node) -> Result<AppSpec, DocumentError> {
        let top = self.mapping(root, &["version", "Resources", "Hooks"])?;
        let version = self.required(root, top, "version")?;
        if !is_version_zero(&version.value) {
            return Err(self.wrong(version, "the version of an AppSpec is `0.0`"));
        }
        let service = self.target_service(self.required(root, top, "Resources")?)?;
        let hooks = match find(top, "Hooks") {
            Some(hooks) => self.hooks(hooks)?,
            None => Vec::new(),
        };
        Ok(AppSpec { hooks, ..service })
    }

    fn target_service(&self, resources: &Node) -> Result<AppSpec, DocumentError> {
        let [resource] = self.list(resources)? else {
            return Err(self.wrong(resources, "expected exactly one resource, the service to deploy"));
        };
        let Value::Mapping(named) = &resource.value else {
            return Err(self.expected(resource, "a mapping with the resource's name, such as `TargetService`"));
        };
        let [(_, body)] = named.as_slice() else {
            return Err(self.wrong(resource, "expected one resource name, such as `TargetService`"));
        };
        let resource = self.mapping(body, &["Type", "Properties"])?;
        let kind_node = self.required(body, resource, "Type")?;
        let kind = self.words(kind_node)?;
        if kind.eq_ignore_ascii_case(LAMBDA_FUNCTION) {
            let message =
                format!("`{LAMBDA_FUNCTION}` is not supported by this version yet; it serves `{ECS_SERVICE}`");
            return Err(self.wrong(kind_node, message));
        }
        if !kind.eq_ignore_ascii_case(ECS_SERVICE) {
            return Err(self.wrong(kind_node, format!("unknown resource type `{kind}`; expected `{ECS_SERVICE}`")));
        }
        let node = self.required(body, resource, "Properties")?;
        let known = [
            "TaskDefinition",
            "LoadBalancerInfo",
            "PlatformVersion",
            "NetworkConfiguration",
            "CapacityProviderStrategy",
        ];
        let properties = self.mapping(node, &known)?;
        let task_definition = self.words(self.required(node, properties, "TaskDefinition")?)?;
        let node = self.required(node, properties, "LoadBalancerInfo")?;
        let load_balancer = self.mapping(node, &["ContainerName", "ContainerPort"])?;
        Ok(AppSpec {
            task_definition,
            container_name: self.words(self.required(node, load_balancer, "ContainerName")?)?,
            container_port: self.port(self.required(node, load_balancer, "ContainerPort")?)?,
            hooks: Vec::new(),
        })
    }

    fn hooks(&self, hooks: &Node) -> Result<Vec<(String, String)>, DocumentError> {
        if matches!(hooks.value, Value::Nothing) {
            return Ok(Vec::new());
        }
        let known = Stage::ALL.map(Stage::event_name);
        let mut found: Vec<(String, String)> = Vec::new();
        for entry in self.list(hooks)? {
            let Value::Mapping(pairs) = &entry.value else {
                return Err(self.expected(entry, "a lifecycle event and its function, such as `AfterInstall: my-hook`"));
            };
            let [(key, function)] = pairs.as_slice() else {
                return Err(self.wrong(entry, "expected one lifecycle event in each entry of the list"));
            };
            let Some(event) = known.iter().find(|event| event.eq_ignore_ascii_case(&key.value)) else {
                let choice = document::one_of(&key.value, &known);
                return Err(self.wrong_at(key, format!("unknown lifecycle event `{}`; {choice}", key.value)));
            };
            if found.iter().any(|(earlier, _)| earlier == event) {
                let message = format!("`{event}` stands in two entries; CodeDeploy calls one function for each event");
                return Err(self.wrong_at(key, message));
            }
            found.push(((*event).to_owned(), self.words(function)?));
        }
        Ok(found)
    }

    /// The entries of a mapping whose keys are all known, whatever their case.
    fn mapping<'n>(&self, node: &'n Node, known: &[&str]) -> Result<Entries<'n>, DocumentError> {
        let Value::Mapping(entries) = &node.value else {
            return Err(self.expected(node, "a mapping (`key: value` lines)"));
        };
        for (index, (key, _)) in entries.iter().enumerate() {
            if !known.iter().any(|known| known.eq_ignore_ascii_case(&key.value)) {
                let choice = document::one_of(&key.value, known);
                return Err(self.wrong_at(key, format!("unknown key `{}`; {choice}", key.value)));
            }
            if entries[..index].iter().any(|(earlier, _)| earlier.value.eq_ignore_ascii_case(&key.value)) {
                return Err(self.wrong_at(key, format!("the key `{}` stands twice; keep one of them", key.value)));
            }
        }
        Ok(entries)
    }

    fn required<'n>(&self, parent: &Node, entries: Entries<'n>, key: &str) -> Result<&'n Node, DocumentError> {
        find(entries, key).ok_or_else(|| self.wrong(parent, format!("the key `{key}` is missing here")))
    }

    fn list<'n>(&self, node: &'n Node) -> Result<&'n [Node], DocumentError> {
        match &node.value {
            Value::List(list) => Ok(list),
            _ => Err(self.expected(node, "a list (`- …` lines, or `[…]`)")),
        }
    }

    fn words(&self, node: &Node) -> Result<String, DocumentError> {
        match &node.value {
            Value::Text(text) if text.trim().is_empty() => Err(self.wrong(node, "this text is empty")),
            Value::Text(text) if text.starts_with('<') && text.ends_with('>') => {
                Err(self.wrong(node, format!("`{text}` is a placeholder that nobody filled in")))
            }
            Value::Text(text) => Ok(text.clone()),
            _ => Err(self.expected(node, "a text")),
        }
    }

    fn port(&self, node: &Node) -> Result<u16, DocumentError> {
        match &node.value {
            Value::Whole(number) => match u16::try_from(*number) {
                Ok(port) if port > 0 => Ok(port),
                _ => Err(self.wrong(node, format!("{number} is no port; expected 1 to 65535"))),
            },
            Value::Text(text) if text.parse::<u16>().is_ok() => {
                Err(self.wrong(node, format!("the port is a text; write {text} without quotes")))
            }
            _ => Err(self.expected(node, "a port, a number from 1 to 65535")),
        }
    }

    fn expected(&self, node: &Node, what: &str) -> DocumentError {
        self.wrong(node, format!("expected {what}, found {}", node.value.kind()))
    }

    fn wrong(&self, node: &Node, message: impl Into<String>) -> DocumentError {
        DocumentError::at(self.source, self.text, node.place, message)
    }

    fn wrong_at(&self, key: &Spanned<String>, message: impl Into<String>) -> DocumentError {
        DocumentError::at(self.source, self.text, key.referenced, message)
    }
}

/// A mapping's keys and values.
type Entries<'n> = &'n [(Spanned<String>, Node)];

fn find<'n>(entries: Entries<'n>, key: &str) -> Option<&'n Node> {
    entries.iter().find(|(name, _)| name.value.eq_ignore_ascii_case(key)).map(|(_, node)| node)
}

fn is_version_zero(value: &Value) -> bool {
    match value {
        Value::Whole(0) => true,
        Value::Number(number) => *number == 0.0,
        Value::Text(text) => text == "0.0",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::AppSpec;

    const SPEC: &str = "\
version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42
        LoadBalancerInfo:
          ContainerName: app
          ContainerPort: 8080
        PlatformVersion: LATEST
Hooks:
  - BeforeInstall: greenlight-before-install
  - AfterInstall: arn:aws:lambda:eu-central-1:123456789012:function:greenlight-after-install
";

    fn expected() -> AppSpec {
        AppSpec {
            task_definition: "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42".to_owned(),
            container_name: "app".to_owned(),
            container_port: 8080,
            hooks: vec![
                ("BeforeInstall".to_owned(), "greenlight-before-install".to_owned()),
                (
                    "AfterInstall".to_owned(),
                    "arn:aws:lambda:eu-central-1:123456789012:function:greenlight-after-install".to_owned(),
                ),
            ],
        }
    }

    fn refusal(from: &str, to: &str) -> String {
        assert!(SPEC.contains(from), "the text to replace is there");
        AppSpec::parse(&SPEC.replace(from, to), "appspec.yaml").expect_err("it is wrong").to_string()
    }

    #[test]
    fn yaml_is_read() {
        assert_eq!(AppSpec::parse(SPEC, "appspec.yaml"), Ok(expected()));
    }

    /// AWS's pages disagree about the case of the keys.
    #[test]
    fn the_case_of_keys_does_not_matter() {
        let mut text = SPEC.to_owned();
        for key in ["Resources", "Hooks", "Properties", "TaskDefinition", "LoadBalancerInfo", "ContainerPort", "Type"] {
            text = text.replace(&format!("{key}:"), &format!("{}:", key.to_lowercase()));
        }
        assert_eq!(AppSpec::parse(&text, "appspec.yaml"), Ok(expected()));
    }

    #[test]
    fn json_is_read() {
        let text = r#"{"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": {
            "TaskDefinition": "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42",
            "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 8080}}}}],
            "Hooks": [{"BeforeInstall": "greenlight-before-install"},
            {"AfterInstall": "arn:aws:lambda:eu-central-1:123456789012:function:greenlight-after-install"}]}"#;
        assert_eq!(AppSpec::parse(text, "appspec.json"), Ok(expected()));
    }

    #[test]
    fn hooks_may_be_left_out() {
        let text = SPEC.split("Hooks:").next().expect("the part before the hooks");
        assert_eq!(AppSpec::parse(text, "appspec.yaml"), Ok(AppSpec { hooks: Vec::new(), ..expected() }));
    }

    #[test]
    fn an_unknown_event_names_the_nearest_one() {
        assert_snapshot!(refusal("- AfterInstall", "- AfterInstal"), @"
        appspec.yaml:13:5: unknown lifecycle event `AfterInstal`; expected one of `BeforeInstall`, `AfterInstall`, `AfterAllowTestTraffic`, `BeforeAllowTraffic`, `AfterAllowTraffic`; did you mean `AfterInstall`?
          13 |   - AfterInstal: arn:aws:lambda:eu-central-1:123456789012:function:greenlight-after-install
             |     ^
        ");
    }

    #[test]
    fn an_event_in_two_entries_is_refused() {
        assert_snapshot!(refusal("- AfterInstall", "- beforeinstall"), @"
        appspec.yaml:13:5: `BeforeInstall` stands in two entries; CodeDeploy calls one function for each event
          13 |   - beforeinstall: arn:aws:lambda:eu-central-1:123456789012:function:greenlight-after-install
             |     ^
        ");
    }

    #[test]
    fn what_is_missing_is_named() {
        let messages = [
            refusal("        TaskDefinition: arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42\n", ""),
            refusal("          ContainerName: app\n", ""),
            refusal("          ContainerPort: 8080\n", ""),
        ];
        assert_snapshot!(messages.join("\n"), @"
        appspec.yaml:6:9: the key `TaskDefinition` is missing here
           6 |         LoadBalancerInfo:
             |         ^
        appspec.yaml:8:11: the key `ContainerName` is missing here
           8 |           ContainerPort: 8080
             |           ^
        appspec.yaml:8:11: the key `ContainerPort` is missing here
           8 |           ContainerName: app
             |           ^
        ");
    }

    #[test]
    fn a_port_must_be_a_number() {
        let messages =
            [refusal("8080", "\"8080\""), refusal("8080", "0"), refusal("8080", "http"), refusal("8080", "70000")];
        assert_snapshot!(messages.join("\n"), @r#"
        appspec.yaml:9:26: the port is a text; write 8080 without quotes
           9 |           ContainerPort: "8080"
             |                          ^
        appspec.yaml:9:26: 0 is no port; expected 1 to 65535
           9 |           ContainerPort: 0
             |                          ^
        appspec.yaml:9:26: expected a port, a number from 1 to 65535, found a text
           9 |           ContainerPort: http
             |                          ^
        appspec.yaml:9:26: 70000 is no port; expected 1 to 65535
           9 |           ContainerPort: 70000
             |                          ^
        "#);
    }

    #[test]
    fn the_lambda_platform_is_recognised_and_refused() {
        assert_snapshot!(refusal("AWS::ECS::Service", "AWS::Lambda::Function"), @"
        appspec.yaml:4:13: `AWS::Lambda::Function` is not supported by this version yet; it serves `AWS::ECS::Service`
           4 |       Type: AWS::Lambda::Function
             |             ^
        ");
    }

    #[test]
    fn a_placeholder_and_an_unknown_key_are_refused() {
        let messages = [
            refusal("arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42", "<TASK_DEFINITION>"),
            refusal("ContainerName", "ContainerNames"),
            refusal("version: 0.0", "version: 1.0"),
            refusal("- BeforeInstall: greenlight-before-install", "- BeforeInstall: [one, two]"),
        ];
        assert_snapshot!(messages.join("\n"), @"
        appspec.yaml:6:25: `<TASK_DEFINITION>` is a placeholder that nobody filled in
           6 |         TaskDefinition: <TASK_DEFINITION>
             |                         ^
        appspec.yaml:8:11: unknown key `ContainerNames`; expected one of `ContainerName`, `ContainerPort`; did you mean `ContainerName`?
           8 |           ContainerNames: app
             |           ^
        appspec.yaml:1:10: the version of an AppSpec is `0.0`
           1 | version: 1.0
             |          ^
        appspec.yaml:12:20: expected a text, found a list
          12 |   - BeforeInstall: [one, two]
             |                    ^
        ");
    }
}
