//! What a JSON Schema says of values that have a form of their own.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Mapping, Spanned};

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

/// A text of a form of its own, described in the schema by a pattern. YAML's numbers are never one of these.
macro_rules! text_of_a_form {
    ($($type:ty: $pattern:literal, $says:literal, [$($example:literal),+]);+ $(;)?) => {
        $(impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).rsplit("::").next().unwrap_or_default().trim().into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "description": $says,
                    "examples": [$($example),+],
                })
            }
        })+
    };
}

text_of_a_form! {
    crate::units::Span: r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$", "A duration with its unit.", ["500ms", "5s", "3m", "1h30m"];
    crate::units::Rate: r"^\s*0*[1-9][0-9]*\s*/\s*(s|m|h)\s*$", "So many in a time.", ["50/s", "600/m"];
    crate::units::Percent: r"^\s*[0-9.]+\s*%\s*$", "A share from 0% to 100%.", ["10%", "0.1%"];
    crate::plan::JsonPath: r"^\$", "A place in JSON.", ["$.status", "$.items[0].id", "$['a b']"];
}
