//! What is wrong with an AppSpec that CodeDeploy would take.

use greenlight::document::{self, DocumentError};
use greenlight::stage::Stage;

use super::{Parts, text};
use crate::cloudformation::Stack;
use crate::setup::function_name;

/// Something worth saying of an AppSpec.
#[derive(Clone, Debug)]
pub struct Remark {
    /// How bad it is.
    pub severity: Severity,
    /// Where, and what.
    pub error: DocumentError,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The deployment fails, hangs, or asks less than it seems to.
    Mistake,
    /// It depends on what the file does not show.
    Note,
}

/// What a template says of the deployment group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Whether it has a test listener.
    pub test_listener: bool,
    /// Names of the managed policies of its service role.
    pub policies: Vec<String>,
}

/// Names of functions that some of AWS's managed policies for CodeDeploy's service role may invoke only.
const PREFIX: &str = "CodeDeployHook_";

/// Those policies: <https://docs.aws.amazon.com/codedeploy/latest/userguide/managed-policies.html>
const LIMITED: [&str; 4] = [
    "AWSCodeDeployRoleForECSLimited",
    "AWSCodeDeployRoleForLambda",
    "AWSCodeDeployRoleForLambdaLimited",
    "AWSCodeDeployRoleForCloudFormation",
];

impl Group {
    /// The first deployment group of a stack, and its role.
    pub fn of(stack: &Stack) -> Option<Self> {
        let (_, group) = stack.of_kind("AWS::CodeDeploy::DeploymentGroup").next()?;
        let pair = &group["LoadBalancerInfo"]["TargetGroupPairInfoList"][0];
        let role = group["ServiceRoleArn"].as_str().and_then(|arn| arn.rsplit_once('/')).map_or("", |(_, name)| name);
        let role = stack.resources.get(role).map(|role| &role.properties["ManagedPolicyArns"]);
        let policies = role.and_then(|arns| arns.as_array()).into_iter().flatten().filter_map(|arn| arn.as_str());
        let name = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
        Some(Self { test_listener: pair["TestTrafficRoute"].is_object(), policies: policies.map(name).collect() })
    }
}

/// Everything that can be seen in the file, and in the group where it is known.
pub fn review(content: &str, source: &str, group: Option<&Group>) -> Vec<Remark> {
    let Some(root) = document::tree(content) else { return Vec::new() };
    let parts = Parts::of(&root);
    let mut reviewer = Reviewer { content, source, remarks: Vec::new() };
    reviewer.task_definition(&parts);
    reviewer.events(&parts);
    reviewer.functions(&parts, group);
    reviewer.places(&parts);
    if let Some(group) = group {
        reviewer.test_listener(&parts, group);
    }
    reviewer.remarks.sort_by_key(|remark| (remark.error.line(), remark.error.column()));
    reviewer.remarks
}

struct Reviewer<'a> {
    content: &'a str,
    source: &'a str,
    remarks: Vec<Remark>,
}

