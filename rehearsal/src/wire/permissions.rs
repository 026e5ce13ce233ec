//! What a call needs its role to allow: IAM's action, and the resources that the Service Authorization Reference lists
//! for it. <https://docs.aws.amazon.com/service-authorization/latest/reference/>

use std::collections::BTreeMap;

use http::StatusCode;
use http::request::Parts;

use super::context::Input;
use super::refusal::Refusal;
use super::request::{Protocol, Service};
use super::{s3, secretsmanager};
use crate::iam::Permission;
use crate::world::services::TaskDefinition;
use crate::world::{ACCOUNT, REGION, World};

/// As IAM refuses a call.
pub(super) fn denied(caller: Option<&str>, permission: &Permission, protocol: Protocol) -> Refusal {
    let Permission { action, resource, .. } = permission;
    let message = format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows \
         the {action} action",
        principal(caller)
    );
    if protocol.is_modern() {
        Refusal::new("AccessDeniedException", message).with_status(StatusCode::BAD_REQUEST)
    } else {
        Refusal::new("AccessDenied", message).with_status(StatusCode::FORBIDDEN)
    }
}

/// Who calls, as IAM and STS name it.
pub(super) fn principal(caller: Option<&str>) -> String {
    match caller {
        Some(function) => format!("arn:aws:sts::{ACCOUNT}:assumed-role/{function}-role/{function}"),
        None => format!("arn:aws:iam::{ACCOUNT}:user/rehearsal"),
    }
}

/// A call of a function.
pub(super) struct Asked<'a> {
    pub(super) world: &'a World,
    pub(super) service: Service,
    pub(super) operation: &'a str,
    pub(super) input: &'a Input,
    pub(super) parts: &'a Parts,
}

/// All of them must be allowed.
pub(super) fn needed(asked: &Asked<'_>) -> Vec<Permission> {
    let action = format!("{}:{}", asked.service.iam_name(), action(asked));
    let keys = asked.keys();
    let needed = asked.resources().into_iter().map(|resource| Permission {
        action: action.clone(),
        resource,
        keys: keys.clone(),
    });
    needed.chain(asked.passed_roles()).collect()
}

fn action<'a>(asked: &Asked<'a>) -> &'a str {
    let of_a_version = || asked.parts.uri.query().is_some_and(|query| query.contains("versionId="));
    match (asked.service, asked.operation) {
        (Service::Lambda, "Invoke") => "InvokeFunction",
        (Service::S3, "HeadObject" | "GetObject") if of_a_version() => "GetObjectVersion",
        (Service::S3, "HeadObject") => "GetObject",
        (Service::S3, "ListObjectsV2") => "ListBucket",
        (_, operation) => operation,
    }
}

