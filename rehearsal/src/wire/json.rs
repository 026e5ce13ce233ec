//! awsJson 1.0 and 1.1: JSON in, JSON out, the error's name in `__type`.

use super::context::{Input, Output};
use super::refusal::Refusal;
use super::request::Service;

/// Reads a request. An empty body is an empty object.
pub(crate) fn read(body: &[u8]) -> Result<Input, Refusal> {
    if body.is_empty() {
        return Ok(Input::Object(serde_json::Map::new()));
    }
    let input: Input = serde_json::from_slice(body)
        .map_err(|error| Refusal::new("SerializationException", format!("the request is not JSON: {error}")))?;
    if input.is_object() {
        Ok(input)
    } else {
        Err(Refusal::new("SerializationException", "the request is not a JSON object"))
    }
}

/// Writes an answer; times are seconds since the epoch.
pub(crate) fn write(output: &Output) -> Vec<u8> {
    tree(output).to_string().into_bytes()
}

/// Writes an error. Secrets Manager alone spells its message with a capital.
pub(crate) fn write_error(service: Option<Service>, code: &str, message: &str) -> Vec<u8> {
    let member = if service == Some(Service::SecretsManager) { "Message" } else { "message" };
    serde_json::json!({ "__type": code, member: message }).to_string().into_bytes()
}

/// The JSON of a tree; times are numbers.
pub(crate) fn tree(output: &Output) -> serde_json::Value {
    match output {
        Output::Bool(value) => (*value).into(),
        Output::Integer(value) => i64::try_from(i128::from(*value)).map_or(serde_json::Value::Null, Into::into),
        Output::Float(value) => (*value).into(),
        Output::Text(value) => value.clone().into(),
        Output::Tag(_, value) => tree(value),
        Output::Array(values) => values.iter().map(tree).collect(),
        Output::Map(entries) => entries
            .iter()
            .filter_map(|(key, value)| Some((key.as_text()?.to_owned(), tree(value))))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => serde_json::Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_and_a_whole_float_stays_one() {
        let output = Output::Map(vec![
            ("at".into(), Output::Tag(1, Box::new(Output::Float(1_795_266_000.25)))),
            ("weight".into(), Output::Float(100.0)),
            ("count".into(), Output::Integer(3.into())),
        ]);
        assert_eq!(String::from_utf8_lossy(&write(&output)), r#"{"at":1795266000.25,"count":3,"weight":100.0}"#);
    }

    #[test]
    fn what_is_not_a_json_object_is_refused() {
        assert_eq!(read(b"[1]").expect_err("a list").code, "SerializationException");
        assert_eq!(read(b"{").expect_err("half").code, "SerializationException");
        assert_eq!(read(b""), Ok(serde_json::json!({})));
    }
}
