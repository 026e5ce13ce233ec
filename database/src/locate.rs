//! From the plan's words to a login: the secret, and the endpoint of the writer where an RDS identifier is named.

use std::time::Duration;

use greenlight::check::CannotTell;
use greenlight::plan::Credentials;
use greenlight::ports::{Database, Ports};
use greenlight::secret_use::{TAG, names};

use crate::login::{Login, LoginError, Overrides};
use crate::{Engine, Halt};

/// Pause before a database is looked at again that changes its state.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// States that pass by themselves, in which no connection can be expected.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>
const PASSING: [&str; 10] = [
    "creating",
    "failing-over",
    "migrating",
    "moving-to-vpc",
    "promoting",
    "rebooting",
    "renaming",
    "starting",
    "upgrading",
    "backtracking",
];

/// States out of which only a person helps. Those that begin so end in the reason.
const BROKEN: [&str; 12] = [
    "cloning-failed",
    "delete-precheck",
    "deleting",
    "failed",
    "inaccessible-encryption-credentials",
    "incompatible-",
    "insufficient-capacity",
    "migration-failed",
    "restore-error",
    "stopped",
    "stopping",
    "storage-full",
];

/// Roots that databases may chain to beside those of RDS and the public ones: PEM, or why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FurtherRoots(Result<Vec<u8>, String>);

impl FurtherRoots {
    /// None.
    pub const NONE: Self = Self(Ok(Vec::new()));

    /// Those in the file that `GREENLIGHT_DATABASE_CA_BUNDLE` names, where it names one.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads what only databases need")]
    pub fn from_environment() -> Self {
        let path = std::env::var("GREENLIGHT_DATABASE_CA_BUNDLE").ok().filter(|path| !path.trim().is_empty());
        path.map_or(Self::NONE, |path| {
            Self(std::fs::read(&path).map_err(|error| format!("GREENLIGHT_DATABASE_CA_BUNDLE names {path}: {error}")))
        })
    }

    /// These, in PEM.
    pub fn these(pem: impl Into<Vec<u8>>) -> Self {
        Self(Ok(pem.into()))
    }
}

/// What is known of a database before anybody connects.
#[derive(Clone, Debug)]
pub struct Located {
    /// How to log in.
    pub login: Login,
    /// What RDS says of it, where the plan names a cluster or an instance.
    pub rds: Option<Database>,
}

/// Reads the secret, or makes a token, and asks RDS. Ends where no connection can be expected. A token is made anew each time:
/// it is looked at only while a connection comes about, and dies with the credentials that signed it. The secret must be one
/// that plans of `owner` may use.
pub async fn locate(
    ports: &Ports,
    owner: &str,
    credentials: &Credentials,
    overrides: &Overrides,
    roots: &FurtherRoots,
) -> Result<Located, Halt> {
    let (login, rds) = match credentials {
        Credentials::Secret(secret) => by_secret(ports, owner, secret, overrides).await?,
        Credentials::Iam(user) => by_token(ports, owner, user, overrides).await?,
    };
    let further = roots.0.as_ref().map_err(|why| CannotTell {
        asked: why.clone(),
        remedy: "Name a readable file of PEM certificates there, or take the variable away; then redeploy.".to_owned(),
        transient: false,
        source: None,
    })?;
    Ok(Located { login: login.trusting(further), rds })
}

/// The two calls side by side.
async fn by_secret(
    ports: &Ports,
    owner: &str,
    secret: &str,
    overrides: &Overrides,
) -> Result<(Login, Option<Database>), Halt> {
    let rds = async {
        match &overrides.cluster {
            Some(identifier) => writer(ports, identifier).await.map(Some),
            None => Ok(None),
        }
    };
    let value = async { Ok(ports.secrets().value_for(owner, secret).await?) };
    let (rds, value) = match tokio::join!(rds, value) {
        // What RDS says is the better reason.
        (Err(halt), _) | (_, Err(halt)) => return Err(halt),
        (Ok(rds), Ok(value)) => (rds, value),
    };
    let mut overrides = overrides.clone();
    overrides.engine = rds.as_ref().and_then(|database| Engine::of(&database.engine));
    overrides.endpoint = rds.as_ref().and_then(|database| database.writer.clone());
    let login = Login::new(&value, &overrides).map_err(|error| wrong_secret(secret, &error))?;
    Ok((login, rds))
}

