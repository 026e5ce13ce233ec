//! Where the database is and who we are there, from the secret and the plan.

use std::net::IpAddr;

use greenlight::plan;
use greenlight::ports::Secret;
use serde::Deserialize;
use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::Engine;

const ONLY_THERE: &str = "a password goes to no host but that of its secret, or of the database.cluster that RDS knows";

/// The roots that Amazon RDS's certificates chain to; the file says how old they are. RDS Proxy's chain to public roots,
/// which sqlx brings.
const RDS_ROOTS: &[u8] = include_bytes!("../roots/rds.pem");

/// What the plan says about the database. Port and name win over the secret; the host must be the secret's, for a plan is written
/// by other people than those who own the password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Name of the host.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Name of the database.
    pub name: Option<String>,
    /// Identifier of an RDS cluster or instance, whose writer endpoint is the host.
    pub cluster: Option<String>,
    /// What RDS says it is.
    pub engine: Option<Engine>,
    /// The writer's endpoint, as RDS says: wins over the secret's host.
    pub endpoint: Option<(String, u16)>,
}

impl From<&plan::Database> for Overrides {
    fn from(planned: &plan::Database) -> Self {
        let plan::Database { host, port, name, cluster, .. } = planned.clone();
        Self { host, port, name, cluster, engine: None, endpoint: None }
    }
}

/// Everything needed to connect. `Debug` does not show the password.
#[derive(Clone, Debug)]
pub struct Login {
    /// What is spoken there.
    pub engine: Engine,
    /// Name or address of the host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Name of the database.
    pub database: String,
    /// Who we are.
    pub user: String,
    password: Secret,
    by: By,
    tls: Tls,
    roots: Vec<u8>,
}

/// Where the password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    /// A secret.
    Secret,
    /// A signature of the function's role. IAM names the user so: `cluster-ABC/migrator`.
    Token(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// Certificate and name must be right.
    Verified,
    /// Only the certificate.
    VerifiedAuthority,
    /// Encrypted, unverified.
    Required,
    /// If the server wants it.
    Preferred,
    /// Not at all.
    None,
}

/// What is wrong with the secret, without its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LoginError(String);

/// The form in which RDS itself keeps a login in Secrets Manager, and `sslmode` besides.
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html>
#[derive(Deserialize)]
struct RdsSecret {
    username: Option<String>,
    password: Option<String>,
    host: Option<String>,
    port: Option<Port>,
    dbname: Option<String>,
    engine: Option<String>,
    sslmode: Option<String>,
}

/// RDS writes a number, people write a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Text(String),
}

impl Login {
    /// Reads the secret, and what the plan and RDS say besides.
    pub fn new(secret: &Secret, overrides: &Overrides) -> Result<Self, LoginError> {
        // serde's messages quote the value they stumble over, which may be the password.
        let found: RdsSecret = serde_json::from_str(secret.expose()).map_err(|error| {
            LoginError(format!("is not a JSON object of RDS's form (line {}, column {})", error.line(), error.column()))
        })?;
        let engine = match (overrides.engine, found.engine.as_deref().filter(|engine| !engine.is_empty())) {
            (Some(engine), _) => engine,
            (None, None) => Engine::PostgreSql,
            (None, Some(word)) => Engine::of(word).ok_or_else(|| {
                LoginError(format!("is for engine {word}; greenlight speaks to PostgreSQL, MySQL and MariaDB"))
            })?,
        };
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let host = match (&overrides.endpoint, &overrides.host, given(found.host)) {
            (Some((host, _)), ..) => Some(host.clone()),
            (None, Some(planned), Some(own)) if !planned.eq_ignore_ascii_case(&own) => {
                return Err(LoginError(format!("is for the host {own}, and the plan names {planned}: {ONLY_THERE}")));
            }
            (None, Some(planned), None) => {
                return Err(LoginError(format!("has no host, and the plan names {planned}: {ONLY_THERE}")));
            }
            (None, _, own) => own,
        };
        let database = overrides.name.clone().or(given(found.dbname));
        let (user, password) = (given(found.username), given(found.password));
        let missing: Vec<_> = [
            ("username", user.is_none()),
            ("password", password.is_none()),
            ("host", host.is_none()),
            ("dbname", database.is_none()),
        ]
        .into_iter()
        .filter_map(|(key, missing)| missing.then_some(key))
        .collect();
        let (Some(host), Some(database), Some(user), Some(password)) = (host, database, user, password) else {
            return Err(LoginError(format!("has no {}", missing.join(", no "))));
        };
        let secret_port = match found.port {
            None => engine.port(),
            Some(Port::Number(port)) => port,
            Some(Port::Text(text)) => {
                text.parse().map_err(|_| LoginError("has a port that is not a number".to_owned()))?
            }
        };
        let tls = match found.sslmode.as_deref() {
            None if is_loopback(&host) => Tls::Preferred,
            None | Some("verify-full") => Tls::Verified,
            Some("verify-ca") => Tls::VerifiedAuthority,
            Some("require") => Tls::Required,
            Some("prefer" | "allow") => Tls::Preferred,
            Some("disable") => Tls::None,
            Some(_) => {
                return Err(LoginError(
                    "has an unknown sslmode; known are verify-full, verify-ca, require, prefer, allow, disable"
                        .to_owned(),
                ));
            }
        };
        let port = overrides.port.or(overrides.endpoint.as_ref().map(|(_, port)| *port)).unwrap_or(secret_port);
        Ok(Self {
            engine,
            host,
            port,
            database,
            user,
            password: Secret::new(password),
            by: By::Secret,
            tls,
            roots: RDS_ROOTS.to_vec(),
        })
    }