impl Reviewer<'_> {
    fn say(&mut self, severity: Severity, place: document::Location, message: impl Into<String>) {
        self.remarks.push(Remark { severity, error: DocumentError::at(self.source, self.content, place, message) });
    }

    fn mistake(&mut self, place: document::Location, message: impl Into<String>) {
        self.say(Severity::Mistake, place, message);
    }

    fn task_definition(&mut self, parts: &Parts<'_>) {
        let Some(node) = parts.task_definition else { return };
        let Some(written) = text(node) else { return };
        if is_placeholder(written) {
            self.mistake(node.place, format!("`{written}` is a placeholder that nobody filled in"));
        } else if Arn::of(written).is_none_or(|arn| !arn.names_a_revision()) {
            let message = format!(
                "`{written}` is no ARN of a task definition with its revision, \
                 arn:aws:ecs:REGION:ACCOUNT:task-definition/FAMILY:REVISION"
            );
            self.mistake(node.place, message);
        }
    }

    /// CodeDeploy calls them in its own order; a file in another one says what does not happen.
    fn events(&mut self, parts: &Parts<'_>) {
        let mut latest: Option<Stage> = None;
        for (event, _) in &parts.hooks {
            let known = Stage::ALL.into_iter().find(|stage| stage.event_name().eq_ignore_ascii_case(&event.value));
            let Some(stage) = known else { continue };
            let name = stage.event_name();
            if event.value != name {
                let message = format!("write `{name}`: that CodeDeploy takes `{}` is documented nowhere", event.value);
                self.mistake(event.referenced, message);
            }
            match latest.filter(|latest| *latest > stage) {
                Some(later) => {
                    let message =
                        format!("`{name}` happens before `{later}`, wherever it stands; write them in their order");
                    self.mistake(event.referenced, message);
                }
                None => latest = Some(stage),
            }
        }
    }

    fn functions(&mut self, parts: &Parts<'_>, group: Option<&Group>) {
        let limited = group.and_then(|group| group.policies.iter().find(|it| LIMITED.contains(&it.as_str())));
        let mut seen: Vec<(&str, &str)> = Vec::new();
        let mut noted = group.is_some();
        for (event, function) in &parts.hooks {
            let Some(written) = text(function) else { continue };
            if is_placeholder(written) {
                self.mistake(function.place, format!("`{written}` is a placeholder that nobody filled in"));
                continue;
            }
            let name = Arn::of(written).map_or(written, |arn| arn.function_name());
            let made_for = Stage::ALL.into_iter().find(|stage| function_name(*stage) == name);
            let earlier = seen.iter().find(|(_, earlier)| *earlier == name);
            if let Some(stage) = made_for.filter(|stage| !stage.event_name().eq_ignore_ascii_case(&event.value)) {
                let message = format!("`{name}` is made for `{stage}` and refuses every other event");
                self.mistake(function.place, message);
            } else if let Some((other, _)) = earlier {
                let message = format!(
                    "`{name}` is called at `{other}` already; CodeDeploy does not tell a function which event it is called at"
                );
                self.mistake(function.place, message);
            }
            if !name.starts_with(PREFIX) {
                match limited {
                    Some(policy) => {
                        let message = format!("{policy}, which the service role has, may invoke `{PREFIX}…` only");
                        self.mistake(function.place, message);
                    }
                    None if !noted => {
                        let policy = if parts.task_definition.is_some() { LIMITED[0] } else { LIMITED[1] };
                        let message = format!("a service role with {policy} may invoke `{PREFIX}…` only");
                        self.say(Severity::Note, function.place, message);
                        noted = true;
                    }
                    None => {}
                }
            }
            seen.push((&event.value, name));
        }
    }

    /// CodeDeploy invokes functions of its own account and Region, and deploys there.
    fn places(&mut self, parts: &Parts<'_>) {
        let nodes = parts.task_definition.into_iter().chain(parts.hooks.iter().map(|(_, function)| *function));
        let arns: Vec<_> = nodes.filter_map(|node| Some((node, text(node)?, Arn::of(text(node)?)?))).collect();
        let Some((_, first, expected)) = arns.first() else { return };
        for (node, _, arn) in &arns[1..] {
            let parts = [
                ("partition", arn.partition, expected.partition),
                ("Region", arn.region, expected.region),
                ("account", arn.account, expected.account),
            ];
            for (what, found, expected) in parts {
                if found != expected {
                    self.mistake(node.place, format!("this is in the {what} {found}, and {first} in {expected}"));
                }
            }
        }
    }

    fn test_listener(&mut self, parts: &Parts<'_>, group: &Group) {
        let event = Stage::AfterAllowTestTraffic.event_name();
        let named = parts.hooks.iter().find(|(name, _)| name.value.eq_ignore_ascii_case(event));
        if let Some((name, _)) = named.filter(|_| !group.test_listener) {
            let message = format!(
                "the deployment group has no test listener: CodeDeploy calls nothing at `{event}`, and green is not asked"
            );
            self.mistake(name.referenced, message);
        }
    }
}

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
struct Arn<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut words = text.splitn(6, ':');
        let ("arn", partition, _, region, account, resource) =
            (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?, words.next()?)
        else {
            return None;
        };
        Some(Self { partition, region, account, resource })
    }

    fn names_a_revision(&self) -> bool {
        let named = self.resource.strip_prefix("task-definition/").and_then(|it| it.split_once(':'));
        named.is_some_and(|(family, revision)| !family.is_empty() && revision.parse::<u32>().is_ok())
    }

    /// Without a qualifier.
    fn function_name(&self) -> &'a str {
        let name = self.resource.strip_prefix("function:").unwrap_or(self.resource);
        name.split_once(':').map_or(name, |(name, _)| name)
    }
}

