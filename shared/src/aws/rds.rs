//! RDS: the status of a database, and where its writer is.

use async_trait::async_trait;

use super::Aws;
use super::failure::{code, explain};
use crate::check::CannotTell;
use crate::ports::{Database, Databases};

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
            writer: found.endpoint.and_then(|endpoint| endpoint.address.zip(endpoint.port.and_then(port))),
        }))
    }
}

fn port(number: i32) -> Option<u16> {
    u16::try_from(number).ok()
}