    /// By IAM authentication, as this user of RDS's own endpoint. The certificate must be right whatever the host: the token is
    /// a password. `resource` is RDS's id for the database.
    pub fn by_token(
        engine: Engine,
        (host, port): (String, u16),
        database: String,
        user: String,
        token: Secret,
        resource: Option<&str>,
    ) -> Self {
        let by = By::Token(format!("{}/{user}", resource.unwrap_or("*")));
        Self { engine, host, port, database, user, password: token, by, tls: Tls::Verified, roots: RDS_ROOTS.to_vec() }
    }

    /// What to do where the server refuses this login.
    pub fn remedy(&self) -> String {
        match &self.by {
            By::Secret => {
                let allow = match self.engine {
                    Engine::PostgreSql => "allow this address in pg_hba",
                    Engine::MySql => "allow the user from this address ('user'@'host') and on this database",
                };
                format!("Put the current user and password into the secret, or {allow}; then redeploy.")
            }
            By::Token(named) => {
                let grant = match self.engine {
                    Engine::PostgreSql => format!("GRANT rds_iam TO {}", self.user),
                    Engine::MySql => format!("create {} IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'", self.user),
                };
                format!(
                    "Allow rds-db:connect on dbuser:{named} in the function's role (the template's DatabaseUser), and {grant}; \
                     then redeploy."
                )
            }
        }
    }

    /// Trusts these roots too, PEM.
    #[must_use]
    pub fn trusting(mut self, roots: &[u8]) -> Self {
        self.roots.push(b'\n');
        self.roots.extend_from_slice(roots);
        self
    }

    /// Whether the server's certificate and name must be right, and not only some encryption be there.
    pub fn is_verified(&self) -> bool {
        self.tls == Tls::Verified
    }

    /// `orders on db.example.com:5432`.
    pub fn place(&self) -> String {
        format!("{} on {}:{}", self.database, self.host, self.port)
    }

    /// For one connection. sqlx's own log of statements is off: they may hold secrets. The server's own modes and time zone stay:
    /// a migration means what it means to the server's other clients.
    pub fn mysql_options(&self) -> MySqlConnectOptions {
        let options = MySqlConnectOptions::new()
            .host(&self.host)
            .port(self.port)
            .database(&self.database)
            .username(&self.user)
            .password(self.password.expose())
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .disable_statement_logging();
        let options = match self.by {
            By::Secret => options,
            // The token is the password, and TLS is verified.
            By::Token(_) => options.enable_cleartext_plugin(true),
        };
        match self.tls {
            Tls::Verified => options.ssl_mode(MySqlSslMode::VerifyIdentity).ssl_ca_from_pem(self.roots.clone()),
            Tls::VerifiedAuthority => options.ssl_mode(MySqlSslMode::VerifyCa).ssl_ca_from_pem(self.roots.clone()),
            Tls::Required => options.ssl_mode(MySqlSslMode::Required),
            Tls::Preferred => options.ssl_mode(MySqlSslMode::Preferred),
            Tls::None => options.ssl_mode(MySqlSslMode::Disabled),
        }
    }

    /// For one connection that calls itself so. sqlx's own log of statements is off: they may hold secrets.
    pub fn postgres_options(&self, application_name: &str) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .database(&self.database)
            .username(&self.user)
            .password(self.password.expose())
            .application_name(application_name)
            .disable_statement_logging();
        match self.tls {
            Tls::Verified => options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(self.roots.clone()),
            Tls::VerifiedAuthority => options.ssl_mode(PgSslMode::VerifyCa).ssl_root_cert_from_pem(self.roots.clone()),
            Tls::Required => options.ssl_mode(PgSslMode::Require),
            Tls::Preferred => options.ssl_mode(PgSslMode::Prefer),
            Tls::None => options.ssl_mode(PgSslMode::Disable),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use greenlight::ports::Secret;
    use rustls::RootCertStore;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::{Login, Overrides, RDS_ROOTS, Tls};

    const RDS: &str = r#"{"username":"migrator","password":"hunter2","engine":"postgres",
        "host":"orders.abc.eu-west-1.rds.amazonaws.com","port":5433,"dbname":"orders"}"#;

