//! RDS: the status of a database, where its writer is, and the token with which a role logs in there.

use async_trait::async_trait;
use aws_sdk_rds::auth_token::{AuthTokenGenerator, Config};
use aws_sdk_rds::types::Tag;
use aws_smithy_async::time::SystemTimeSource;

use super::Aws;
use super::failure::{code, explain};
use crate::check::CannotTell;
use crate::ports::{Database, Databases, Secret};
use crate::secret_use::TAG;

/// Clusters and instances have identifiers of their own kind: both are asked, and a cluster wins.
#[async_trait]
impl Databases for Aws {
    async fn database(&self, identifier: &str) -> Result<Option<Database>, CannotTell> {
        match tokio::join!(self.cluster(identifier), self.instance(identifier)) {
            (Ok(Some(found)), _) | (_, Ok(Some(found))) => Ok(Some(found)),
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(None), Ok(None)) => Ok(None),
        }
    }

    async fn token(&self, (host, port): &(String, u16), user: &str) -> Result<Secret, CannotTell> {
        let unsigned = |source| CannotTell {
            asked: format!("a token for {user} at {host}:{port}"),
            remedy: "Look at the function's role and Region, then redeploy.".to_owned(),
            transient: false,
            source: Some(source),
        };
        let wanted =
            Config::builder().hostname(host).port(u64::from(*port)).username(user).build().map_err(unsigned)?;
        let config = self.config.to_builder().time_source(SystemTimeSource::new()).build();
        let token = AuthTokenGenerator::new(wanted).auth_token(&config).await.map_err(unsigned)?;
        Ok(Secret::new(token.as_str()))
    }
}

impl Aws {
    async fn cluster(&self, identifier: &str) -> Result<Option<Database>, CannotTell> {
        let answer = match self.rds().describe_db_clusters().db_cluster_identifier(identifier).send().await {
            Ok(answer) => answer,
            Err(error) if matches!(code(&error), Some("DBClusterNotFoundFault" | "DBClusterNotFound")) => {
                return Ok(None);
            }
            Err(error) => return Err(explain("rds:DescribeDBClusters", identifier, &error)),
        };
        Ok(answer.db_clusters.unwrap_or_default().into_iter().next().map(|found| Database {
            kind: "cluster",
            identifier: identifier.to_owned(),
            engine: found.engine.unwrap_or_default(),
            status: found.status.unwrap_or_default(),
            resource_id: found.db_cluster_resource_id,
            iam_authentication: found.iam_database_authentication_enabled,
            applications: applications(found.tag_list.as_deref()),
            writer: found.endpoint.zip(found.port.and_then(port)),
        }))
    }

    async fn instance(&self, identifier: &str) -> Result<Option<Database>, CannotTell> {
        let answer = match self.rds().describe_db_instances().db_instance_identifier(identifier).send().await {
            Ok(answer) => answer,
            Err(error) if matches!(code(&error), Some("DBInstanceNotFound" | "DBInstanceNotFoundFault")) => {
                return Ok(None);
            }
            Err(error) => return Err(explain("rds:DescribeDBInstances", identifier, &error)),
        };
        Ok(answer.db_instances.unwrap_or_default().into_iter().next().map(|found| Database {
            kind: "instance",
            identifier: identifier.to_owned(),
            engine: found.engine.unwrap_or_default(),
            status: found.db_instance_status.unwrap_or_default(),
            resource_id: found.dbi_resource_id,
            iam_authentication: found.iam_database_authentication_enabled,
            applications: applications(found.tag_list.as_deref()),
            writer: found.endpoint.and_then(|endpoint| endpoint.address.zip(endpoint.port.and_then(port))),
        }))
    }
}

fn applications(tags: Option<&[Tag]>) -> Option<String> {
    let tag = tags.unwrap_or_default().iter().find(|tag| tag.key.as_deref() == Some(TAG))?;
    Some(tag.value.clone().unwrap_or_default())
}

fn port(number: i32) -> Option<u16> {
    u16::try_from(number).ok()
}