/// `TASK_DEFINITION_ARN`, `<function>`, `${FUNCTION}`, `{{ function }}`.
pub(super) fn is_placeholder(text: &str) -> bool {
    let shouted =
        text.contains('_') && text.chars().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_');
    let marked = [("<", ">"), ("${", "}"), ("{{", "}}"), ("%", "%")];
    shouted || marked.iter().any(|(opening, closing)| text.starts_with(opening) && text.ends_with(closing))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cloudformation::Template;

    fn spec(hooks: &str) -> String {
        format!(
            "version: 0.0\nResources:\n  - TargetService:\n      Type: AWS::ECS::Service\n      Properties:\n        \
             TaskDefinition: arn:aws:ecs:eu-west-1:123456789012:task-definition/orders:2\n        LoadBalancerInfo: {{ \
             ContainerName: app, ContainerPort: 8080 }}\nHooks:\n{hooks}"
        )
    }

    fn reviewed(content: &str, group: Option<&Group>) -> Vec<String> {
        let told = |remark: Remark| {
            let note = if remark.severity == Severity::Note { "note: " } else { "" };
            format!("{}: {note}{}", remark.error.line(), remark.error.message())
        };
        review(content, "appspec.yaml", group).into_iter().map(told).collect()
    }

    #[test]
    fn the_usual_file_is_sound() {
        let hooks = Stage::ALL.map(|stage| format!("  - {stage}: {}\n", function_name(stage))).concat();
        assert_eq!(reviewed(&spec(&hooks), None), Vec::<String>::new());
    }

    #[test]
    fn wrong_order_and_case_are_found() {
        let hooks = "  - AfterInstall: CodeDeployHook_a\n  - beforeinstall: CodeDeployHook_b\n";
        assert_eq!(
            reviewed(&spec(hooks), None),
            [
                "10: write `BeforeInstall`: that CodeDeploy takes `beforeinstall` is documented nowhere",
                "10: `BeforeInstall` happens before `AfterInstall`, wherever it stands; write them in their order",
            ]
        );
    }

    #[test]
    fn a_function_at_an_event_that_it_is_not_made_for_is_found() {
        let hooks = "  - BeforeInstall: CodeDeployHook_greenlight-after-install\n  - AfterInstall: CodeDeployHook_x\n  - \
                     AfterAllowTraffic: arn:aws:lambda:eu-west-1:123456789012:function:CodeDeployHook_x:live\n";
        assert_eq!(
            reviewed(&spec(hooks), None),
            [
                "9: `CodeDeployHook_greenlight-after-install` is made for `AfterInstall` and refuses every other event",
                "11: `CodeDeployHook_x` is called at `AfterInstall` already; CodeDeploy does not tell a function which event \
                 it is called at",
            ]
        );
    }

    #[test]
    fn placeholders_are_found() {
        let content = spec("  - AfterInstall: AFTER_INSTALL_HOOK\n").replace("orders:2", "orders");
        let content =
            content.replace("arn:aws:ecs:eu-west-1:123456789012:task-definition/orders", "TASK_DEFINITION_ARN");
        assert_eq!(
            reviewed(&content, None),
            [
                "6: `TASK_DEFINITION_ARN` is a placeholder that nobody filled in",
                "9: `AFTER_INSTALL_HOOK` is a placeholder that nobody filled in",
            ]
        );
        let content = spec("").replace("orders:2", "orders");
        assert!(reviewed(&content, None)[0].contains("is no ARN of a task definition with its revision"));
    }

    #[test]
    fn arns_of_other_places_are_found() {
        let hooks = "  - BeforeInstall: arn:aws:lambda:eu-west-1:999999999999:function:CodeDeployHook_a\n  - AfterInstall: \
                     arn:aws-cn:lambda:cn-north-1:123456789012:function:CodeDeployHook_b\n";
        let first = "arn:aws:ecs:eu-west-1:123456789012:task-definition/orders:2";
        assert_eq!(
            reviewed(&spec(hooks), None),
            [
                format!("9: this is in the account 999999999999, and {first} in 123456789012"),
                format!("10: this is in the partition aws-cn, and {first} in aws"),
                format!("10: this is in the Region cn-north-1, and {first} in eu-west-1"),
            ]
        );
    }

    #[test]
    fn what_the_group_cannot_do_is_found_where_the_group_is_known() {
        let hooks = "  - AfterAllowTestTraffic: my-hook\n";
        let without_group = reviewed(&spec(hooks), None);
        assert!(without_group[0].starts_with("9: note: a service role with AWSCodeDeployRoleForECSLimited"));
        let group = Group { test_listener: false, policies: vec!["AWSCodeDeployRoleForECSLimited".to_owned()] };
        assert_eq!(
            reviewed(&spec(hooks), Some(&group)),
            [
                "9: the deployment group has no test listener: CodeDeploy calls nothing at `AfterAllowTestTraffic`, and green \
                 is not asked",
                "9: AWSCodeDeployRoleForECSLimited, which the service role has, may invoke `CodeDeployHook_…` only",
            ]
        );
        let group = Group { test_listener: true, policies: vec!["AWSCodeDeployRoleForECS".to_owned()] };
        assert_eq!(reviewed(&spec(hooks), Some(&group)), Vec::<String>::new());
    }

    #[test]
    fn the_group_of_the_environment_is_read_off_its_template() {
        let text = include_str!("../../../environment/service-codedeploy.yaml");
        let template = Template::parse(text, "service-codedeploy.yaml").expect("a template");
        let group = Group::of(&template.sketched().expect("a stack")).expect("it has a group");
        assert!(group.test_listener);
        assert!(!group.policies.is_empty(), "{group:?}");
        let nothing = Template::parse("Resources: {}", "t.yaml").and_then(|it| it.with(&BTreeMap::new()));
        assert!(Group::of(&nothing.expect("a stack")).is_none());
    }
}
