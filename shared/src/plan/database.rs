//! `database`: the database that migrations change, and who the hooks are there.

use serde::Deserialize;

use super::Reader;
use crate::document::{DocumentError, Spanned};

/// The database that migrations change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// How the hooks log in.
    pub credentials: Credentials,
    /// RDS cluster or instance identifier; its writer endpoint is looked up.
    pub cluster: Option<String>,
    /// Host: that of the secret, for the password goes to no other.
    pub host: Option<String>,
    /// Port, where the secret does not say it.
    pub port: Option<u16>,
    /// Name of the database, where the secret does not say it.
    pub name: Option<String>,
}

/// How the hooks log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// With user and password of the secret of this name or ARN.
    Secret(String),
    /// By IAM database authentication, as this user. Then `cluster` and `name` are there, and `host` is not.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html>
    Iam(String),
}

/// It as it stands in the document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Database"))]
pub(super) struct WrittenDatabase {
    /// Name or ARN of the secret with user and password, in the form Secrets Manager gives to RDS secrets.
    secret: Option<String>,
    /// IAM database authentication, in place of a secret.
    auth: Option<WrittenAuth>,
    /// RDS cluster or instance identifier; its writer endpoint is looked up.
    cluster: Option<String>,
    /// Host: that of the secret, for the password goes to no other.
    host: Option<String>,
    /// Port, where the secret does not say it.
    port: Option<u16>,
    /// Name of the database, where the secret does not say it.
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "DatabaseAuth"))]
struct WrittenAuth {
    /// The database user that has the role `rds_iam`.
    user: String,
}

impl Reader<'_> {
    pub(super) fn database(&self, written: Spanned<WrittenDatabase>) -> Result<Database, DocumentError> {
        let Spanned { value: database, referenced: place, .. } = written;
        let WrittenDatabase { secret, auth, cluster, host, port, name } = database;
        if cluster.is_some() && host.is_some() {
            return Err(self.wrong(place, "a database has `cluster` or `host`, not both"));
        }
        let credentials = match (secret, auth) {
            (Some(secret), None) => {
                if secret.trim().is_empty() || secret.contains(char::is_whitespace) {
                    return Err(self.wrong(place, "`secret` is the name or ARN of a secret, not the secret itself"));
                }
                Credentials::Secret(secret)
            }
            (None, Some(WrittenAuth { user })) => {
                let fits = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
                if user.is_empty() || user.len() > 63 || !user.chars().all(fits) {
                    let message = "the user of `auth` has 1 to 63 letters, digits, `_`, `.` and `-`";
                    return Err(self.wrong(place, message));
                }
                if cluster.is_none() || name.is_none() {
                    let message = "with `auth` no secret says where the database is; give `cluster`, for the token is made \
                                   for the endpoint that RDS tells, and `name`";
                    return Err(self.lacking(place, message));
                }
                Credentials::Iam(user)
            }
            (Some(_), Some(_)) => return Err(self.wrong(place, "a database has `secret` or `auth`, not both")),
            (None, None) => {
                return Err(self.lacking(place, "a database needs `secret`, or `auth` for IAM authentication"));
            }
        };
        Ok(Database { credentials, cluster, host, port, name })
    }
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Database};
    use crate::plan::Plan;

    fn read(database: &str) -> Result<Option<Database>, String> {
        let text = format!("version: 1\ndatabase: {{ {database} }}\n");
        Plan::parse(&text, "plan.yaml").map(|plan| plan.database).map_err(|mistakes| mistakes.to_string())
    }

    fn wrong(database: &str) -> String {
        read(database).expect_err(database).lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn iam_authentication_takes_the_place_of_a_secret() {
        let database =
            read("cluster: orders, name: shop, auth: { user: migrator }").expect("a plan").expect("a database");
        assert_eq!(database.credentials, Credentials::Iam("migrator".to_owned()));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (written, expected) in [
            ("cluster: a", "a database needs `secret`, or `auth` for IAM authentication"),
            ("cluster: a, name: b, secret: c, auth: { user: d }", "a database has `secret` or `auth`, not both"),
            ("host: a, name: b, auth: { user: d }", "with `auth` no secret says where the database is"),
            ("cluster: a, auth: { user: d }", "with `auth` no secret says where the database is"),
            ("cluster: a, name: b, auth: { user: \"d&e\" }", "the user of `auth` has 1 to 63 letters"),
        ] {
            let message = wrong(written);
            assert!(message.starts_with("plan.yaml:2:11: ") && message.contains(expected), "{message}");
        }
    }
}
