//! Roles and what their policies allow, as IAM judges it: one statement must allow a call, and none may deny it.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cloudformation::Stack;
use crate::wildcards::{Case, matches};

/// A role of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// Its logical id.
    pub name: String,
    statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq)]
struct Statement {
    allows: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

/// What a key of the request must be like: one of these, as texts, or as patterns.
#[derive(Clone, Debug, PartialEq)]
struct Condition {
    key: &'static str,
    like: bool,
    values: Vec<String>,
}

/// Keys of a request that are told. A condition on another one is not judged.
const KEYS: [&str; 3] = ["ecs:cluster", "ecs:service", "iam:PassedToService"];

/// Operators that are judged, and whether they take patterns. An ARN's do, the ones for equality too.
const OPERATORS: [(&str, bool); 4] =
    [("ArnEquals", true), ("ArnLike", true), ("StringEquals", false), ("StringLike", true)];

/// Something that a role must allow: an action, and the ARN it is done to, or `*` for an action that knows no resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// `codedeploy:GetDeployment`.
    pub action: String,
    /// Its ARN.
    pub resource: String,
    /// What conditions may ask of the request, by key.
    pub keys: BTreeMap<&'static str, String>,
}

impl Role {
    /// A role of the stack by its logical id, with the stack's own managed policies that it has.
    ///
    /// An error says what in its policies is not judged here: a role that is only half understood proves nothing.
    pub fn of(stack: &Stack, name: &str) -> Result<Self, String> {
        let role = stack.resources.get(name).filter(|resource| resource.kind == "AWS::IAM::Role");
        let role = &role.ok_or_else(|| format!("the stack has no role {name}"))?.properties;
        let inline = list(&role["Policies"]).map(|policy| &policy["PolicyDocument"]);
        let managed = list(&role["ManagedPolicyArns"]).map(|arn| {
            let policy = arn.as_str().and_then(|arn| arn.rsplit_once('/')).and_then(|(_, it)| stack.resources.get(it));
            policy
                .map(|policy| &policy.properties["PolicyDocument"])
                .ok_or_else(|| format!("{name}: {arn} is not known"))
        });
        let mut statements = Vec::new();
        for document in inline.map(Ok).chain(managed) {
            for statement in list(&document?["Statement"]) {
                statements.push(Statement::read(statement).map_err(|reason| format!("{name}: {reason}"))?);
            }
        }
        Ok(Self { name: name.to_owned(), statements })
    }

    /// Whether it allows this.
    pub fn allows(&self, permission: &Permission) -> bool {
        let matching = |allows| self.statements.iter().any(|it| it.allows == allows && it.speaks_of(permission));
        matching(true) && !matching(false)
    }

    /// Every action that a statement allows, as it is written.
    pub fn granted(&self) -> BTreeSet<&str> {
        self.allowing(|_| true)
    }

    /// Those that are allowed on whatever there is.
    pub fn granted_everywhere(&self) -> BTreeSet<&str> {
        self.allowing(|statement| statement.resources.iter().any(|resource| resource == "*"))
    }

    /// Those that are allowed on every resource of a type, with that resource: `secret:*`, `repository/*`, every object of S3.
    pub fn granted_on_a_whole_type(&self) -> BTreeSet<(&str, &str)> {
        let allowed = self.statements.iter().filter(|it| it.allows);
        let pairs =
            allowed.flat_map(|it| it.actions.iter().flat_map(|action| it.resources.iter().map(move |on| (action, on))));
        pairs.filter(|(_, on)| is_a_whole_type(on)).map(|(action, on)| (action.as_str(), on.as_str())).collect()
    }

    fn allowing(&self, wanted: fn(&Statement) -> bool) -> BTreeSet<&str> {
        let statements = self.statements.iter().filter(|it| it.allows && wanted(it));
        statements.flat_map(|it| &it.actions).map(String::as_str).collect()
    }
}

/// Whether an ARN names a type and nothing of it. Those of S3 have no type: they begin with the bucket.
fn is_a_whole_type(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &[_, _, service, _, _, resource] = parts.as_slice() else { return false };
    let typed = resource.split_once([':', '/']).filter(|_| service != "s3");
    let named = typed.map_or(resource, |(_, named)| named);
    named.chars().all(|letter| ['*', '/', ':'].contains(&letter))
}

impl Statement {
    fn read(statement: &Value) -> Result<Self, String> {
        let words =
            |name: &str| list(&statement[name]).map(|word| word.as_str().unwrap_or_default().to_owned()).collect();
        let unjudged = ["NotAction", "NotResource"].into_iter().find(|key| !statement[key].is_null());
        if let Some(key) = unjudged {
            return Err(format!("a statement has {key}, which the rehearsal does not judge"));
        }
        let allows = statement["Effect"] == "Allow";
        let (actions, resources): (Vec<String>, Vec<String>) = (words("Action"), words("Resource"));
        if actions.is_empty() || resources.is_empty() {
            return Err(format!("a statement has no Action or no Resource: {statement}"));
        }
        Ok(Self { allows, actions, resources, conditions: conditions(&statement["Condition"])? })
    }

    fn speaks_of(&self, permission: &Permission) -> bool {
        self.actions.iter().any(|pattern| matches(pattern, &permission.action, Case::Ignored))
            && self.resources.iter().any(|pattern| matches(pattern, &permission.resource, Case::Told))
            && self.conditions.iter().all(|condition| condition.is_met(&permission.keys))
    }
}

impl Condition {
    /// A key that the request does not have meets nothing.
    fn is_met(&self, keys: &BTreeMap<&'static str, String>) -> bool {
        let meets = |value: &String| {
            let matches = |given: &String| if self.like { matches(given, value, Case::Told) } else { given == value };
            self.values.iter().any(matches)
        };
        keys.get(self.key).is_some_and(meets)
    }
}

