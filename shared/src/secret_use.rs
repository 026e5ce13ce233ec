//! Whose a secret is. Plans are written by many teams, and one suite of hooks reads the secrets of all of them: a plan may use
//! those of its own application, and no other.

use crate::check::CannotTell;
use crate::ports::{Secret, SecretDescription};
use crate::redaction::Guarded;

/// The tag of a secret, or of a database with IAM authentication, that names the applications, and the services of ECS as
/// `<cluster>/<service>`, whose plans may use it, with spaces between them.
pub const TAG: &str = "greenlight:applications";

impl Guarded<'_> {
    /// The current value of a secret that a plan names, by name or ARN. The plan is that of a CodeDeploy application, or of a
    /// service of ECS: `<cluster>/<service>`.
    ///
    /// It may use the secret where the secret's name begins with that name and a slash, or where the secret's owner has said
    /// so in its tag, which is asked only then. What cannot be told is an error like what may not be.
    pub async fn value_for(&self, user: &str, secret: &str) -> Result<Secret, CannotTell> {
        if !is_own(user, secret) {
            let Some(description) = self.description(secret).await? else {
                return Err(CannotTell {
                    asked: format!("secret {secret}"),
                    remedy: "Create the secret, or correct its name in the plan; then redeploy.".to_owned(),
                    transient: false,
                    source: Some("there is no such secret".into()),
                });
            };
            may_use(user, &description).map_err(|why| refused(user, secret, why))?;
        }
        self.value(secret).await
    }
}

/// Whether the name alone says whose it is. The account and Region of an ARN have no slash.
fn is_own(user: &str, secret: &str) -> bool {
    let name = match secret.strip_prefix("arn:") {
        Some(arn) => arn.splitn(6, ':').nth(5),
        None => Some(secret),
    };
    let rest = name.and_then(|name| name.strip_prefix(user));
    !user.is_empty() && rest.is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a tag's value names this one.
pub fn names(tag: &str, user: &str) -> bool {
    tag.split_whitespace().any(|name| name == user)
}

/// Whether its owner says that this one may use it; else why not.
fn may_use(user: &str, secret: &SecretDescription) -> Result<(), String> {
    match &secret.applications {
        None => Err(format!("its name does not begin with {user}/, and it has no tag {TAG}")),
        Some(named) if names(named, user) => Ok(()),
        Some(_) => Err(format!("its name does not begin with {user}/, and its tag {TAG} does not name {user}")),
    }
}

fn refused(user: &str, secret: &str, why: String) -> CannotTell {
    CannotTell {
        asked: format!("secret {secret}: a plan of {user} may not use it"),
        remedy: format!(
            "Name a secret of {user} in the plan, or let the secret's owner write {user} into its tag {TAG}; then \
             redeploy."
        ),
        transient: false,
        source: Some(why.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{TAG, is_own};
    use crate::fakes::Fakes;
    use crate::ports::SecretDescription;
    use crate::report::words::chain;

    const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";

    /// What comes of asking for `secret` for the application `shop`; `tag` is what its tag says.
    async fn asked(secret: &str, tag: Option<&str>) -> String {
        let fakes = Fakes::well();
        fakes.state().secrets.insert(secret.to_owned(), "hunter2".to_owned());
        let description = SecretDescription { applications: tag.map(str::to_owned), ..SecretDescription::default() };
        fakes.state().descriptions.insert(secret.to_owned(), description);
        match fakes.ports().secrets().value_for("shop", secret).await {
            Ok(value) => value.expose().to_owned(),
            Err(error) => chain(&error),
        }
    }

    #[test]
    fn a_secret_is_the_applications_whose_name_and_a_slash_its_own_begins_with() {
        for own in ["shop/migrator", "shop/a/b", &format!("{ARN}shop/migrator-AbCdEf")] {
            assert!(is_own("shop", own), "{own}");
        }
        for other in [
            "shop",
            "shop-migrator",
            "shops/migrator",
            "Shop/migrator",
            "other/shop/migrator",
            "/shop/migrator",
            &format!("{ARN}other/shop/migrator-AbCdEf"),
            &format!("{ARN}shop-AbCdEf"),
            "arn:shop/",
            "arn:aws:shop/:::",
        ] {
            assert!(!is_own("shop", other), "{other}");
        }
        assert!(!is_own("", "/migrator"));
    }

    #[tokio::test]
    async fn another_applications_secret_is_not_read_unless_its_tag_names_this_one() {
        let message = "secret other/token: a plan of shop may not use it: its name does not begin with shop/, and ";
        assert_eq!(asked("other/token", None).await, format!("{message}it has no tag {TAG}"));
        for tag in ["", "other", "shops", "Shop", "shop,other", "*"] {
            assert_eq!(
                asked("other/token", Some(tag)).await,
                format!("{message}its tag {TAG} does not name shop"),
                "{tag}"
            );
        }
        for tag in ["shop", "other shop", " shop  other "] {
            assert_eq!(asked("other/token", Some(tag)).await, "hunter2", "{tag}");
        }
    }

    #[tokio::test]
    async fn a_tag_is_asked_for_only_where_the_name_does_not_say_whose_it_is() {
        assert_eq!(asked("shop/token", None).await, "hunter2");
        let fakes = Fakes::well();
        let unknown = fakes.ports().secrets().value_for("shop", "other/token").await.expect_err("nobody has it");
        assert_eq!(chain(&unknown), "secret other/token: there is no such secret");
    }

    #[tokio::test]
    async fn a_tag_that_cannot_be_asked_for_is_no_yes() {
        let fakes = Fakes::well();
        fakes.state().secrets.insert("other/token".to_owned(), "hunter2".to_owned());
        fakes.state().unreachable = Some(false);
        assert!(fakes.ports().secrets().value_for("shop", "other/token").await.is_err());
    }
}
