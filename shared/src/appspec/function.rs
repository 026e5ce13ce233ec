//! The AppSpec of a Lambda function.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html#reference-appspec-file-structure-resources-lambda>

use super::{AnyAppSpec, ECS_SERVICE, LAMBDA_FUNCTION, Reader, other_platform};
use crate::document::{DocumentError, Mistakes, Node, Value};

/// An AppSpec for the Lambda compute platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionAppSpec {
    /// The function's name.
    pub function: String,
    /// Its alias.
    pub alias: String,
    /// The version that the alias leads to now.
    pub current_version: String,
    /// The version that is being deployed.
    pub target_version: String,
    /// Lifecycle event name and function (name or ARN), in the order of the file.
    pub hooks: Vec<(String, String)>,
}

impl FunctionAppSpec {
    /// Reads the AppSpec of a function in YAML or JSON. `source` is its name in messages.
    pub fn parse(text: &str, source: &str) -> Result<Self, Mistakes> {
        match AnyAppSpec::parse(text, source)? {
            AnyAppSpec::Function(spec) => Ok(spec),
            AnyAppSpec::Service(_) => Err(other_platform(text, source, ECS_SERVICE, LAMBDA_FUNCTION)),
        }
    }
}

impl Reader<'_> {
    /// Its properties, as yet without hooks.
    pub(super) fn target_function(&self, node: &Node) -> Option<FunctionAppSpec> {
        let properties = self.mapping(node, &["Name", "Alias", "CurrentVersion", "TargetVersion"])?;
        let words = |key| self.required(properties, key).and_then(|node| self.words(node));
        let version = |key| self.required(properties, key).and_then(|node| self.judge.keep(self.version(node)));
        let (function, alias) = (words("Name"), words("Alias"));
        let (current_version, target_version) = (version("CurrentVersion"), version("TargetVersion"));
        Some(FunctionAppSpec {
            function: function?,
            alias: alias?,
            current_version: current_version?,
            target_version: target_version?,
            hooks: Vec::new(),
        })
    }

    /// AWS writes versions as texts; a number is one without quotes.
    fn version(&self, node: &Node) -> Result<String, DocumentError> {
        match &node.value {
            Value::Whole(number) if *number > 0 => Ok(number.to_string()),
            Value::Text(text) if text.parse::<u64>().is_ok_and(|number| number > 0) => Ok(text.clone()),
            Value::Text(text) if text == "$LATEST" => {
                Err(self.wrong(node, "an alias that CodeDeploy shifts leads to published versions, not to `$LATEST`"))
            }
            Value::Text(text) => {
                Err(self.wrong(node, format!("`{text}` is no version; expected a number such as \"2\"")))
            }
            _ => Err(self.expected(node, "a version such as \"2\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::FunctionAppSpec;
    use crate::appspec::AppSpec;

    const SPEC: &str = "\
version: 0.0
Resources:
  - TargetFunction:
      Type: AWS::Lambda::Function
      Properties:
        Name: orders
        Alias: live
        CurrentVersion: \"1\"
        TargetVersion: \"2\"
Hooks:
  - BeforeAllowTraffic: CodeDeployHook_greenlight-before-allow-traffic
";

    fn refusal(from: &str, to: &str) -> String {
        assert!(SPEC.contains(from), "the text to replace is there");
        FunctionAppSpec::parse(&SPEC.replace(from, to), "appspec.yaml").expect_err("it is wrong").to_string()
    }

    #[test]
    fn yaml_is_read() {
        let expected = FunctionAppSpec {
            function: "orders".to_owned(),
            alias: "live".to_owned(),
            current_version: "1".to_owned(),
            target_version: "2".to_owned(),
            hooks: vec![("BeforeAllowTraffic".to_owned(), "CodeDeployHook_greenlight-before-allow-traffic".to_owned())],
        };
        assert_eq!(FunctionAppSpec::parse(SPEC, "appspec.yaml").as_ref(), Ok(&expected));
        assert_eq!(FunctionAppSpec::parse(&SPEC.replace('"', ""), "appspec.yaml"), Ok(expected));
    }

    /// A function installs nothing, and has no test traffic.
    #[test]
    fn an_event_of_another_platform_is_refused() {
        assert_snapshot!(refusal("BeforeAllowTraffic", "AfterInstall"), @"
        appspec.yaml:11:5: unknown lifecycle event `AfterInstall`; expected one of `BeforeAllowTraffic`, `AfterAllowTraffic`; did you mean `AfterAllowTraffic`?
          11 |   - AfterInstall: CodeDeployHook_greenlight-before-allow-traffic
             |     ^
        ");
    }

    #[test]
    fn what_is_no_version_is_refused() {
        let messages = [
            refusal("\"2\"", "$LATEST"),
            refusal("\"2\"", "live"),
            refusal("\"2\"", "0"),
            refusal("        TargetVersion: \"2\"\n", ""),
        ];
        assert_snapshot!(messages.join("\n"), @r#"
        appspec.yaml:9:24: an alias that CodeDeploy shifts leads to published versions, not to `$LATEST`
           9 |         TargetVersion: $LATEST
             |                        ^
        appspec.yaml:9:24: `live` is no version; expected a number such as "2"
           9 |         TargetVersion: live
             |                        ^
        appspec.yaml:9:24: expected a version such as "2", found a number
           9 |         TargetVersion: 0
             |                        ^
        appspec.yaml:6:9: the key `TargetVersion` is missing here
           6 |         Name: orders
             |         ^
        "#);
    }

    #[test]
    fn the_file_of_another_platform_is_refused() {
        assert_snapshot!(AppSpec::parse(SPEC, "appspec.yaml").expect_err("it is a function's"), @"
        appspec.yaml:1:1: this AppSpec deploys an `AWS::Lambda::Function`, and the deployment is of an `AWS::ECS::Service`
           1 | version: 0.0
             | ^
        ");
    }
}