fn conditions(written: &Value) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    for (operator, keys) in written.as_object().into_iter().flatten() {
        let known = OPERATORS.iter().find(|(name, _)| name == operator);
        let (_, like) =
            known.ok_or_else(|| format!("a condition is {operator}, which the rehearsal does not judge"))?;
        for (key, values) in keys.as_object().into_iter().flatten() {
            let known = KEYS.into_iter().find(|known| known.eq_ignore_ascii_case(key));
            let key = known.ok_or_else(|| format!("a condition asks for {key}, which the rehearsal does not tell"))?;
            let values = list(values).map(|value| value.as_str().unwrap_or_default().to_owned()).collect();
            conditions.push(Condition { key, like: *like, values });
        }
    }
    Ok(conditions)
}

/// IAM writes one of something also without a list.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    let items = match value {
        Value::Null => &[],
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    items.iter()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cloudformation::Template;

    fn role(statements: &str) -> Result<Role, String> {
        let text = format!(
            "Resources:\n  R:\n    Type: AWS::IAM::Role\n    Properties:\n      ManagedPolicyArns: [!Ref M]\n      Policies: \
             [{{ PolicyDocument: {{ Statement: [{statements}] }} }}]\n  M:\n    Type: AWS::IAM::ManagedPolicy\n    \
             Properties: {{ PolicyDocument: {{ Statement: {{ Effect: Allow, Action: 'logs:*', Resource: '*' }} }} }}\n"
        );
        let stack = Template::parse(&text, "t.yaml").and_then(|it| it.with(&BTreeMap::new())).expect("a stack");
        Role::of(&stack, "R")
    }

    fn may(role: &Role, action: &str, resource: &str) -> bool {
        under(role, action, resource, &[])
    }

    fn under(role: &Role, action: &str, resource: &str, keys: &[(&'static str, &str)]) -> bool {
        let keys = keys.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        role.allows(&Permission { action: action.to_owned(), resource: resource.to_owned(), keys })
    }

    #[test]
    fn a_call_needs_a_statement_that_allows_it_on_that_resource() {
        let role = role("{ Effect: Allow, Action: [ecs:Describe*], Resource: 'arn:aws:ecs:*:*:service/shop/*' }");
        let role = role.expect("a role");
        assert!(may(&role, "ecs:DescribeServices", "arn:aws:ecs:eu-west-1:123456789012:service/shop/orders"));
        assert!(!may(&role, "ecs:DescribeServices", "arn:aws:ecs:eu-west-1:123456789012:service/other/orders"));
        assert!(!may(&role, "ecs:DescribeServices", "*"));
        assert!(!may(&role, "ecs:UpdateService", "arn:aws:ecs:eu-west-1:123456789012:service/shop/orders"));
        assert!(may(&role, "logs:PutLogEvents", "*"), "by its managed policy");
    }

    #[test]
    fn a_resource_that_names_nothing_but_its_type_is_a_whole_type() {
        for whole in [
            "arn:aws:secretsmanager:*:*:secret:*",
            "arn:aws:ecr:*:*:repository/*",
            "arn:aws:s3:::*",
            "arn:aws:s3:::*/*",
        ] {
            assert!(is_a_whole_type(whole), "{whole}");
        }
        for one in [
            "arn:aws:ecs:eu-west-1:123456789012:service/shop/*",
            "arn:aws:s3:::shop/*",
            "arn:aws:ssm:*:*:parameter/greenlight/*",
            "*",
        ] {
            assert!(!is_a_whole_type(one), "{one}");
        }
    }

    #[test]
    fn a_condition_must_be_met_and_what_is_not_told_meets_none() {
        let role = role(
            "{ Effect: Allow, Action: ecs:RunTask, Resource: '*', Condition: { ArnLike: { 'ecs:cluster': \
             'arn:aws:ecs:*:*:cluster/shop-*' } } }, { Effect: Allow, Action: iam:PassRole, Resource: '*', Condition: { \
             StringEquals: { iam:PassedToService: [a.amazonaws.com, ecs-tasks.amazonaws.com] } } }",
        );
        let role = role.expect("a role");
        let cluster = |name: &str| format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{name}");
        assert!(under(&role, "ecs:RunTask", "*", &[("ecs:cluster", &cluster("shop-1"))]));
        assert!(!under(&role, "ecs:RunTask", "*", &[("ecs:cluster", &cluster("other"))]));
        assert!(!may(&role, "ecs:RunTask", "*"));
        assert!(under(&role, "iam:PassRole", "r", &[("iam:PassedToService", "ecs-tasks.amazonaws.com")]));
        assert!(!under(&role, "iam:PassRole", "r", &[("iam:PassedToService", "*")]));
    }

    #[test]
    fn what_is_denied_is_not_allowed() {
        let role = role("{ Effect: Allow, Action: '*', Resource: '*' }, { Effect: Deny, Action: s3:*, Resource: '*' }");
        let role = role.expect("a role");
        assert!(may(&role, "ecs:DescribeServices", "*"));
        assert!(!may(&role, "S3:GetObject", "arn:aws:s3:::b/k"));
    }

    #[test]
    fn what_is_not_judged_is_said() {
        let role = role("{ Effect: Allow, Action: a:b, Resource: '*', Condition: { Bool: { x: true } } }");
        assert_eq!(role.unwrap_err(), "R: a condition is Bool, which the rehearsal does not judge");
        let role = super::tests::role(
            "{ Effect: Allow, Action: a:b, Resource: '*', Condition: { StringEquals: { aws:SourceVpc: vpc-1 } } }",
        );
        assert_eq!(role.unwrap_err(), "R: a condition asks for aws:SourceVpc, which the rehearsal does not tell");
    }
}
