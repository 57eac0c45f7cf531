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

/// The schema as docs/profile.schema.json has it.
fn schema() -> String {
    let mut schema = schemars::schema_for!(raw::File);
    schema.insert("title".to_owned(), "a hash map, described for the auditor".into());
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

mod tests {
    use serde_json::Value;

    use super::super::builtin::BUILTIN;
    use super::*;

    const KEPT: &str = include_str!("../../../../../docs/profile.schema.json");

    #[test]
    #[ignore = "writes docs/profile.schema.json anew: cargo test -p auditor --lib the_schema_is_written -- --ignored"]
    fn the_schema_is_written() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/profile.schema.json");
        std::fs::write(path, schema()).unwrap();
    }

    #[test]
    fn the_schema_that_is_kept_is_that_of_the_keys_that_are_read() {
        assert_eq!(KEPT, schema(), "cargo test -p auditor --lib the_schema_is_written -- --ignored");
    }

    /// The first thing in a value that a schema does not allow. Knows the words of our schema and no others: an
    /// unknown one is an error, so that nothing is taken that was not looked at.
    fn against(schema: &Value, value: &Value, root: &Value) -> Result<(), String> {
        let Value::Object(words) = schema else { return Ok(()) };
        words.iter().try_for_each(|(word, wanted)| by_word((word, wanted), value, (root, schema)))
    }

    fn by_word(
        (word, wanted): (&str, &Value),
        value: &Value,
        (root, schema): (&Value, &Value),
    ) -> Result<(), String> {
        let holds =
            |holds: bool| if holds { Ok(()) } else { Err(format!("{value} against {word} {wanted}")) };
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        match word {
            "$ref" => {
                let path = wanted.as_str().unwrap().trim_start_matches('#');
                against(root.pointer(path).unwrap(), value, root)
            }
            "type" => holds(match wanted {
                Value::Array(all) => all.iter().any(|one| is_of(one, value)),
                one => is_of(one, value),
            }),
            "anyOf" | "oneOf" => holds(list(wanted).iter().any(|one| against(one, value, root).is_ok())),
            "enum" => holds(list(wanted).contains(value)),
            "const" => holds(wanted == value),
            "required" => holds(list(wanted).iter().all(|key| value.get(key.as_str().unwrap()).is_some())),
            "items" => list(value).iter().try_for_each(|item| against(wanted, item, root)),
            "properties" => {
                let fields = wanted.as_object().unwrap().iter();
                let there = fields.filter_map(|(key, schema)| Some((schema, value.get(key)?)));
                there.into_iter().try_for_each(|(schema, value)| against(schema, value, root))
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                let fields = value.as_object().into_iter().flatten();
                let others = fields.filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)));
                others.into_iter().try_for_each(|(key, value)| match wanted {
                    Value::Bool(false) => Err(format!("{key} is not known")),
                    schema => against(schema, value, root),
                })
            }
            "minimum" => holds(value.as_f64().is_none_or(|value| value >= wanted.as_f64().unwrap())),
            "maximum" => holds(value.as_f64().is_none_or(|value| value <= wanted.as_f64().unwrap())),
            "pattern" => {
                let pattern = regex::Regex::new(wanted.as_str().unwrap()).unwrap();
                holds(value.as_str().is_none_or(|text| pattern.is_match(text)))
            }
            "$schema" | "$defs" | "title" | "description" | "format" | "default" => Ok(()),
            other => Err(format!("{other} is no word that is checked")),
        }
    }

    fn is_of(kind: &Value, value: &Value) -> bool {
        match kind.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            _ => false,
        }
    }

    fn checked(text: &str) -> Result<(), String> {
        let schema: Value = serde_json::from_str(KEPT).unwrap();
        against(&schema, &toml::from_str(text).unwrap(), &schema)
    }

    #[test]
    fn every_profile_that_comes_with_it_fits_the_schema() {
        for (name, text) in BUILTIN {
            assert_eq!(checked(text), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_the_reader_refuses_for_its_keys_the_schema_refuses_too() {
        let (_, text) = BUILTIN[0];
        let changes = [
            ("remedy =", "remedies ="),
            ("moves = \"incremental\"", "moves = \"slowly\""),
            ("name = \"redis-dict-7\"", "name = \"Redis Dict\""),
            ("[label]", "[labels]"),
            ("live = \"used0 + used1\"", ""),
            ("header = 56", "heads = 56"),
            ("first = 4", "first = 4.5"),
            ("symbol = \"_dictExpand\" }", "symbols = \"_dictExpand\" }"),
            ("event = \"clear\"", "event = \"cleared\""),
        ];
        for (from, to) in changes {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            let changed = text.replace(from, to);
            assert!(checked(&changed).is_err(), "{to}");
            assert!(super::super::parse(&changed).is_err(), "{to}");
        }
    }
}
