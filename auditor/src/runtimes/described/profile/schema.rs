//! The JSON schema of profiles, for editors: made from the keys that are read, kept as docs/profile.schema.json.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Metric, raw};
use crate::runtimes::described::expression::Type;

/// `[metrics]`: the words are given.
pub(super) struct Metrics;

impl JsonSchema for Metrics {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Metrics".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let number = generator.subschema_for::<raw::Number>();
        let metric = |(metric, text, about): &(Metric, &str, &str)| {
            let mut schema = match metric.kind() {
                Type::Bool => json_schema!({ "type": "string" }),
                _ => json_schema!({ "anyOf": [number.clone()] }),
            };
            schema.insert("description".to_owned(), about.trim().into());
            ((*text).to_owned(), schema)
        };
        let properties: BTreeMap<String, Schema> = Metric::ALL.iter().map(metric).collect();
        let required: Vec<&str> = Metric::REQUIRED.iter().map(|(metric, _)| metric.text()).collect();
        json_schema!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}
