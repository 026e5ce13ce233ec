//! What AWS keeps, in memory: secrets, parameters, logs, images, databases, objects.

use async_trait::async_trait;

use super::Fakes;
use crate::check::CannotTell;
use crate::ports::{
    BucketFolder, Database, Databases, EcrImage, Images, LogStream, Logs, ObjectEntry, Objects, Parameters, Presence,
    Scan, Secret, SecretDescription, Secrets,
};

#[async_trait]
impl Secrets for Fakes {
    async fn value(&self, secret: &str) -> Result<Secret, CannotTell> {
        let asked = format!("secret {secret}");
        let state = self.reach(&asked)?;
        let found = state.secrets.get(secret).map(Secret::new);
        found.ok_or_else(|| CannotTell {
            asked,
            remedy: "Create it, or correct its name in the plan.".to_owned(),
            transient: false,
            source: Some("there is no such secret".into()),
        })
    }

    async fn description(&self, secret: &str) -> Result<Option<SecretDescription>, CannotTell> {
        Ok(self.reach(&format!("description of secret {secret}"))?.descriptions.get(secret).cloned())
    }
}

#[async_trait]
impl Parameters for Fakes {
    async fn parameter(&self, name: &str) -> Result<Option<String>, CannotTell> {
        Ok(self.reach(&format!("parameter {name}"))?.parameters.get(name).cloned())
    }

    async fn existing(&self, _: Option<&str>, names: &[String]) -> Result<Vec<String>, CannotTell> {
        let state = self.reach("names of the parameters")?;
        Ok(names.iter().filter(|name| state.parameters.contains_key(*name)).cloned().collect())
    }
}

#[async_trait]
impl Logs for Fakes {
    async fn last_lines(&self, stream: &LogStream, most: u16) -> Result<Option<Vec<String>>, CannotTell> {
        let state = self.reach(&format!("log stream {}", stream.stream))?;
        let lines = state.logs.get(&stream.stream);
        Ok(lines.map(|lines| lines[lines.len().saturating_sub(usize::from(most))..].to_vec()))
    }
}

#[async_trait]
impl Images for Fakes {
    async fn presence(&self, image: &EcrImage) -> Result<Presence, CannotTell> {
        let state = self.reach(&format!("image {image}"))?;
        let of_repository = |known: &String| known.split([':', '@']).next() == Some(image.repository.as_str());
        Ok(match state.images.keys().find(|known| **known == image.to_string()) {
            Some(_) => Presence::There,
            None if image.repository.starts_with("docker-hub/") => Presence::FetchedAtFirstPull,
            None if state.images.keys().any(of_repository) => Presence::NoImage,
            None => Presence::NoRepository,
        })
    }

    async fn scan(&self, image: &EcrImage) -> Result<Scan, CannotTell> {
        let state = self.reach(&format!("scan of {image}"))?;
        let found = state.images.get(&image.to_string()).cloned();
        Ok(found.unwrap_or_else(|| Scan::Without("the image was never scanned".to_owned())))
    }
}

#[async_trait]
impl Databases for Fakes {
    async fn database(&self, identifier: &str) -> Result<Option<Database>, CannotTell> {
        let state = self.reach(&format!("database {identifier}"))?;
        Ok(state.databases.iter().find(|database| database.identifier == identifier).cloned())
    }

    /// The secret `token:host:port/user`, where a test has put one.
    async fn token(&self, (host, port): &(String, u16), user: &str) -> Result<Secret, CannotTell> {
        Secrets::value(self, &format!("token:{host}:{port}/{user}")).await
    }
}

#[async_trait]
impl Objects for Fakes {
    async fn listed(&self, folder: &BucketFolder) -> Result<Option<Vec<ObjectEntry>>, CannotTell> {
        let state = self.reach(&format!("objects of {folder}"))?;
        let Some(bucket) = state.buckets.get(&folder.bucket) else { return Ok(None) };
        let named = bucket.iter().filter_map(|(key, body)| Some((key.strip_prefix(&folder.prefix)?, body)));
        let entry = |(name, body): (&str, &Vec<u8>)| ObjectEntry { name: name.to_owned(), bytes: body.len() as u64 };
        Ok(Some(named.filter(|(name, _)| !name.is_empty() && !name.contains('/')).map(entry).collect()))
    }

    async fn content(&self, folder: &BucketFolder, name: &str, at_most: usize) -> Result<Vec<u8>, CannotTell> {
        let asked = format!("{folder}{name}");
        let state = self.reach(&asked)?;
        let found = state.buckets.get(&folder.bucket).and_then(|it| it.get(&format!("{}{name}", folder.prefix)));
        let found = found.map(|body| body[..body.len().min(at_most)].to_vec());
        found.ok_or_else(|| CannotTell {
            asked,
            remedy: "Redeploy.".to_owned(),
            transient: false,
            source: Some("there is no such object".into()),
        })
    }
}