    fn login(secret: &str) -> Result<Login, String> {
        Login::new(&Secret::new(secret), &Overrides::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_form_of_rds_is_read_and_verified_in_full() {
        let login = login(RDS).unwrap();
        assert_eq!(login.place(), "orders on orders.abc.eu-west-1.rds.amazonaws.com:5433");
        assert_eq!((login.user.as_str(), login.tls), ("migrator", Tls::Verified));
    }

    #[test]
    fn port_and_name_of_the_plan_win_over_the_secret() {
        let overrides = Overrides { port: Some(1), name: Some("shop".to_owned()), ..Overrides::default() };
        let login = Login::new(&Secret::new(RDS), &overrides).unwrap();
        assert_eq!(login.place(), "shop on orders.abc.eu-west-1.rds.amazonaws.com:1");
    }

    /// Whoever writes the plan could send the password to a host of his own.
    #[test]
    fn a_password_goes_to_no_host_that_only_the_plan_names() {
        let to = |host: &str, secret: &str| {
            let overrides = Overrides { host: Some(host.to_owned()), ..Overrides::default() };
            Login::new(&Secret::new(secret), &overrides).map(|login| login.host).map_err(|error| error.to_string())
        };
        let own = "orders.abc.eu-west-1.rds.amazonaws.com";
        assert_eq!(to("ORDERS.abc.eu-west-1.rds.amazonaws.com", RDS).unwrap(), own);
        for host in ["db.attacker.example", "127.0.0.1", "169.254.169.254"] {
            assert!(
                to(host, RDS).unwrap_err().starts_with(&format!("is for the host {own}, and the plan names {host}: "))
            );
        }
        let homeless = r#"{"username":"a","password":"b","dbname":"d"}"#;
        assert!(to("db.attacker.example", homeless).unwrap_err().starts_with("has no host, and the plan names"));
    }

    #[test]
    fn the_endpoint_that_rds_tells_wins_over_the_secret() {
        let endpoint = Some(("orders.cluster-abc.eu-west-1.rds.amazonaws.com".to_owned(), 6000));
        let login = Login::new(&Secret::new(RDS), &Overrides { endpoint, ..Overrides::default() }).unwrap();
        assert_eq!(login.place(), "orders on orders.cluster-abc.eu-west-1.rds.amazonaws.com:6000");
    }

    #[test]
    fn every_missing_key_is_named() {
        assert_eq!(login(r#"{"username":"a","password":"","host":"h"}"#).unwrap_err(), "has no password, no dbname");
    }

    #[test]
    fn a_port_may_be_a_text_and_sslmode_is_heard() {
        let login = login(r#"{"username":"a","password":"b","host":"h","dbname":"d","port":"99","sslmode":"disable"}"#);
        let login = login.unwrap();
        assert_eq!((login.port, login.tls), (99, Tls::None));
    }

    /// P6: serde would quote the value it stumbles over.
    #[test]
    fn a_broken_secret_is_not_shown() {
        for broken in [
            "hunter2",
            r#"{"username":"a","password":["hunter2"]}"#,
            r#"{"username":"a","password":"b","host":"h","dbname":"d","port":"hunter2"}"#,
            r#"{"username":"a","password":"b","host":"h","dbname":"d","sslmode":"hunter2"}"#,
        ] {
            assert!(!login(broken).unwrap_err().contains("hunter2"), "{broken}");
        }
        let debug = format!("{:?}", login(RDS).unwrap());
        assert!(!debug.contains("hunter2"), "{debug}");
    }

    /// sqlx reads them at the handshake and fails on the first bad one: better here.
    #[test]
    fn the_roots_of_rds_are_certificates_that_tls_takes() {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(RDS_ROOTS) {
            roots.add(certificate.unwrap()).unwrap();
        }
        assert_eq!(roots.len(), 81);
    }

    #[test]
    fn another_engine_is_named() {
        assert_eq!(
            login(r#"{"engine":"db2-se","username":"a","password":"b"}"#).unwrap_err(),
            "is for engine db2-se; greenlight speaks to PostgreSQL, MySQL and MariaDB"
        );
    }
}
