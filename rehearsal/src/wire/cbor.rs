//! smithy-rpc-v2-cbor: CBOR in, CBOR out, times under tag 1.

use ciborium::Value;

use super::context::{Input, Output};
use super::json;
use super::refusal::Refusal;

/// Reads a request. An empty body is an empty map.
pub(crate) fn read(body: &[u8]) -> Result<Input, Refusal> {
    if body.is_empty() {
        return Ok(Input::Object(serde_json::Map::new()));
    }
    let value: Value = ciborium::from_reader(body)
        .map_err(|error| Refusal::new("SerializationException", format!("the request is not CBOR: {error}")))?;
    match json::tree(&value) {
        input @ Input::Object(_) => Ok(input),
        _ => Err(Refusal::new("SerializationException", "the request is not a CBOR map")),
    }
}

/// Writes an answer.
pub(crate) fn write(output: &Output) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(output, &mut bytes).expect("a tree is written to memory");
    bytes
}

/// Writes an error.
pub(crate) fn write_error(shape: &str, message: &str) -> Vec<u8> {
    write(&Output::Map(vec![("__type".into(), shape.into()), ("message".into(), message.into())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_unknown_length_with_a_tagged_time_is_read() {
        // {_ "StartTime": 1(1795266000)}
        let body = b"\xbf\x69StartTime\xc1\x1a\x6b\x01\xa5\xd0\xff";
        let input = read(body).expect("it is CBOR");
        assert_eq!(input, serde_json::json!({ "StartTime": 0x6b01_a5d0 }));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let output = Output::Map(vec![("AlarmNames".into(), Output::Array(vec!["a".into()]))]);
        assert_eq!(read(&write(&output)), Ok(serde_json::json!({ "AlarmNames": ["a"] })));
    }
}
