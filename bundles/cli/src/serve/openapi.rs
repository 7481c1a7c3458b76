//! The OpenAPI 3.1 document of the table of routes.

use serde_json::{Map, Value, json};

use super::problem;
use super::routes::{ROUTES, Route};
use super::schemas::schemas;

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "rt-container-cli",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Programs in real-time containers: what the command line does, over HTTP.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "Where it listens on TCP" },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let (status, content) = route.answer;
    let mut answer = json!({ "description": route.summary });
    if let Some((media, schema)) = content {
        answer["content"] = json!({ media: { "schema": reference(schema) } });
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "responses": {
            status.to_string(): answer,
            "default": {
                "description": "Why it was not done",
                "content": { problem::MEDIA_TYPE: { "schema": reference("Problem") } },
            },
        },
    });
    let parameters = parameters(route);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some((media, schema)) = route.body {
        operation["requestBody"] = json!({ "required": true, "content": { media: { "schema": reference(schema) } } });
    }
    if ["/", "/openapi.json"].contains(&route.path) {
        operation["security"] = json!([]);
    }
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
    let named = route.path.contains("{name}").then(
        || json!({ "name": "name", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }),
    );
    let query = route.query.iter().map(|(name, kind, default, meaning)| {
        let default: Value = default.parse().unwrap_or_default();
        let mut schema = json!({ "type": kind, "default": default });
        if *kind == "integer" {
            schema["minimum"] = 0.into();
            schema["maximum"] = u32::MAX.into();
        }
        json!({ "name": name, "in": "query", "description": meaning, "schema": schema })
    });
    named.into_iter().chain(query).collect()
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_that_is_named_is_there() {
        let document = document();
        let text = document.to_string();
        let named = text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
        for name in named {
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        assert_eq!(document["paths"]["/agents/{name}"]["delete"]["parameters"][1]["schema"]["default"], false);
    }
}
