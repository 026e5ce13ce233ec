//! What is asked of ECR, CloudWatch Logs, RDS, S3, Secrets Manager and Systems Manager, and what their answers mean.

use greenlight::ports::{
    BucketFolder, Databases, EcrImage, Images, LogStream, Logs, Objects, Parameters, Presence, Scan, SecretDescription,
    Secrets,
};

use crate::aws;
use crate::wire::{Reply, Server, json, json_error, xml};

fn image(name: &str) -> EcrImage {
    EcrImage::parse(&format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/{name}")).expect("an image of ECR")
}

/// ECR without any image, but with a rule for repositories below `hub`.
fn empty(action: &str, body: &str) -> Reply {
    match action {
        "DescribeImages" if body.contains("gone") => json_error(400, "RepositoryNotFoundException", "no repository"),
        "DescribeImages" => json_error(400, "ImageNotFoundException", "no image"),
        "DescribePullThroughCacheRules" if !body.contains("nextToken") => {
            json(r#"{"pullThroughCacheRules": [{"ecrRepositoryPrefix": "quay"}], "nextToken": "2"}"#)
        }
        "DescribePullThroughCacheRules" => json(r#"{"pullThroughCacheRules": [{"ecrRepositoryPrefix": "hub"}]}"#),
        other => json_error(400, "UnknownOperationException", other),
    }
}

#[tokio::test]
async fn an_image_that_is_not_there_may_be_fetched_at_the_first_pull() {
    let server = Server::start(empty);
    let aws = aws(&server);
    for (name, presence) in [
        ("orders:42", Presence::NoImage),
        ("gone:42", Presence::NoRepository),
        ("hub/library/nginx:1", Presence::FetchedAtFirstPull),
        ("hubs/nginx:1", Presence::NoImage),
    ] {
        assert_eq!(aws.presence(&image(name)).await.expect("an answer"), presence, "{name}");
    }
    let (_, asked) = server.calls().remove(0);
    assert!(asked.contains(r#""registryId":"123456789012""#) && asked.contains(r#""imageTag":"42""#), "{asked}");
}

/// Who may not know the rules takes a missing image for missing; who may not know the images knows nothing.
#[tokio::test]
async fn refused_rules_hide_no_missing_image() {
    let server = Server::start(|action, body| match action {
        "DescribePullThroughCacheRules" => json_error(400, "AccessDeniedException", "not authorized"),
        _ => empty(action, body),
    });
    assert_eq!(aws(&server).presence(&image("orders:42")).await.expect("an answer"), Presence::NoImage);
    let server = Server::start(|_, _| json_error(400, "AccessDeniedException", "not authorized"));
    let unknown = aws(&server).presence(&image("orders:42")).await.expect_err("nobody may know");
    assert_eq!(unknown.remedy, "Allow ecr:DescribeImages in the function's role, then redeploy.");
}

#[tokio::test]
async fn a_scan_counts_only_when_it_is_complete() {
    let scan = async |status: &'static str| {
        let server = Server::start(move |_, _| {
            let findings = r#""imageScanFindings": {"findingSeverityCounts": {"CRITICAL": 1, "UNTRIAGED": 2}}"#;
            json(&format!(r#"{{"imageScanStatus": {{"status": "{status}", "description": "said"}}, {findings}}}"#))
        });
        aws(&server).scan(&image("orders@sha256:0")).await.expect("an answer")
    };
    let counts = Scan::Complete([("CRITICAL".to_owned(), 1), ("UNTRIAGED".to_owned(), 2)].into());
    assert_eq!((scan("COMPLETE").await, scan("ACTIVE").await), (counts.clone(), counts));
    assert_eq!(scan("IN_PROGRESS").await, Scan::UnderWay("IN_PROGRESS: said".to_owned()));
    assert_eq!(scan("PENDING").await, Scan::UnderWay("PENDING: said".to_owned()));
    assert_eq!(scan("FAILED").await, Scan::Without("its scan is FAILED: said".to_owned()));
    let server = Server::start(|_, _| json_error(400, "ScanNotFoundException", "none"));
    let never = Scan::Without("the image was never scanned".to_owned());
    assert_eq!(aws(&server).scan(&image("orders:42")).await.expect("an answer"), never);
    let server = Server::start(|_, _| json(r#"{"imageScanStatus": {"status": "COMPLETE"}}"#));
    aws(&server).scan(&image("orders:42")).await.expect_err("a scan without counts is no clean scan");
}

/// CloudWatch gives empty pages while there are events before them.
#[tokio::test]
async fn the_last_lines_are_looked_for_behind_an_empty_page() {
    let stream = |region: Option<&str>| LogStream {
        region: region.map(str::to_owned),
        group: "/ecs/orders".to_owned(),
        stream: "ecs/app/1".to_owned(),
    };
    let server = Server::start(|_, body| {
        if body.contains("nextToken") {
            json(r#"{"events": [{"message": "giving up"}], "nextBackwardToken": "b/1"}"#)
        } else {
            json(r#"{"events": [], "nextBackwardToken": "b/2"}"#)
        }
    });
    let lines = aws(&server).last_lines(&stream(None), 10).await.expect("an answer");
    assert_eq!(lines, Some(vec!["giving up".to_owned()]));
    let server = Server::start(|_, _| json(r#"{"events": [], "nextBackwardToken": "b/2"}"#));
    assert_eq!(aws(&server).last_lines(&stream(Some("us-east-1")), 10).await.expect("an answer"), Some(Vec::new()));
    assert_eq!(server.calls().len(), 2, "the same token again is the end");
    let server = Server::start(|_, _| json_error(400, "ResourceNotFoundException", "no stream"));
    assert_eq!(aws(&server).last_lines(&stream(None), 10).await.expect("an answer"), None);
}

#[tokio::test]
async fn a_database_is_a_cluster_or_an_instance() {
    const CLUSTER: &str = "<DBClusters><DBCluster><Engine>aurora-postgresql</Engine><Status>backing-up</Status>\
                           <Endpoint>w.example</Endpoint><Port>5432</Port></DBCluster></DBClusters>";
    const INSTANCE: &str = "<DBInstances><DBInstance><Engine>postgres</Engine><DBInstanceStatus>available\
                            </DBInstanceStatus><Endpoint><Address>i.example</Address><Port>5433</Port></Endpoint>\
                            </DBInstance></DBInstances>";
    let told = async |has_cluster: bool, has_instance: bool| {
        let server = Server::start(move |action, _| match action {
            "DescribeDBClusters" if has_cluster => xml(action, CLUSTER),
            "DescribeDBClusters" => Reply::xml_error(404, "DBClusterNotFoundFault", "none"),
            _ if has_instance => xml(action, INSTANCE),
            _ => Reply::xml_error(404, "DBInstanceNotFound", "none"),
        });
        let found = aws(&server).database("orders").await.expect("an answer")?;
        Some((found.kind, found.status, found.writer?))
    };
    let cluster = Some(("cluster", "backing-up".to_owned(), ("w.example".to_owned(), 5432)));
    let instance = Some(("instance", "available".to_owned(), ("i.example".to_owned(), 5433)));
    assert_eq!((told(true, true).await, told(true, false).await), (cluster.clone(), cluster));
    assert_eq!((told(false, true).await, told(false, false).await), (instance, None));
    let server = Server::start(|_, _| Reply::xml_error(403, "AccessDenied", "not authorized"));
    assert!(aws(&server).database("orders").await.is_err(), "nobody may know");
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_told_from_one_that_may_not_be_read() {
    let server = Server::start(|_, body| match body {
        body if body.contains("gone") => json_error(400, "ResourceNotFoundException", "Secrets Manager can't find it."),
        _ => json_error(400, "AccessDeniedException", "not authorized"),
    });
    let aws = aws(&server);
    let gone = aws.value("orders/gone").await.expect_err("there is none");
    assert_eq!(gone.remedy, "Create the secret, or correct its name in the plan; then redeploy.");
    let denied = aws.value("orders/migrator").await.expect_err("nobody may read it");
    assert_eq!(denied.remedy, "Allow secretsmanager:GetSecretValue in the function's role, then redeploy.");
}

/// P6: what exists is known without what it is.
#[tokio::test]
async fn secrets_and_parameters_are_described_and_not_read() {
    let server = Server::start(|action, body| match action {
        "DescribeSecret" if body.contains("gone") => json_error(400, "ResourceNotFoundException", "none"),
        "DescribeSecret" => json(
            r#"{"DeletedDate": 1.0, "VersionIdsToStages": {"v1": ["AWSCURRENT"]}, "Tags": [{"Key": "team", "Value": "x"},
                {"Key": "greenlight:applications", "Value": "orders billing"}]}"#,
        ),
        "DescribeParameters" if body.contains("NextToken") => json(r#"{"Parameters": [{"Name": "b"}]}"#),
        "DescribeParameters" => json(r#"{"Parameters": [{"Name": "a"}], "NextToken": "2"}"#),
        other => json_error(400, "UnknownOperationException", other),
    });
    let aws = aws(&server);
    let versions = vec![("v1".to_owned(), vec!["AWSCURRENT".to_owned()])];
    let found = aws.description("orders/token").await.expect("an answer");
    let applications = Some("orders billing".to_owned());
    assert_eq!(found, Some(SecretDescription { is_being_deleted: true, versions, applications }));
    assert_eq!(aws.description("gone").await.expect("an answer"), None);
    let names = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(aws.existing(Some("us-east-1"), &names).await.expect("an answer"), ["a", "b"]);
}

fn s3_error(status: u16, code: &str) -> Reply {
    Reply::xml(status, &format!("<Error><Code>{code}</Code><Message>said</Message></Error>"))
}

/// Each page leads to the next; the folder's marker and what lies deeper are no files of it.
#[tokio::test]
async fn a_folder_of_a_bucket_is_listed_page_by_page() {
    let page = |keys: &[&str], next: &str| {
        let objects: String =
            keys.iter().map(|key| format!("<Contents><Key>{key}</Key><Size>7</Size></Contents>")).collect();
        Reply::xml(200, &format!("<ListBucketResult>{objects}{next}</ListBucketResult>"))
    };
    let server = Server::start(move |path, _| match path {
        "/shop/a/1_a%20b.sql" => Reply::xml(206, "select"),
        path if path.contains("continuation-token=two%2F") => page(&["a/3.sql", "a/10+x.sql"], ""),
        path if path.starts_with("/shop?") => {
            page(&["a/", "a/2.sql"], "<NextContinuationToken>two/</NextContinuationToken>")
        }
        path if path.starts_with("/gone?") => s3_error(404, "NoSuchBucket"),
        path if path.starts_with("/abroad?") => s3_error(301, "PermanentRedirect"),
        _ => s3_error(403, "AccessDenied"),
    });
    let aws = aws(&server);
    let folder = |text: &str| BucketFolder::parse(text).expect("a place in S3");
    let listed = aws.listed(&folder("s3://shop/a/")).await.expect("an answer").expect("the bucket is there");
    let listed: Vec<_> = listed.iter().map(|entry| (entry.name.as_str(), entry.bytes)).collect();
    assert_eq!(listed, [("10 x.sql", 7), ("2.sql", 7), ("3.sql", 7)]);
    assert_eq!(aws.content(&folder("s3://shop/a"), "1_a b.sql", 6).await.expect("an answer"), b"select");
    assert_eq!(aws.listed(&folder("s3://gone/a/")).await.expect("an answer"), None);
    let abroad = aws.listed(&folder("s3://abroad/a/")).await.expect_err("it lies elsewhere");
    assert_eq!(abroad.remedy, "Use a bucket of the function's own Region, eu-central-1; then redeploy.");
    let denied = aws.content(&folder("s3://shop/b/"), "1_a.sql", 6).await.expect_err("nobody may look");
    assert_eq!(denied.remedy, "Allow s3:GetObject in the function's role, then redeploy.");
    let denied = aws.listed(&folder("s3://private/")).await.expect_err("nobody may look");
    assert_eq!(denied.remedy, "Allow s3:ListBucket in the function's role, then redeploy.");
}
