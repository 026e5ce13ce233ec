//! The AppSpec file: what CodeDeploy deploys and which functions it calls.
//!
//! AWS's own pages write its keys in different case (`Resources`, `resources`), so case does not matter here either.
//! <https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html>

use crate::document::{self, DocumentError, Judge, Mistakes, Node, Spanned, Value};
use crate::stage::Stage;

mod function;

pub use self::function::FunctionAppSpec;

/// An AppSpec of either platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyAppSpec {
    /// Of an ECS service.
    Service(AppSpec),
    /// Of a Lambda function.
    Function(FunctionAppSpec),
}

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

/// The resource type of CodeDeploy's ECS platform.
const ECS_SERVICE: &str = "AWS::ECS::Service";

/// What a service may have.
const PROPERTIES: [&str; 5] =
    ["TaskDefinition", "LoadBalancerInfo", "PlatformVersion", "NetworkConfiguration", "CapacityProviderStrategy"];

/// The resource type of CodeDeploy's Lambda platform.
const LAMBDA_FUNCTION: &str = "AWS::Lambda::Function";

impl AnyAppSpec {
    /// Reads an AppSpec in YAML or JSON. `source` is its name in messages.
    pub fn parse(text: &str, source: &str) -> Result<Self, Mistakes> {
        document::parse_and_judge(text, source, &[], |root: Node, judge| Reader { judge }.app_spec(&root))
    }

    /// Lifecycle event name and function (name or ARN), in the order of the file.
    pub fn hooks(&self) -> &[(String, String)] {
        match self {
            Self::Service(spec) => &spec.hooks,
            Self::Function(spec) => &spec.hooks,
        }
    }
}

impl AppSpec {
    /// Reads the AppSpec of an ECS service in YAML or JSON. `source` is its name in messages.
    pub fn parse(text: &str, source: &str) -> Result<Self, Mistakes> {
        match AnyAppSpec::parse(text, source)? {
            AnyAppSpec::Service(spec) => Ok(spec),
            AnyAppSpec::Function(_) => Err(other_platform(text, source, LAMBDA_FUNCTION, ECS_SERVICE)),
        }
    }
}

/// The AppSpec is sound, and of the other platform than the deployment.
fn other_platform(text: &str, source: &str, found: &str, expected: &str) -> Mistakes {
    let message = format!("this AppSpec deploys an `{found}`, and the deployment is of an `{expected}`");
    DocumentError::at(source, text, document::Location::UNKNOWN, message).into()
}

/// Reads the tree, and notes what is wrong with it.
struct Reader<'a> {
    judge: &'a Judge<'a>,
}

