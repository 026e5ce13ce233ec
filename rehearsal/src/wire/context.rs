//! What an operation is given, and what every operation needs: times of the client, pages, required members.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::refusal::Refusal;
use super::request::Service;
use crate::world::World;
use crate::world::functions::Detour;

/// A client's input, the same for every protocol.
pub(crate) type Input = serde_json::Value;

/// An answer before it is written in the client's protocol. CBOR's tree, because it alone knows times from numbers.
pub(crate) type Output = ciborium::Value;

/// An operation of a service. The table of them is also the list of what is implemented.
pub(crate) type Operation = fn(&Context<'_>, Input) -> Result<Output, Refusal>;

/// What an operation is given beside its input.
pub(crate) struct Context<'a> {
    pub(crate) world: &'a World,
    pub(crate) service: Service,
    pub(crate) operation: &'a str,
    /// The function that calls; `None` for a person's client.
    pub(crate) caller: Option<&'a str>,
    /// Most entries of one page, where the scenario wants small ones.
    pub(crate) page_size: Option<usize>,
}

/// Members an operation answers with nothing in them.
#[derive(Serialize)]
pub(crate) struct Nothing {}

impl Context<'_> {
    /// Runs an operation on its input, both typed.
    pub(crate) fn run<I: DeserializeOwned, O: Serialize>(
        &self,
        input: Input,
        operation: fn(&Context<'_>, I) -> Result<O, Refusal>,
    ) -> Result<Output, Refusal> {
        let input = serde_json::from_value(input)
            .map_err(|error| Refusal::new(self.malformed_code(), format!("the request could not be read: {error}")))?;
        let output = operation(self, input)?;
        Ok(Output::serialized(&output).expect("answers are plain structs with text keys"))
    }

    /// What the caller is told in place of the truth.
    pub(crate) fn detour<T>(&self, look: impl FnOnce(&Detour) -> Option<T>) -> Option<T> {
        let caller = self.caller?;
        self.world.read(|state| state.detours.get(caller).and_then(look))
    }

    /// How the service calls an input of a wrong type.
    fn malformed_code(&self) -> &'static str {
        match self.service {
            Service::Elbv2 | Service::Rds | Service::Sts => "ValidationError",
            _ => "SerializationException",
        }
    }

    /// What a client is told for a time of the world.
    pub(crate) fn time(&self, world: Timestamp) -> Time {
        Time(self.world.clock.to_client(world))
    }

    /// One page of `items`, and the token of the next one. `None` for a token that is not ours.
    pub(crate) fn page<T>(
        &self,
        items: Vec<T>,
        token: Option<&str>,
        wanted: Option<usize>,
        most: usize,
    ) -> Option<(Vec<T>, Option<String>)> {
        let begin = match token {
            Some(token) => self.read_token(token)?,
            None => 0,
        };
        let size = wanted.unwrap_or(most).min(most).min(self.page_size.unwrap_or(most)).max(1);
        let end = begin.saturating_add(size);
        let next = (items.len() > end).then(|| self.token(end));
        Some((items.into_iter().skip(begin).take(size).collect(), next))
    }

    /// A token names its operation, so that one of another list is refused.
    fn token(&self, begin: usize) -> String {
        format!("{}{begin:08x}", short_hash(&format!("{:?}:{}", self.service, self.operation), 24))
    }

    fn read_token(&self, token: &str) -> Option<usize> {
        let begin = usize::from_str_radix(token.get(24..)?, 16).ok()?;
        (self.token(begin) == token).then_some(begin)
    }
}

/// A time on the client's clock: a number in JSON, text in XML, tag 1 in CBOR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ciborium::tag::Required::<f64, 1>(self.0.as_millisecond() as f64 / 1000.0).serialize(serializer)
    }
}

/// A time that a client gave, on its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientTime(Timestamp);

impl ClientTime {
    /// The world's time for it.
    pub(crate) fn to_world(self, context: &Context<'_>) -> Timestamp {
        context.world.clock.to_world(self.0)
    }
}

impl<'de> Deserialize<'de> for ClientTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Seconds(f64),
            Text(String),
        }
        let time = match Form::deserialize(deserializer)? {
            Form::Seconds(seconds) => Timestamp::from_millisecond((seconds * 1000.0).round() as i64),
            Form::Text(text) => text.parse(),
        };
        time.map(Self).map_err(serde::de::Error::custom)
    }
}

/// Reads a number that a form gives as text.
pub(crate) fn number<'de, D, N>(deserializer: D) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: DeserializeOwned + std::str::FromStr,
    N::Err: std::fmt::Display,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form<N> {
        Number(N),
        Text(String),
    }
    match Option::<Form<N>>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Form::Number(number)) => Ok(Some(number)),
        Some(Form::Text(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

/// Hex digits that depend on `text` alone, for ids that must not change from call to call.
pub(crate) fn short_hash(text: &str, digits: usize) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..digits].to_owned()
}

/// As [`short_hash`], in the form of a UUID.
pub(crate) fn stable_uuid(text: &str) -> String {
    let hex = short_hash(text, 32);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The value of a member that must be there and not be empty.
pub(crate) fn required(value: Option<String>, refusal: impl FnOnce() -> Refusal) -> Result<String, Refusal> {
    value.filter(|value| !value.is_empty()).ok_or_else(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn context<'a>(world: &'a World, operation: &'a str) -> Context<'a> {
        Context { world, service: Service::Ecs, operation, caller: None, page_size: Some(2) }
    }

    #[tokio::test]
    async fn pages_follow_each_other_until_the_last_which_has_no_token() {
        let world = World::new(Clock::new());
        let context = context(&world, "ListTasks");
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let (page, next) = context.page(vec![1, 2, 3, 4, 5], token.as_deref(), None, 100).expect("our own token");
            assert!(page.len() <= 2);
            seen.extend(page);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
    }

    #[tokio::test]
    async fn a_token_of_another_list_is_refused() {
        let world = World::new(Clock::new());
        let (_, token) = context(&world, "ListTasks").page(vec![1, 2, 3], None, None, 100).expect("no token given");
        assert!(context(&world, "ListServices").page(vec![1, 2, 3], token.as_deref(), None, 100).is_none());
        assert!(context(&world, "ListTasks").page(vec![1], Some("next-please"), None, 100).is_none());
    }

    #[test]
    fn a_clients_time_is_read_from_a_number_and_from_text() {
        let number: ClientTime = serde_json::from_str("1795266000.25").expect("a number");
        let text: ClientTime = serde_json::from_str("\"2026-11-21T13:00:00.250Z\"").expect("a text");
        assert_eq!(number, text);
    }
}
