//! A token of IAM database authentication: a request that is signed and never sent. It is judged as RDS does, by what AWS
//! documents of Signature Version 4, and shares no code with those who sign.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use ring::hmac;
use sha2::{Digest as _, Sha256};

use crate::world::REGION;

/// How long a token is good, however long it says.
const LONGEST: Duration = Duration::from_secs(900);

/// How much a client's clock may be ahead.
const AHEAD: Duration = Duration::from_secs(300);

/// A token that was taken apart.
#[derive(Debug)]
pub(super) struct Token {
    endpoint: String,
    parameters: BTreeMap<String, String>,
}

/// What a token must be good for.
pub(super) struct Wanted<'a> {
    /// Host and port of the endpoint.
    pub(super) endpoint: &'a str,
    /// The user who logs in.
    pub(super) user: &'a str,
    /// What the caller's key is signed with.
    pub(super) secret_key: &'a str,
    /// On the caller's clock.
    pub(super) now: Timestamp,
}

impl Token {
    /// Takes `host:port/?Action=connect&…` apart.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (endpoint, query) = text.split_once("/?").ok_or("it is no token but a password")?;
        let parameters = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(Self { endpoint: endpoint.to_owned(), parameters })
    }

    /// The access key that it says it is signed with.
    pub(super) fn access_key(&self) -> &str {
        self.parameter("X-Amz-Credential").split('/').next().unwrap_or_default()
    }

    /// Whether it is good for this; else why not.
    pub(super) fn judge(&self, wanted: &Wanted<'_>) -> Result<(), String> {
        let must = |name: &str, expected: &str| match self.parameter(name) {
            found if found == expected => Ok(()),
            found => Err(format!("its {name} is {found:?}, not {expected}")),
        };
        if self.endpoint != wanted.endpoint {
            return Err(format!("it is for {}, not for {}", self.endpoint, wanted.endpoint));
        }
        must("Action", "connect")?;
        must("DBUser", wanted.user)?;
        must("X-Amz-Algorithm", "AWS4-HMAC-SHA256")?;
        must("X-Amz-SignedHeaders", "host")?;
        let date = self.parameter("X-Amz-Date");
        let scope = format!("{}/{REGION}/rds-db/aws4_request", date.get(..8).unwrap_or_default());
        must("X-Amz-Credential", &format!("{}/{scope}", self.access_key()))?;
        self.judge_age(date, wanted.now)?;
        must("X-Amz-Signature", &self.signature(date, &scope, wanted.secret_key))
            .map_err(|_| "its signature is wrong".to_owned())
    }

    fn judge_age(&self, date: &str, now: Timestamp) -> Result<(), String> {
        let made = DateTime::strptime("%Y%m%dT%H%M%SZ", date).and_then(|it| it.to_zoned(jiff::tz::TimeZone::UTC));
        let made = made.map_err(|_| format!("its date {date:?} is none"))?.timestamp();
        let good_for = self.parameter("X-Amz-Expires").parse().map(Duration::from_secs);
        let good_for = good_for.map_err(|_| "it does not say how long it is good")?.min(LONGEST);
        let age = now.duration_since(made);
        if age > jiff::SignedDuration::try_from(good_for).unwrap_or_default() {
            return Err(format!("it is {} s old and good for {} s", age.as_secs(), good_for.as_secs()));
        }
        if age < -jiff::SignedDuration::try_from(AHEAD).unwrap_or_default() {
            return Err(format!("it is of the future, {} s from now", -age.as_secs()));
        }
        Ok(())
    }

    fn signature(&self, date: &str, scope: &str, secret_key: &str) -> String {
        let signed = self.parameters.iter().filter(|(name, _)| *name != "X-Amz-Signature");
        let mut query: Vec<_> = signed.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        query.sort();
        let request =
            format!("GET\n/\n{}\nhost:{}\n\nhost\n{}", query.join("&"), self.endpoint, hex(&Sha256::digest("")));
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(request)));
        let first = format!("AWS4{secret_key}").into_bytes();
        let key = scope.split('/').fold(first, |key, part| mac(&key, part));
        hex(&mac(&key, &to_sign))
    }

    /// One that is signed as this module expects it.
    #[cfg(test)]
    pub(super) fn made(endpoint: &str, user: &str, access_key: &str, at: Timestamp) -> String {
        let date = at.strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/{REGION}/rds-db/aws4_request", &date[..8]);
        let credential = format!("{access_key}/{scope}");
        let query = format!(
            "Action=connect&DBUser={user}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={date}\
             &X-Amz-Expires=900&X-Amz-SignedHeaders=host",
            encoded(&credential)
        );
        let unsigned = format!("{endpoint}/?{query}");
        let token = Self::parse(&unsigned).expect("a token");
        let signature = token.signature(&date, &scope, crate::world::functions::SECRET_ACCESS_KEY);
        format!("{unsigned}&X-Amz-Signature={signature}")
    }

    fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// By RFC 3986: unreserved characters only stay as they are.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Token, Wanted};

    /// Made by botocore 1.43.11.
    const TOKEN: &str = "127.0.0.1:5433/?Action=connect&DBUser=migrator&X-Amz-Algorithm=AWS4-HMAC-SHA256&\
        X-Amz-Credential=ASIAREHEARSAL0000000%2F20261121%2Feu-west-1%2Frds-db%2Faws4_request&X-Amz-Date=20261121T130000Z&\
        X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Security-Token=rehearsal%2F%2B%3D&\
        X-Amz-Signature=cdb6dc9bd8b5992527bb51ad29cb1d62e2c5837031ec1cb9d8e32f0f094e6381";

    fn judge(token: &str, endpoint: &str, user: &str, now: &str) -> Result<(), String> {
        let now = now.parse().expect("a time");
        Token::parse(token)?.judge(&Wanted { endpoint, user, secret_key: "rehearsal", now })
    }

    #[test]
    fn a_token_of_aws_own_client_is_good_for_a_quarter_of_an_hour() {
        assert_eq!(Token::parse(TOKEN).expect("a token").access_key(), "ASIAREHEARSAL0000000");
        let at = |now| judge(TOKEN, "127.0.0.1:5433", "migrator", now);
        assert_eq!(at("2026-11-21T13:00:00Z"), Ok(()));
        assert_eq!(at("2026-11-21T13:15:00Z"), Ok(()));
        assert_eq!(at("2026-11-21T13:15:01Z"), Err("it is 901 s old and good for 900 s".to_owned()));
        assert_eq!(at("2026-11-21T12:54:00Z"), Err("it is of the future, 360 s from now".to_owned()));
    }

    #[test]
    fn a_token_is_good_for_one_endpoint_and_one_user() {
        let now = "2026-11-21T13:00:00Z";
        let elsewhere = judge(TOKEN, "127.0.0.1:5432", "migrator", now);
        assert_eq!(elsewhere, Err("it is for 127.0.0.1:5433, not for 127.0.0.1:5432".to_owned()));
        let other = judge(TOKEN, "127.0.0.1:5433", "admin", now);
        assert_eq!(other, Err("its DBUser is \"migrator\", not admin".to_owned()));
        assert_eq!(judge("hunter2", "h:1", "admin", now), Err("it is no token but a password".to_owned()));
    }

    /// Whatever is changed, the signature shows it.
    #[test]
    fn what_was_changed_after_signing_is_found_out() {
        for (was, is) in [
            ("migrator", "admin"),
            ("5433", "5434"),
            ("T130000Z", "T130001Z"),
            ("Expires=900", "Expires=901"),
            ("rehearsal%2F", "other%2F"),
            ("cdb6", "cdb7"),
        ] {
            let token = TOKEN.replace(was, is);
            let (endpoint, user) =
                (token.split('/').next().unwrap_or_default(), if is == "admin" { is } else { "migrator" });
            let judged = judge(&token, endpoint, user, "2026-11-21T13:00:01Z");
            assert_eq!(judged, Err("its signature is wrong".to_owned()), "{was} → {is}");
        }
    }
}