/// For the endpoint that RDS tells, and no other name of it. One role logs in for all applications: which database is whose, its
/// name or its tag says.
async fn by_token(
    ports: &Ports,
    owner: &str,
    user: &str,
    overrides: &Overrides,
) -> Result<(Login, Option<Database>), Halt> {
    let (Some(identifier), Some(name)) = (&overrides.cluster, &overrides.name) else {
        return Err(Halt::no(
            "the plan asks for IAM authentication and says no database.cluster or no database.name",
            "Give both in the plan: the token is made for the endpoint that RDS tells; then redeploy.",
        ));
    };
    let rds = writer(ports, identifier).await?;
    if identifier != owner && !rds.applications.as_deref().is_some_and(|tag| names(tag, owner)) {
        return Err(Halt::no(
            format!(
                "{} {identifier}: a plan of {owner} may not log in there by IAM authentication: it is not called {owner}, and {}",
                rds.kind,
                match rds.applications {
                    Some(_) => format!("its tag {TAG} does not name {owner}"),
                    None => format!("it has no tag {TAG}"),
                }
            ),
            format!(
                "Name the database of {owner} in the plan, or let the owner of {identifier} write {owner} into its tag {TAG} \
                 (aws rds add-tags-to-resource); then redeploy."
            ),
        ));
    }
    if rds.iam_authentication == Some(false) {
        return Err(Halt::no(
            format!("{} {identifier} has IAM database authentication switched off", rds.kind),
            "Switch it on (aws rds modify-db-cluster or modify-db-instance, --enable-iam-database-authentication), or name a \
             secret in the plan; then redeploy.",
        ));
    }
    let Some((host, port)) = rds.writer.clone() else {
        return Err(Halt::not_yet(
            format!("{} {identifier} has no endpoint", rds.kind),
            LOOK_AGAIN,
            "Wait until RDS calls it available; then redeploy.",
        ));
    };
    let endpoint = (host, overrides.port.unwrap_or(port));
    let token = ports.database_token(&endpoint, user).await?;
    let engine = Engine::of(&rds.engine).unwrap_or(Engine::PostgreSql);
    let login = Login::by_token(engine, endpoint, name.clone(), user.to_owned(), token, rds.resource_id.as_deref());
    Ok((login, Some(rds)))
}

/// What RDS says, if its state lets anybody in. A state that nobody knows here is left to the connection to judge.
async fn writer(ports: &Ports, identifier: &str) -> Result<Database, Halt> {
    let Some(database) = ports.databases().database(identifier).await? else {
        return Err(Halt::no(
            format!("RDS has neither a cluster nor an instance {identifier}"),
            "Correct database.cluster in the plan: the identifier in this account and Region; then redeploy.",
        ));
    };
    let Database { kind, status, engine, .. } = &database;
    let state = format!("{kind} {identifier} is {status}");
    if Engine::of(engine).is_none() {
        return Err(Halt::CannotTell(CannotTell {
            asked: format!(
                "{kind} {identifier}: it is {engine}, and greenlight speaks to PostgreSQL, MySQL and MariaDB"
            ),
            remedy: "Take database out of the plan; then redeploy.".to_owned(),
            transient: false,
            source: None,
        }));
    }
    if BROKEN.iter().any(|broken| status.starts_with(broken)) {
        return Err(Halt::no(state, "Bring the database back, as its events in RDS say; then redeploy."));
    }
    if PASSING.contains(&status.as_str()) || database.writer.is_none() {
        return Err(Halt::not_yet(state, LOOK_AGAIN, "Wait until RDS calls it available; then redeploy."));
    }
    Ok(database)
}