impl Reader<'_> {
    /// `None` where something is wrong; everything that can be judged has been, and noted.
    fn app_spec(&self, root: &Node) -> Option<AnyAppSpec> {
        let top = self.mapping(root, &["version", "Resources", "Hooks"])?;
        if let Some(version) = self.required(top, "version")
            && !is_version_zero(&version.value)
        {
            self.judge.note(self.wrong(version, "the version of an AppSpec is `0.0`"));
        }
        let kind = self.required(top, "Resources").and_then(|resources| self.resource(resources));
        // Of an unknown resource every event may be one.
        let stages = match kind {
            Some((Kind::Function, _)) => Stage::OF_FUNCTIONS.as_slice(),
            Some((Kind::Service, _)) | None => Stage::ALL.as_slice(),
        };
        let hooks = top.find("Hooks").map(|hooks| self.hooks(hooks, stages)).unwrap_or_default();
        let (kind, properties) = kind?;
        Some(match kind {
            Kind::Service => AnyAppSpec::Service(AppSpec { hooks, ..self.properties(properties?)? }),
            Kind::Function => AnyAppSpec::Function(FunctionAppSpec { hooks, ..self.target_function(properties?)? }),
        })
    }

    /// What is deployed, and its properties.
    fn resource<'n>(&self, resources: &'n Node) -> Option<(Kind, Option<&'n Node>)> {
        let [resource] = self.list(resources)? else {
            let message = "expected exactly one resource, the service or function to deploy";
            return self.refuse(self.wrong(resources, message));
        };
        let Value::Mapping(named) = &resource.value else {
            let what = "a mapping with the resource's name, such as `TargetService`";
            return self.refuse(self.expected(resource, what));
        };
        let [(_, body)] = named.as_slice() else {
            return self.refuse(self.wrong(resource, "expected one resource name, such as `TargetService`"));
        };
        let resource = self.mapping(body, &["Type", "Properties"])?;
        let properties = self.required(resource, "Properties");
        // The properties of another type have other names.
        let kind = self.required(resource, "Type").and_then(|node| self.resource_type(node))?;
        Some((kind, properties))
    }

    fn resource_type(&self, node: &Node) -> Option<Kind> {
        let kind = self.words(node)?;
        if kind.eq_ignore_ascii_case(ECS_SERVICE) {
            return Some(Kind::Service);
        }
        if kind.eq_ignore_ascii_case(LAMBDA_FUNCTION) {
            return Some(Kind::Function);
        }
        let message = format!("unknown resource type `{kind}`; expected `{ECS_SERVICE}` or `{LAMBDA_FUNCTION}`");
        self.refuse(self.wrong(node, message))
    }

    fn properties(&self, node: &Node) -> Option<AppSpec> {
        let properties = self.mapping(node, &PROPERTIES)?;
        let task_definition = self.required(properties, "TaskDefinition").and_then(|node| self.words(node));
        let load_balancer = self.required(properties, "LoadBalancerInfo").and_then(|node| self.load_balancer(node));
        let (container_name, container_port) = load_balancer?;
        Some(AppSpec { task_definition: task_definition?, container_name, container_port, hooks: Vec::new() })
    }

    fn load_balancer(&self, node: &Node) -> Option<(String, u16)> {
        let load_balancer = self.mapping(node, &["ContainerName", "ContainerPort"])?;
        let name = self.required(load_balancer, "ContainerName").and_then(|node| self.words(node));
        let port = self.required(load_balancer, "ContainerPort").and_then(|node| self.judge.keep(self.port(node)));
        name.zip(port)
    }

    fn hooks(&self, hooks: &Node, stages: &[Stage]) -> Vec<(String, String)> {
        if matches!(hooks.value, Value::Nothing) {
            return Vec::new();
        }
        let mut found: Vec<(String, String)> = Vec::new();
        for entry in self.list(hooks).unwrap_or_default() {
            let hook = self.judge.keep(self.hook(entry, stages, &found));
            found.extend(hook.map(|(event, function)| (event, self.words(function).unwrap_or_default())));
        }
        found
    }

    /// A lifecycle event and its function.
    fn hook<'n>(
        &self,
        entry: &'n Node,
        stages: &[Stage],
        earlier: &[(String, String)],
    ) -> Result<(String, &'n Node), DocumentError> {
        let known: Vec<&str> = stages.iter().map(|stage| stage.event_name()).collect();
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
        if earlier.iter().any(|(earlier, _)| earlier == event) {
            let message = format!("`{event}` stands in two entries; CodeDeploy calls one function for each event");
            return Err(self.wrong_at(key, message));
        }
        Ok(((*event).to_owned(), function))
    }

    /// The entries of a mapping. Keys that are not known, whatever their case, are noted.
    fn mapping<'n>(&self, node: &'n Node, known: &'static [&'static str]) -> Option<Entries<'n>> {
        let Value::Mapping(entries) = &node.value else {
            return self.refuse(self.expected(node, "a mapping (`key: value` lines)"));
        };
        for (index, (key, _)) in entries.iter().enumerate() {
            if !known.iter().any(|known| known.eq_ignore_ascii_case(&key.value)) {
                let choice = document::one_of(&key.value, known);
                self.judge.note(self.wrong_at(key, format!("unknown key `{}`; {choice}", key.value)));
            }
            if entries[..index].iter().any(|(earlier, _)| earlier.value.eq_ignore_ascii_case(&key.value)) {
                let message = format!("the key `{}` stands twice; keep one of them", key.value);
                self.judge.note(self.wrong_at(key, message));
            }
        }
        Some(Entries { node, entries, known })
    }

    /// A key that must be there. It is not missed as well where an unknown key looks like it.
    fn required<'n>(&self, entries: Entries<'n>, key: &str) -> Option<&'n Node> {
        let found = entries.find(key);
        if found.is_none() && !entries.unknown().any(|name| document::nearest(name, [key]).is_some()) {
            self.judge.note(self.judge.missing(entries.node.place, key));
        }
        found
    }

    fn list<'n>(&self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.value {
            Value::List(list) => Some(list),
            _ => self.refuse(self.expected(node, "a list (`- …` lines, or `[…]`)")),
        }
    }

    fn words(&self, node: &Node) -> Option<String> {
        match &node.value {
            Value::Text(text) if text.trim().is_empty() => self.refuse(self.wrong(node, "this text is empty")),
            Value::Text(text) if text.starts_with('<') && text.ends_with('>') => {
                self.refuse(self.wrong(node, format!("`{text}` is a placeholder that nobody filled in")))
            }
            Value::Text(text) => Some(text.clone()),
            _ => self.refuse(self.expected(node, "a text")),
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
        self.judge.wrong(node.place, message)
    }

    fn wrong_at(&self, key: &Spanned<String>, message: impl Into<String>) -> DocumentError {
        self.judge.wrong(key.referenced, message)
    }

    fn refuse<T>(&self, mistake: DocumentError) -> Option<T> {
        self.judge.keep(Err(mistake))
    }
}

