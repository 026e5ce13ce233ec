//! RDS: database instances, and the clusters they form.

use serde::{Deserialize, Serialize};

use super::context::{Context, Operation, Time, number, short_hash};
use super::refusal::Refusal;
use crate::world::stores::{Database, resource_id};
use crate::world::{ACCOUNT, REGION, State, ZONES};

/// What is implemented.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("DescribeDBClusters", |context, input| context.run(input, describe_clusters)),
    ("DescribeDBInstances", |context, input| context.run(input, describe_instances)),
];

/// RDS names the items of its lists, each list in its own way.
pub(super) fn item_name(list: &str) -> &'static str {
    match list {
        "AvailabilityZones" => "AvailabilityZone",
        "DBClusterMembers" => "DBClusterMember",
        "DBClusters" => "DBCluster",
        "DBInstances" => "DBInstance",
        "TagList" => "Tag",
        "VpcSecurityGroups" => "VpcSecurityGroupMembership",
        _ => "member",
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeInstances {
    #[serde(rename = "DBInstanceIdentifier")]
    identifier: Option<String>,
    #[serde(flatten)]
    listing: Listing,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeClusters {
    #[serde(rename = "DBClusterIdentifier")]
    identifier: Option<String>,
    #[serde(flatten)]
    listing: Listing,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    filters: Option<Vec<Filter>>,
    #[serde(default, deserialize_with = "number")]
    max_records: Option<usize>,
    marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    name: String,
    values: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Instances {
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
    #[serde(rename = "DBInstances")]
    instances: Vec<Instance>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Instance {
    #[serde(rename = "DBInstanceIdentifier")]
    identifier: String,
    #[serde(rename = "DBInstanceClass")]
    class: &'static str,
    engine: String,
    #[serde(rename = "DBInstanceStatus")]
    status: String,
    #[serde(rename = "DBName")]
    name: String,
    endpoint: Endpoint,
    instance_create_time: Time,
    vpc_security_groups: Vec<SecurityGroup>,
    availability_zone: &'static str,
    #[serde(rename = "MultiAZ")]
    multi_az: bool,
    engine_version: String,
    publicly_accessible: bool,
    #[serde(skip_serializing_if = "Option::is_none", rename = "DBClusterIdentifier")]
    cluster: Option<String>,
    storage_encrypted: bool,
    dbi_resource_id: String,
    #[serde(rename = "DBInstanceArn")]
    arn: String,
    #[serde(rename = "IAMDatabaseAuthenticationEnabled")]
    iam_authentication: bool,
    deletion_protection: bool,
    tag_list: Vec<Tag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    address: String,
    port: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SecurityGroup {
    vpc_security_group_id: &'static str,
    status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Clusters {
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
    #[serde(rename = "DBClusters")]
    clusters: Vec<Cluster>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Cluster {
    availability_zones: Vec<&'static str>,
    database_name: String,
    #[serde(rename = "DBClusterIdentifier")]
    identifier: String,
    status: String,
    endpoint: String,
    #[serde(rename = "MultiAZ")]
    multi_az: bool,
    engine: String,
    engine_version: String,
    port: u16,
    #[serde(rename = "DBClusterMembers")]
    members: Vec<Member>,
    vpc_security_groups: Vec<SecurityGroup>,
    storage_encrypted: bool,
    db_cluster_resource_id: String,
    #[serde(rename = "DBClusterArn")]
    arn: String,
    #[serde(rename = "IAMDatabaseAuthenticationEnabled")]
    iam_authentication: bool,
    cluster_create_time: Time,
    deletion_protection: bool,
    tag_list: Vec<Tag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Member {
    #[serde(rename = "DBInstanceIdentifier")]
    instance: String,
    is_cluster_writer: bool,
    promotion_tier: u32,
}

fn describe_instances(context: &Context<'_>, input: DescribeInstances) -> Result<Instances, Refusal> {
    let all = context.world.read(|state| {
        let wanted = input.identifier.as_deref().map(last_of_arn);
        if let Some(missing) = wanted.filter(|it| !state.stores.databases.contains_key(*it)) {
            return Err(not_found("DBInstanceNotFound", format!("DBInstance {missing} not found.")));
        }
        let mut found: Vec<(&String, &Database)> = state.stores.databases.iter().collect();
        found.retain(|(identifier, _)| wanted.is_none_or(|wanted| wanted == identifier.as_str()));
        for filter in input.listing.filters.iter().flatten() {
            let one_of = |value: &str| filter.values.iter().any(|it| last_of_arn(it) == value);
            match filter.name.as_str() {
                "db-instance-id" => found.retain(|(identifier, _)| one_of(identifier)),
                "db-cluster-id" => found.retain(|(_, it)| it.cluster.as_deref().is_some_and(one_of)),
                "engine" => found.retain(|(_, it)| one_of(&it.engine)),
                other => return Err(unknown_filter(other)),
            }
        }
        Ok(found.into_iter().map(|(identifier, database)| instance(context, identifier, database)).collect())
    })?;
    let (instances, marker) = input.listing.page(context, all)?;
    Ok(Instances { marker, instances })
}

fn describe_clusters(context: &Context<'_>, input: DescribeClusters) -> Result<Clusters, Refusal> {
    let all = context.world.read(|state| {
        let mut names: Vec<&str> = state.stores.databases.values().filter_map(|it| it.cluster.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        if let Some(wanted) = input.identifier.as_deref().map(last_of_arn) {
            names.retain(|name| *name == wanted);
            if names.is_empty() {
                return Err(not_found("DBClusterNotFoundFault", format!("DBCluster {wanted} not found.")));
            }
        }
        for filter in input.listing.filters.iter().flatten() {
            match filter.name.as_str() {
                "db-cluster-id" => names.retain(|name| filter.values.iter().any(|it| last_of_arn(it) == *name)),
                other => return Err(unknown_filter(other)),
            }
        }
        Ok(names.into_iter().filter_map(|name| cluster(context, state, name)).collect())
    })?;
    let (clusters, marker) = input.listing.page(context, all)?;
    Ok(Clusters { marker, clusters })
}

impl Listing {
    fn page<T>(&self, context: &Context<'_>, items: Vec<T>) -> Result<(Vec<T>, Option<String>), Refusal> {
        if self.max_records.is_some_and(|most| !(20..=100).contains(&most)) {
            return Err(Refusal::new("InvalidParameterValue", "MaxRecords must be between 20 and 100"));
        }
        context
            .page(items, self.marker.as_deref(), self.max_records, 100)
            .ok_or_else(|| Refusal::new("InvalidParameterValue", "The marker is not valid"))
    }
}

fn instance(context: &Context<'_>, identifier: &str, database: &Database) -> Instance {
    Instance {
        identifier: identifier.to_owned(),
        class: "db.t4g.medium",
        engine: database.engine.clone(),
        status: database.status.clone(),
        name: database.name.clone(),
        endpoint: Endpoint { address: database.host.clone(), port: database.port },
        instance_create_time: context.time(database.created_at),
        vpc_security_groups: security_groups(),
        availability_zone: ZONES[0],
        multi_az: false,
        engine_version: database.engine_version.clone(),
        publicly_accessible: false,
        cluster: database.cluster.clone(),
        storage_encrypted: true,
        dbi_resource_id: resource_id(identifier),
        arn: format!("arn:aws:rds:{REGION}:{ACCOUNT}:db:{identifier}"),
        iam_authentication: database.iam_authentication,
        deletion_protection: false,
        tag_list: tags(database),
    }
}

/// The first instance is the writer; the cluster's endpoint is its.
fn cluster(context: &Context<'_>, state: &State, name: &str) -> Option<Cluster> {
    let of_cluster = || state.stores.databases.iter().filter(|(_, it)| it.cluster.as_deref() == Some(name));
    let (_, writer) = of_cluster().next()?;
    let member = |(place, (instance, _)): (usize, (&String, &Database))| Member {
        instance: instance.clone(),
        is_cluster_writer: place == 0,
        promotion_tier: 1,
    };
    Some(Cluster {
        availability_zones: ZONES.to_vec(),
        database_name: writer.name.clone(),
        identifier: name.to_owned(),
        status: writer.status.clone(),
        endpoint: writer.host.clone(),
        multi_az: of_cluster().count() > 1,
        engine: writer.engine.clone(),
        engine_version: writer.engine_version.clone(),
        port: writer.port,
        members: of_cluster().enumerate().map(member).collect(),
        vpc_security_groups: security_groups(),
        storage_encrypted: true,
        db_cluster_resource_id: format!("cluster-{}", short_hash(name, 26).to_uppercase()),
        arn: format!("arn:aws:rds:{REGION}:{ACCOUNT}:cluster:{name}"),
        iam_authentication: writer.iam_authentication,
        cluster_create_time: context.time(writer.created_at),
        deletion_protection: false,
        tag_list: tags(writer),
    })
}

fn tags(database: &Database) -> Vec<Tag> {
    database.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

fn security_groups() -> Vec<SecurityGroup> {
    vec![SecurityGroup { vpc_security_group_id: "sg-00000000000000000", status: "active" }]
}

fn last_of_arn(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn not_found(code: &str, message: String) -> Refusal {
    Refusal::new(code, message).with_status(http::StatusCode::NOT_FOUND)
}

fn unknown_filter(name: &str) -> Refusal {
    Refusal::new("InvalidParameterValue", format!("Unrecognized filter name: {name}"))
}