fn wrong_secret(secret: &str, error: &LoginError) -> Halt {
    Halt::no(
        format!("secret {secret} {error}"),
        "Give the secret RDS's form {username, password, host, port, dbname, engine}, or name database.cluster or host, \
         port and name in the plan; then redeploy.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use greenlight::check::Answer;
    use greenlight::fakes::Fakes;
    use greenlight::plan::Credentials;
    use greenlight::ports::Database;

    use super::{FurtherRoots, Located, locate};
    use crate::Halt;
    use crate::login::Overrides;

    async fn told(database: Option<Database>) -> String {
        let fakes = Fakes::well();
        let secret = r#"{"username":"a","password":"b","host":"old.example","port":1,"dbname":"orders"}"#;
        fakes.state().secrets.insert("orders/migrator".to_owned(), secret.to_owned());
        fakes.state().databases.extend(database);
        let overrides = Overrides { cluster: Some("orders".to_owned()), ..Overrides::default() };
        at(locate(&fakes.ports(), "orders", &migrator(), &overrides, &FurtherRoots::NONE).await)
    }

    fn migrator() -> Credentials {
        Credentials::Secret("orders/migrator".to_owned())
    }

    fn at(located: Result<Located, Halt>) -> String {
        match located {
            Ok(located) => format!("at {}", located.login.place()),
            Err(halt) => match halt.into_answer() {
                Ok(Answer::No { evidence, .. }) => format!("no: {evidence}"),
                Ok(Answer::NotYet { evidence, .. }) => format!("not yet: {evidence}"),
                Ok(Answer::Yes { evidence }) => evidence,
                Err(unknown) => format!("cannot tell: {unknown}"),
            },
        }
    }

    fn database(status: &str) -> Option<Database> {
        Some(Database {
            kind: "cluster",
            identifier: "orders".to_owned(),
            engine: "aurora-postgresql".to_owned(),
            status: status.to_owned(),
            resource_id: Some("cluster-ABC".to_owned()),
            iam_authentication: Some(true),
            applications: None,
            writer: Some(("orders.cluster-1.eu-central-1.rds.amazonaws.com".to_owned(), 5432)),
        })
    }

    #[tokio::test]
    async fn states_that_serve_lead_to_the_writer_and_unknown_ones_too() {
        for status in ["available", "backing-up", "storage-optimization", "modifying", "a-new-word"] {
            let at = "at orders on orders.cluster-1.eu-central-1.rds.amazonaws.com:5432";
            assert_eq!(told(database(status)).await, at, "{status}");
        }
    }

    #[tokio::test]
    async fn states_that_do_not_serve_are_told_apart() {
        assert_eq!(told(database("failing-over")).await, "not yet: cluster orders is failing-over");
        for status in
            ["stopped", "storage-full", "incompatible-network", "inaccessible-encryption-credentials-recoverable"]
        {
            assert_eq!(told(database(status)).await, format!("no: cluster orders is {status}"));
        }
        let without = database("available").map(|database| Database { writer: None, ..database });
        assert_eq!(told(without).await, "not yet: cluster orders is available");
    }

    #[tokio::test]
    async fn what_is_not_there_or_of_another_engine_is_said() {
        assert_eq!(told(None).await, "no: RDS has neither a cluster nor an instance orders");
        let other = database("available").map(|database| Database { engine: "db2-se".to_owned(), ..database });
        assert_eq!(
            told(other).await,
            "cannot tell: cluster orders: it is db2-se, and greenlight speaks to PostgreSQL, MySQL and MariaDB"
        );
    }

    #[tokio::test]
    async fn without_an_identifier_the_secret_says_where_it_is() {
        let fakes = Fakes::well();
        let secret = r#"{"username":"a","password":"b","host":"old.example","port":1,"dbname":"orders"}"#;
        fakes.state().secrets.insert("orders/migrator".to_owned(), secret.to_owned());
        let located = locate(&fakes.ports(), "orders", &migrator(), &Overrides::default(), &FurtherRoots::NONE).await;
        assert_eq!(located.unwrap().login.place(), "orders on old.example:1");
    }

    #[tokio::test]
    async fn a_token_is_made_for_the_endpoint_that_rds_tells() {
        let told = async |iam_authentication| {
            let fakes = Fakes::well();
            let token = "token:orders.cluster-1.eu-central-1.rds.amazonaws.com:5432/migrator";
            fakes.state().secrets.insert(token.to_owned(), "signed".to_owned());
            fakes.state().databases.extend(database("available").map(|it| Database { iam_authentication, ..it }));
            let cluster = Some("orders".to_owned());
            let overrides = Overrides { cluster, name: Some("shop".to_owned()), ..Overrides::default() };
            let user = Credentials::Iam("migrator".to_owned());
            let located = locate(&fakes.ports(), "orders", &user, &overrides, &FurtherRoots::NONE).await;
            if let Ok(Located { login, .. }) = &located {
                assert!(login.is_verified() && login.user == "migrator");
                assert!(login.remedy().starts_with("Allow rds-db:connect on dbuser:cluster-ABC/migrator in"));
            }
            at(located)
        };
        let expected = "at shop on orders.cluster-1.eu-central-1.rds.amazonaws.com:5432";
        assert_eq!((told(Some(true)).await, told(None).await), (expected.to_owned(), expected.to_owned()));
        assert_eq!(told(Some(false)).await, "no: cluster orders has IAM database authentication switched off");
    }

    /// The role may log in at every database that the owner of the suite lists; a plan may at its own.
    #[tokio::test]
    async fn a_plan_logs_in_by_token_only_where_name_or_tag_say_whose_the_database_is() {
        let told = async |owner: &str, tag: Option<&str>| {
            let fakes = Fakes::well();
            let token = "token:orders.cluster-1.eu-central-1.rds.amazonaws.com:5432/migrator";
            fakes.state().secrets.insert(token.to_owned(), "signed".to_owned());
            let applications = tag.map(str::to_owned);
            fakes.state().databases.extend(database("available").map(|it| Database { applications, ..it }));
            let cluster = Some("orders".to_owned());
            let overrides = Overrides { cluster, name: Some("shop".to_owned()), ..Overrides::default() };
            let user = Credentials::Iam("migrator".to_owned());
            at(locate(&fakes.ports(), owner, &user, &overrides, &FurtherRoots::NONE).await)
        };
        for (owner, tag) in
            [("orders", None), ("billing", Some("orders billing")), ("shop/orders", Some("shop/orders"))]
        {
            assert!(told(owner, tag).await.starts_with("at shop on orders.cluster-1"), "{owner} {tag:?}");
        }
        let no = "no: cluster orders: a plan of billing may not log in there by IAM authentication: it is not called billing, and ";
        assert_eq!(told("billing", None).await, format!("{no}it has no tag greenlight:applications"));
        assert_eq!(
            told("billing", Some("bill")).await,
            format!("{no}its tag greenlight:applications does not name billing")
        );
        assert!(told("shop/orders", None).await.starts_with("no: "));
    }
}
