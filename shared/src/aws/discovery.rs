//! The whole deployment in as few steps as the calls depend on each other: its record and its targets' ids; then
//! everything that these name, side by side.

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::Aws;
use super::failure::incomplete;
use crate::check::CannotTell;
use crate::deployment::{Deployment, DeploymentId, FunctionDeployment, Listener, TargetGroup};
use crate::discovery::{self, Deployments, DiscoveryError, Parts, Record, Routes};

#[async_trait]
impl Deployments for Aws {
    /// The first question of every invocation. Ids that cannot be listed yet are asked for again by [`Self::describe`].
    async fn record(&self, id: &DeploymentId) -> Result<Record, DiscoveryError> {
        self.forget_answers();
        let (record, ids) = tokio::join!(self.deployment(id), self.target_ids(id));
        Ok(Record { target_ids: ids.unwrap_or_default(), ..record? })
    }

    /// The group, the AppSpec, the target and what the routes name do not wait for each other. Only what a record
    /// leaves out waits for the group.
    async fn describe(&self, record: Record) -> Result<Deployment, DiscoveryError> {
        let group = OnceCell::new();
        let group = || group.get_or_try_init(|| self.group(&record));
        let side = async {
            let ids = self.listed_target_ids(&record).await?;
            let (cluster, service) = match ids.iter().find_map(|id| id.split_once(':')) {
                Some((cluster, service)) => (cluster.to_owned(), service.to_owned()),
                None => group().await?.service.clone().ok_or_else(|| lacks(&record, "ECS service"))?,
            };
            let (target, (service, candidates)) =
                tokio::try_join!(self.target(&record.id, &ids), self.service(&cluster, &service))?;
            let target = target.ok_or_else(|| lacks(&record, "ECS target"))?;
            Ok((target, service, candidates))
        };
        let balancing = async {
            let routes = match &record.settings.routes {
                Some(routes) => routes,
                None => group().await?.settings.routes.as_ref().ok_or_else(|| lacks(&record, "target group pair"))?,
            };
            Ok(self.balancing(routes).await?)
        };
        let (found, app_spec, (target, service, candidates), (target_groups, production, test)) =
            tokio::try_join!(async { Ok(group().await?.clone()) }, self.app_spec(&record), side, balancing)?;
        let parts = Parts { group: found, app_spec, target, service, candidates, target_groups, production, test };
        Ok(discovery::assemble(record, parts))
    }

    /// The group and the target do not wait for each other. The AppSpec is read only where the target leaves something out.
    async fn describe_function(&self, record: Record) -> Result<FunctionDeployment, DiscoveryError> {
        let target = async {
            let ids = self.listed_target_ids(&record).await?;
            // There is one from the beginning: without it nobody knows at which event CodeDeploy is.
            let silent = if ids.is_empty() { "ListDeploymentTargets" } else { "BatchGetDeploymentTargets" };
            let lacks = || incomplete(&format!("codedeploy:{silent}"), &record.id.0, "Lambda target");
            let target = self.function_target(&record.id, &ids).await?.ok_or_else(lacks)?;
            let shift = match target.shift() {
                Some(shift) => shift,
                None => self.function_app_spec(&record).await?.into(),
            };
            Ok((target, shift))
        };
        let group = async { Ok::<_, DiscoveryError>(self.group(&record).await?) };
        let (group, (target, shift)) = tokio::try_join!(group, target)?;
        Ok(discovery::assemble_function(record, group, target, shift))
    }
}

impl Aws {
    /// The ids that came with the record, else those that are listed by now.
    async fn listed_target_ids(&self, record: &Record) -> Result<Vec<String>, CannotTell> {
        match record.target_ids.as_slice() {
            [] => self.target_ids(&record.id).await,
            ids => Ok(ids.to_vec()),
        }
    }

    async fn balancing(&self, routes: &Routes) -> Result<(Vec<TargetGroup>, Listener, Option<Listener>), CannotTell> {
        tokio::try_join!(
            self.target_groups(&routes.target_groups),
            self.described_listener(&routes.production),
            async {
                match &routes.test {
                    Some(arn) => self.described_listener(arn).await.map(Some),
                    None => Ok(None),
                }
            }
        )
    }
}

fn lacks(record: &Record, what: &str) -> DiscoveryError {
    DiscoveryError::unfit(
        format!("deployment {} has no {what}", record.id),
        "Name this hook only in AppSpec files of ECS services that have a load balancer.",
    )
}
