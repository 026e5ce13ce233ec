//! What a `valueFrom` of a task definition names.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Secret.html>

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A secret of Secrets Manager.
    Secret {
        /// Its ARN, or its name where only a name is given.
        id: String,
        /// The staging label that is wanted.
        stage: Option<String>,
        /// The version that is wanted.
        version: Option<String>,
    },
    /// A parameter of Systems Manager.
    Parameter {
        /// Its Region; the function's own when `None`.
        region: Option<String>,
        /// The account whose it is, where an ARN says it.
        account: Option<String>,
        /// Names that it may have: an ARN does not tell `a` from `/a`.
        names: Vec<String>,
    },
}

impl Source {
    /// Of a container's `secrets`: an ARN of a secret or of a parameter, or a parameter's name.
    pub(super) fn of_value(value_from: &str) -> Self {
        let parts: Vec<&str> = value_from.split(':').collect();
        let given = |place: usize| parts.get(place).filter(|part| !part.is_empty()).map(|part| (*part).to_owned());
        match parts.as_slice() {
            ["arn", _, "secretsmanager", _, _, "secret", _, ..] => {
                Self::Secret { id: parts[..7].join(":"), stage: given(8), version: given(9) }
            }
            ["arn", _, "ssm", region, account, resource, ..] if resource.starts_with("parameter/") => {
                let path = resource.trim_start_matches("parameter");
                let mut names = vec![path.to_owned()];
                names.extend(Some(&path[1..]).filter(|name| !name.contains('/')).map(|name| (*name).to_owned()));
                Self::Parameter { region: Some((*region).to_owned()), account: Some((*account).to_owned()), names }
            }
            // Behind the name may stand a version or a label.
            [name, ..] => Self::Parameter { region: None, account: None, names: vec![(*name).to_owned()] },
            [] => Self::Parameter { region: None, account: None, names: Vec::new() },
        }
    }

    /// Of `repositoryCredentials`: the name or ARN of a secret.
    pub(super) fn of_login(secret: &str) -> Self {
        match Self::of_value(secret) {
            known @ Self::Secret { .. } => known,
            Self::Parameter { .. } => Self::Secret { id: secret.to_owned(), stage: None, version: None },
        }
    }
}

/// `orders/token` of a secret's ARN, without the six characters that Secrets Manager adds.
pub(super) fn short_name(id: &str) -> &str {
    let Some(name) = id.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(5)) else { return id };
    match name.rsplit_once('-') {
        Some((name, end)) if end.len() == 6 => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, short_name};

    fn secret(id: &str, stage: Option<&str>, version: Option<&str>) -> Source {
        Source::Secret { id: id.to_owned(), stage: stage.map(str::to_owned), version: version.map(str::to_owned) }
    }

    fn parameter(at: Option<(&str, &str)>, names: &[&str]) -> Source {
        Source::Parameter {
            region: at.map(|(region, _)| region.to_owned()),
            account: at.map(|(_, account)| account.to_owned()),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn every_documented_form_is_understood() {
        const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:1:secret:orders/token-AbCdEf";
        let at = Some(("eu-west-1", "1"));
        for (text, source) in [
            (SECRET.to_owned(), secret(SECRET, None, None)),
            (format!("{SECRET}:key::"), secret(SECRET, None, None)),
            (format!("{SECRET}:key:AWSPREVIOUS:"), secret(SECRET, Some("AWSPREVIOUS"), None)),
            (format!("{SECRET}:::9d4cb84b"), secret(SECRET, None, Some("9d4cb84b"))),
            ("arn:aws:ssm:eu-west-1:1:parameter/a/b".to_owned(), parameter(at, &["/a/b"])),
            ("arn:aws:ssm:eu-west-1:1:parameter/a".to_owned(), parameter(at, &["/a", "a"])),
            ("/a/b".to_owned(), parameter(None, &["/a/b"])),
            ("a:3".to_owned(), parameter(None, &["a"])),
        ] {
            assert_eq!(Source::of_value(&text), source, "{text}");
        }
        assert_eq!(Source::of_login("registry/login"), secret("registry/login", None, None));
        assert_eq!(short_name(SECRET), "orders/token");
        assert_eq!(short_name("registry/login"), "registry/login");
    }
}
