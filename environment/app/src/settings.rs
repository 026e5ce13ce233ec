//! What the environment says, read once at the start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::faults::Faults;

const DEFAULT_PORT: u16 = 8080;

/// A URL that says nothing: the driver takes each part from PostgreSQL's own variables, PGHOST and its kin. A task
/// definition fills them from the fields of one secret, and no URL with a password has to be put together.
const IN_PARTS: &str = "postgres://";

/// Everything a task of this service is told.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    pub(crate) version: String,
    pub(crate) colour: Option<String>,
    /// Without one, orders live in memory.
    pub(crate) database: Option<String>,
    /// What `GET /status` wants to be shown; without one there is no such page.
    pub(crate) status_token: Option<String>,
    pub(crate) faults: Faults,
}

impl Settings {
    /// Reads each variable through `variable`; an error names the variable and what it must look like, never a secret.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let host = match variable("HOST") {
            None => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Some(text) => text.parse().map_err(|_| format!("HOST is \"{text}\"; an IP address is expected"))?,
        };
        let port = match variable("PORT") {
            None => DEFAULT_PORT,
            Some(text) => {
                text.parse().map_err(|_| format!("PORT is \"{text}\"; a number from 0 to 65535 is expected"))?
            }
        };
        let version = variable("VERSION").unwrap_or_else(|| "1".to_owned());
        if !version.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("VERSION is {version:?}; printable ASCII without spaces is expected"));
        }
        Ok(Self {
            address: SocketAddr::new(host, port),
            version,
            colour: variable("COLOUR"),
            database: variable("DATABASE_URL").or_else(|| variable("PGHOST").map(|_| IN_PARTS.to_owned())),
            status_token: variable("STATUS_TOKEN"),
            faults: variable("FAULT").as_deref().unwrap_or_default().parse()?,
        })
    }
}

/// Whether this version of the code knows an order's note: every version whose last number is 2 or more.
pub(crate) fn knows_notes(version: &str) -> bool {
    version
        .rsplit(|c: char| !c.is_ascii_digit())
        .find(|part| !part.is_empty())
        .and_then(|number| number.parse::<u64>().ok())
        .is_some_and(|number| number >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_environment_is_version_1_on_loopback_without_a_database() {
        let settings = Settings::read(|_| None).expect("every setting has a default");
        assert_eq!(settings.address.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.version, "1");
        assert_eq!(settings.database, None);
    }

    #[test]
    fn a_bad_port_is_named_with_its_value() {
        let error = Settings::read(|name| (name == "PORT").then(|| "http".to_owned())).expect_err("not a port");
        assert_eq!(error, "PORT is \"http\"; a number from 0 to 65535 is expected");
    }

    #[test]
    fn version_1_does_not_know_notes_and_later_ones_do() {
        assert!(!knows_notes("1"));
        assert!(!knows_notes("blue"));
        assert!(knows_notes("2"));
        assert!(knows_notes("orders:42"));
        assert!(!knows_notes("2-orders:1"));
    }
}
