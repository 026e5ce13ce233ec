//! What a JSON Schema says of values that have a form of their own.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Mapping, Spanned};
use crate::units::{Limit, Percent, Points, Rate, Requests, Span};

/// As the value itself.
impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// An object with any keys.
impl<T: JsonSchema> JsonSchema for Mapping<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("MappingOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let values = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": values })
    }
}

/// Implements `JsonSchema` for a type with this schema, which stands where the type is used.
macro_rules! schema_of {
    ($($type:ty, $name:literal: $schema:tt;)+) => {
        $(impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        })+
    };
}

pub(crate) use schema_of;

// A quantity is a text: a bare number has no unit.
schema_of! {
    Span, "Duration": { "type": "string", "pattern": "^\\s*([0-9]+(h|ms|m|s))+\\s*$", "examples": ["500ms", "5s", "3m", "1h30m"] };
    Rate, "Rate": { "type": "string", "pattern": "^\\s*0*[1-9][0-9]*\\s*/\\s*(s|m|h)\\s*$", "examples": ["50/s", "600/m"] };
    Percent, "Share": { "type": "string", "pattern": "^\\s*[0-9.]+\\s*%\\s*$", "examples": ["10%", "0.1%"] };
    Points, "Points": { "type": "string", "pattern": "^\\s*[0-9.]+\\s*pp\\s*$", "examples": ["1pp", "0.5pp"] };
    Requests, "Requests": { "type": "string", "pattern": "^\\s*[0-9]+\\s*requests?\\s*$", "examples": ["200 requests"] };
}

/// A quantity with or without a sign.
impl<T> JsonSchema for Limit<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^\\s*<?=?\\s*[0-9.]+\\s*[a-z%][a-z0-9]*\\s*$",
            "examples": ["< 300ms", "< 0.1%"],
        })
    }
}