impl Asked<'_> {
    /// `*` for what knows no resources, or names none.
    fn resources(&self) -> Vec<String> {
        let text = |name: &str| self.input[name].as_str().unwrap_or("*");
        match (self.service, self.operation) {
            (Service::CodeDeploy, "GetDeployment" | "GetDeploymentGroup" | "PutLifecycleEventHookExecutionStatus") => {
                vec![self.deployment_group()]
            }
            (Service::CodeDeploy, "GetApplicationRevision") => {
                vec![arn("codedeploy", &format!("application:{}", text("applicationName")))]
            }
            (Service::Ecs, "DescribeServices") => self.of_cluster("services", "service"),
            (Service::Ecs, "ListServiceDeployments" | "UpdateService") => {
                vec![named("ecs", "service/", &format!("{}/{}", self.cluster(), text("service")))]
            }
            (Service::Ecs, "DescribeServiceDeployments") => self.each("serviceDeploymentArns", str::to_owned),
            (Service::Ecs, "DescribeServiceRevisions") => self.each("serviceRevisionArns", str::to_owned),
            (Service::Ecs, "StopServiceDeployment" | "ContinueServiceDeployment") => {
                vec![text("serviceDeploymentArn").to_owned()]
            }
            (Service::Ecs, "DescribeTasks") => self.of_cluster("tasks", "task"),
            (Service::Ecs, "RunTask") => vec![self.task_definition()],
            (Service::Ecs, "StopTask") => vec![named("ecs", "task/", &format!("{}/{}", self.cluster(), text("task")))],
            (Service::Ecr, "DescribeImages" | "DescribeImageScanFindings") => {
                vec![arn("ecr", &format!("repository/{}", text("repositoryName")))]
            }
            (Service::CloudWatch, "DescribeAlarms") => {
                self.each("AlarmNames", |name| arn("cloudwatch", &format!("alarm:{name}")))
            }
            (Service::Logs, "GetLogEvents") => {
                let (group, stream) = (text("logGroupName"), text("logStreamName"));
                vec![arn("logs", &format!("log-group:{group}:log-stream:{stream}"))]
            }
            (Service::Rds, "DescribeDBInstances") => vec![arn("rds", &format!("db:{}", text("DBInstanceIdentifier")))],
            (Service::Rds, "DescribeDBClusters") => {
                vec![arn("rds", &format!("cluster:{}", text("DBClusterIdentifier")))]
            }
            (Service::SecretsManager, "GetSecretValue" | "DescribeSecret") => {
                let name = text("SecretId");
                vec![if name.starts_with("arn:") { name.to_owned() } else { secretsmanager::arn(name) }]
            }
            (Service::Ssm, "GetParameter") => {
                vec![named("ssm", "parameter/", text("Name").trim_start_matches('/'))]
            }
            (Service::Lambda, _) => vec![self.function()],
            (Service::S3, _) => match s3::bucket_and_key(self.parts) {
                Some((bucket, key)) if key.is_empty() => vec![format!("arn:aws:s3:::{bucket}")],
                Some((bucket, key)) => vec![format!("arn:aws:s3:::{bucket}/{key}")],
                None => vec!["*".to_owned()],
            },
            _ => vec!["*".to_owned()],
        }
    }

    /// Of the deployment that is named, where no group is.
    fn deployment_group(&self) -> String {
        let text = |name: &str| self.input[name].as_str();
        let named = text("applicationName").zip(text("deploymentGroupName"));
        let named = named.map(|(application, group)| (application.to_owned(), group.to_owned()));
        let of_deployment = || {
            let id = text("deploymentId")?;
            self.world
                .read(|state| state.codedeploy.deployment(id).map(|it| (it.application.clone(), it.group.clone())))
        };
        match named.or_else(of_deployment) {
            Some((application, group)) => arn("codedeploy", &format!("deploymentgroup:{application}/{group}")),
            None => "*".to_owned(),
        }
    }

    /// What conditions may ask of it.
    fn keys(&self) -> BTreeMap<&'static str, String> {
        match (self.service, self.operation) {
            (
                Service::Ecs,
                "ListServiceDeployments"
                | "UpdateService"
                | "DescribeServiceDeployments"
                | "DescribeServiceRevisions"
                | "StopServiceDeployment"
                | "ContinueServiceDeployment",
            ) => self.keys_of_service(),
            (Service::Ecs, "RunTask" | "StopTask" | "ListTasks" | "DescribeTasks" | "DescribeServices") => {
                BTreeMap::from([("ecs:cluster", arn("ecs", &format!("cluster/{}", self.cluster())))])
            }
            _ => BTreeMap::new(),
        }
    }

    /// Of a call about deployments or revisions of one service: `…:service-revision/CLUSTER/SERVICE/ID` says which.
    fn keys_of_service(&self) -> BTreeMap<&'static str, String> {
        let first = |name: &str| self.input[name][0].as_str().or(self.input[name].as_str());
        let arns = ["serviceDeploymentArn", "serviceDeploymentArns", "serviceRevisionArns"];
        let of_arn = arns.into_iter().find_map(first).and_then(|arn| {
            let mut parts = arn.split('/').skip(1);
            Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
        });
        let service = self.input["service"].as_str().unwrap_or("*");
        let service = service.rsplit_once('/').map_or(service, |(_, name)| name);
        let (cluster, service) = of_arn.unwrap_or_else(|| (self.cluster().to_owned(), service.to_owned()));
        BTreeMap::from([
            ("ecs:service", arn("ecs", &format!("service/{cluster}/{service}"))),
            ("ecs:cluster", arn("ecs", &format!("cluster/{cluster}"))),
        ])
    }

    /// Who starts a task passes it the roles of its definition.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security_iam_id-based-policy-examples.html>
    fn passed_roles(&self) -> Vec<Permission> {
        if (self.service, self.operation) != (Service::Ecs, "RunTask") {
            return Vec::new();
        }
        let definition = self.task_definition();
        let roles = self.world.read(|state| {
            let document = state.stores.task_definitions.get(&definition);
            let role = |name: &str| {
                let own = self.input["overrides"][name].as_str().map(str::to_owned);
                own.or_else(|| Some(document?.get(name)?.as_str()?.to_owned()))
            };
            [role("executionRoleArn"), role("taskRoleArn")]
        });
        let pass = |resource| Permission {
            action: "iam:PassRole".to_owned(),
            resource,
            keys: BTreeMap::from([("iam:PassedToService", "ecs-tasks.amazonaws.com".to_owned())]),
        };
        roles.into_iter().flatten().map(pass).collect()
    }

    /// With its revision, as IAM is asked about it.
    fn task_definition(&self) -> String {
        let name = self.input["taskDefinition"].as_str().unwrap_or("*");
        let known = self.world.read(|state| state.task_definition(name).map(TaskDefinition::arn));
        known.unwrap_or_else(|| named("ecs", "task-definition/", name))
    }

    fn cluster(&self) -> &str {
        let cluster = self.input["cluster"].as_str().unwrap_or("default");
        cluster.rsplit_once('/').map_or(cluster, |(_, name)| name)
    }

    /// What a list of the input names, in the input's cluster. Each is a name, or an ARN already.
    fn of_cluster(&self, list: &str, kind: &str) -> Vec<String> {
        let cluster = self.cluster();
        self.each(list, |name| named("ecs", &format!("{kind}/"), &format!("{cluster}/{name}")))
    }

    fn each(&self, list: &str, resource: impl Fn(&str) -> String) -> Vec<String> {
        let names = self.input[list].as_array().map(Vec::as_slice).unwrap_or_default();
        if names.is_empty() {
            return vec![resource("*")];
        }
        names.iter().filter_map(Input::as_str).map(resource).collect()
    }

    /// The function of a path `/2015-03-31/functions/NAME/…`, with its qualifier.
    fn function(&self) -> String {
        let path = super::lambda::decoded(self.parts.uri.path());
        let name = path.split('/').nth(3).unwrap_or("*");
        let query = form_urlencoded::parse(self.parts.uri.query().unwrap_or_default().as_bytes());
        let qualifier = query.into_iter().find(|(key, _)| key == "Qualifier").map(|(_, it)| format!(":{it}"));
        named("lambda", "function:", &format!("{name}{}", qualifier.unwrap_or_default()))
    }
}

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// The ARN of something that may have been named by its ARN: the last word of `prefix` and name is one.
fn named(service: &str, prefix: &str, name: &str) -> String {
    match name.find("arn:aws:") {
        Some(start) => name[start..].to_owned(),
        None => arn(service, &format!("{prefix}{name}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;

    fn needs(service: Service, operation: &str, input: &Input, uri: &str) -> Vec<String> {
        let world = World::new(Clock::new());
        let parts = http::Request::builder().uri(uri).body(()).expect("a request").into_parts().0;
        let needed = needed(&Asked { world: &world, service, operation, input, parts: &parts });
        needed.into_iter().map(|it| format!("{} {}", it.action, it.resource)).collect()
    }

    #[tokio::test]
    async fn a_call_needs_its_action_on_each_resource_it_names() {
        let services =
            json!({ "cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop", "services": ["orders", "cart"] });
        assert_eq!(
            needs(Service::Ecs, "DescribeServices", &services, "/"),
            [
                "ecs:DescribeServices arn:aws:ecs:eu-west-1:123456789012:service/shop/orders",
                "ecs:DescribeServices arn:aws:ecs:eu-west-1:123456789012:service/shop/cart",
            ]
        );
        let deployment = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/shop/orders/1";
        assert_eq!(
            needs(Service::Ecs, "DescribeServiceDeployments", &json!({ "serviceDeploymentArns": [deployment] }), "/"),
            [format!("ecs:DescribeServiceDeployments {deployment}")]
        );
        let group = json!({ "applicationName": "orders", "deploymentGroupName": "orders" });
        assert_eq!(
            needs(Service::CodeDeploy, "GetDeploymentGroup", &group, "/"),
            ["codedeploy:GetDeploymentGroup arn:aws:codedeploy:eu-west-1:123456789012:deploymentgroup:orders/orders"]
        );
        assert_eq!(needs(Service::Elbv2, "DescribeRules", &json!({}), "/"), ["elasticloadbalancing:DescribeRules *"]);
    }

    #[tokio::test]
    async fn what_is_named_by_its_arn_keeps_it() {
        let secret = "arn:aws:secretsmanager:eu-central-1:1:secret:x-abcdef";
        assert_eq!(
            needs(Service::SecretsManager, "GetSecretValue", &json!({ "SecretId": secret }), "/"),
            [format!("secretsmanager:GetSecretValue {secret}")]
        );
        assert_eq!(
            needs(Service::Ssm, "GetParameter", &json!({ "Name": "/greenlight/a/b/plan" }), "/"),
            ["ssm:GetParameter arn:aws:ssm:eu-west-1:123456789012:parameter/greenlight/a/b/plan"]
        );
    }

    #[tokio::test]
    async fn what_paths_name_is_read_off_them() {
        assert_eq!(
            needs(Service::Lambda, "Invoke", &Input::Null, "/2015-03-31/functions/orders/invocations?Qualifier=2"),
            ["lambda:InvokeFunction arn:aws:lambda:eu-west-1:123456789012:function:orders:2"]
        );
        assert_eq!(
            needs(Service::S3, "GetObject", &Input::Null, "/bucket/green.yaml?versionId=7"),
            ["s3:GetObjectVersion arn:aws:s3:::bucket/green.yaml"]
        );
        assert_eq!(
            needs(Service::S3, "ListObjectsV2", &Input::Null, "/bucket?list-type=2&prefix=orders%2F"),
            ["s3:ListBucket arn:aws:s3:::bucket"]
        );
    }
}
