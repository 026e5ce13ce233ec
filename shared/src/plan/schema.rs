//! What a JSON Schema says of a plan.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::assertion::{Assertions, Comparison, Operators, Pattern};
use super::{JsonPath, JsonPattern, Statuses, Template, VERSION, Written};
use crate::checks;
use crate::document::schema_of;

/// The whole of it.
pub(super) fn of_a_plan() -> serde_json::Value {
    let mut schema =
        schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Written>();
    schema.insert("title".to_owned(), "greenlight plan".into());
    schema.insert("description".to_owned(), "What a team asks of a new version before it gets users.".into());
    schema.to_value()
}

pub(super) fn version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": VERSION })
}

pub(super) fn checks(generator: &mut SchemaGenerator) -> Schema {
    let severity = generator.subschema_for::<super::Severity>();
    json_schema!({
        "type": "object",
        "propertyNames": { "enum": checks::IDS },
        "additionalProperties": severity,
    })
}

schema_of! {
    // YAML's numbers and truths are texts here too.
    Template, "Text": { "type": ["string", "number", "boolean"] };
    JsonPath, "JsonPath": { "type": "string", "pattern": "^\\$", "examples": ["$.status", "$.items[0].id"] };
    JsonPattern, "JsonPattern": { "type": "string", "pattern": "^\\$", "examples": ["$.version", "$.items[*].id"] };
    Pattern, "Pattern": { "type": "string", "format": "regex", "examples": ["^A[0-9]$"] };
    Comparison, "Comparison": { "type": ["string", "number"], "examples": ["> 3", "<= 100"] };
    Statuses, "Statuses": { "anyOf": [
        { "type": "integer", "minimum": 100, "maximum": 599 },
        { "type": "string", "pattern": "^[1-5]xx$" },
        { "type": "array", "minItems": 1, "items": { "type": "integer", "minimum": 100, "maximum": 599 } },
    ] };
}

/// The value itself, or assertions on it.
impl schemars::JsonSchema for Assertions {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Assertions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let operators = generator.subschema_for::<Operators>();
        json_schema!({ "anyOf": [{ "type": ["string", "number", "boolean", "null", "array"] }, operators] })
    }
}