/// What an AppSpec deploys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Service,
    Function,
}

/// A mapping's keys and values, and the keys it may have.
#[derive(Clone, Copy)]
struct Entries<'n> {
    node: &'n Node,
    entries: &'n [(Spanned<String>, Node)],
    known: &'static [&'static str],
}

impl<'n> Entries<'n> {
    fn find(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, _)| name.value.eq_ignore_ascii_case(key)).map(|(_, node)| node)
    }

    fn unknown(&self) -> impl Iterator<Item = &str> {
        let names = self.entries.iter().map(|(name, _)| name.value.as_str());
        names.filter(|name| !self.known.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }
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
    fn an_unknown_resource_type_is_refused() {
        assert_snapshot!(refusal("AWS::ECS::Service", "AWS::EC2::Instance"), @"
        appspec.yaml:4:13: unknown resource type `AWS::EC2::Instance`; expected `AWS::ECS::Service` or `AWS::Lambda::Function`
           4 |       Type: AWS::EC2::Instance
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

    #[test]
    fn every_mistake_is_told_at_once() {
        let text = "\
version: 1.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: <TASK_DEFINITION>
        LoadBalancerInfo:
          ContainerNames: app
          ContainerPort: \"8080\"
        PlatformVersoin: LATEST
Hooks:
  - BeforeInstal: greenlight-before-install
  - AfterInstall: [one, two]
  - AfterAllowTraffic: \"\"
Hoks: []
";
        assert_snapshot!(AppSpec::parse(text, "appspec.yaml").expect_err("it is wrong").to_string(), @r#"
        appspec.yaml:1:10: the version of an AppSpec is `0.0`
           1 | version: 1.0
             |          ^
        appspec.yaml:6:25: `<TASK_DEFINITION>` is a placeholder that nobody filled in
           6 |         TaskDefinition: <TASK_DEFINITION>
             |                         ^
        appspec.yaml:8:11: unknown key `ContainerNames`; expected one of `ContainerName`, `ContainerPort`; did you mean `ContainerName`?
           8 |           ContainerNames: app
             |           ^
        appspec.yaml:9:26: the port is a text; write 8080 without quotes
           9 |           ContainerPort: "8080"
             |                          ^
        appspec.yaml:10:9: unknown key `PlatformVersoin`; expected one of `TaskDefinition`, `LoadBalancerInfo`, `PlatformVersion`, `NetworkConfiguration`, `CapacityProviderStrategy`; did you mean `PlatformVersion`?
          10 |         PlatformVersoin: LATEST
             |         ^
        appspec.yaml:12:5: unknown lifecycle event `BeforeInstal`; expected one of `BeforeInstall`, `AfterInstall`, `AfterAllowTestTraffic`, `BeforeAllowTraffic`, `AfterAllowTraffic`; did you mean `BeforeInstall`?
          12 |   - BeforeInstal: greenlight-before-install
             |     ^
        appspec.yaml:13:19: expected a text, found a list
          13 |   - AfterInstall: [one, two]
             |                   ^
        appspec.yaml:14:24: this text is empty
          14 |   - AfterAllowTraffic: ""
             |                        ^
        appspec.yaml:15:1: unknown key `Hoks`; expected one of `version`, `Resources`, `Hooks`; did you mean `Hooks`?
          15 | Hoks: []
             | ^
        "#);
    }
}
