//! JSON schemas of what goes in and out; that of options is the command line's own definition.

use clap::ArgAction;
use serde_json::{Map, Value, json};

use super::agents::READER;

/// By name.
pub fn schemas() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "Options": options(),
        "Agent": agent(),
        "Agents": { "type": "array", "items": { "$ref": "#/components/schemas/Agent" } },
        "Fleet": object(&[
            ("name", text.clone()),
            ("status", json!({ "type": "string", "description": "running, exit CODE, killed or lost" })),
            ("agents", json!({ "type": "array", "items": text })),
        ]),
        "Fleets": { "type": "array", "items": { "$ref": "#/components/schemas/Fleet" } },
        "FleetFile": { "type": "string", "description": "TOML, as for `rt-container-cli up`; paths begin at /" },
        "Host": host(),
        "Problem": object(&[
            ("type", json!({ "const": "about:blank" })),
            ("title", text.clone()),
            ("status", json!({ "type": "integer", "minimum": 400, "maximum": 599 })),
            ("detail", text.clone()),
        ]),
        "Runtime": { "type": "object" },
        "Text": text,
    })
}

fn object(properties: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> = properties.iter().map(|(name, of)| ((*name).to_owned(), of.clone())).collect();
    json!({ "type": "object", "required": names, "properties": properties })
}

fn options() -> Value {
    let known = READER.known().into_iter().map(|(name, help, action)| {
        let mut schema = match action {
            ArgAction::SetTrue => json!({ "type": "boolean" }),
            ArgAction::Append => json!({ "type": ["array", "string"], "items": { "type": "string" } }),
            _ => json!({ "type": ["string", "integer"] }),
        };
        schema["description"] = help.into();
        (name, schema)
    });
    json!({
        "type": "object",
        "required": ["app"],
        "additionalProperties": false,
        "properties": known.collect::<Map<String, Value>>(),
    })
}

fn agent() -> Value {
    let mut schema = object(&[
        ("name", json!({ "type": "string" })),
        ("status", json!({ "type": "string", "description": "running, exit CODE or lost" })),
        ("cpus", json!({ "type": ["string", "null"], "description": "In kernel list format" })),
        ("policy", json!({ "type": ["string", "null"] })),
        ("created", json!({ "type": "integer", "description": "Seconds since the epoch" })),
        ("restarts", json!({ "type": "integer" })),
        ("exitCode", json!({ "type": ["integer", "null"] })),
        ("app", json!({ "type": "string" })),
    ]);
    schema["properties"]["options"] = json!({ "type": "object" });
    schema
}

fn host() -> Value {
    let numbers = json!({ "type": "array", "items": { "type": "integer" } });
    let clock = json!({
        "type": "object",
        "required": ["state", "detail"],
        "properties": {
            "state": { "enum": ["LOCKED", "HOLDOVER", "FREERUN", "UNKNOWN"] },
            "boundNs": { "type": ["integer", "null"] },
            "offsetNs": { "type": ["integer", "null"] },
            "detail": { "type": "string" },
        },
    });
    object(&[("online", numbers.clone()), ("isolated", numbers), ("clock", clock)])
}
