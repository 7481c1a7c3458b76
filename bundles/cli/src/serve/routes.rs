//! The table of routes: what each is called, takes and answers, for the router and the OpenAPI document alike.

use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{MethodRouter, delete, get, post};
use axum::{Json, Router};

use super::{Api, agents, events, fleets, host, openapi, page, problem, token};

/// One method of one path.
#[derive(Clone, Copy)]
pub struct Route {
    /// As OpenAPI spells it.
    pub method: &'static str,
    /// With `{name}` where a name stands.
    pub path: &'static str,
    /// OpenAPI's operationId.
    pub id: &'static str,
    /// In one line.
    pub summary: &'static str,
    /// Query parameters: name, type, default, meaning.
    pub query: &'static [(&'static str, &'static str, &'static str, &'static str)],
    /// What a request carries: media type and schema.
    pub body: Option<(&'static str, &'static str)>,
    /// What is answered when all goes well: status, and media type and schema.
    pub answer: (u16, Option<(&'static str, &'static str)>),
    /// Who answers.
    pub handler: fn() -> MethodRouter<Api>,
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

/// Nothing but path and answer.
const fn route(
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    answer: (u16, Option<(&'static str, &'static str)>),
    handler: fn() -> MethodRouter<Api>,
) -> Route {
    Route { method, path, id, summary, query: &[], body: None, answer, handler }
}

/// The table.
pub const ROUTES: &[Route] = &[
    route("get", "/agents", "listAgents", "All agents", (200, Some((JSON, "Agents"))), || get(agents::list)),
    Route {
        body: Some((JSON, "Options")),
        ..route("post", "/agents", "startAgent", "Start an agent", (201, Some((JSON, "Agent"))), || post(agents::start))
    },
    route("get", "/agents/{name}", "getAgent", "An agent and its options", (200, Some((JSON, "Agent"))), || {
        get(agents::one)
    }),
    Route {
        query: &[("force", "boolean", "false", "Kill it where it runs")],
        ..route("delete", "/agents/{name}", "removeAgent", "Remove an agent and its log", (204, None), || {
            delete(agents::remove)
        })
    },
    route(
        "get",
        "/agents/{name}/inspect",
        "inspectAgent",
        "What was asked for, done and read back, as rtrun tells it",
        (200, Some((JSON, "Runtime"))),
        || get(agents::inspect),
    ),
    route("get", "/agents/{name}/logs", "getLog", "The last MiB that it printed", (200, Some((TEXT, "Text"))), || {
        get(agents::logs)
    }),
    Route {
        query: &[("time", "integer", "10", "Seconds between SIGTERM and SIGKILL")],
        ..route("post", "/agents/{name}/stop", "stopAgent", "End an agent", (200, Some((JSON, "Agent"))), || {
            post(agents::stop)
        })
    },
    route("get", "/fleets", "listFleets", "Fleets that were started here", (200, Some((JSON, "Fleets"))), || {
        get(fleets::list)
    }),
    Route {
        body: Some((TEXT, "FleetFile")),
        ..route("post", "/fleets", "startFleet", "Start a fleet", (201, Some((JSON, "Fleet"))), || post(fleets::start))
    },
    route("get", "/fleets/{name}", "getFleet", "A fleet", (200, Some((JSON, "Fleet"))), || get(fleets::one)),
    route("delete", "/fleets/{name}", "endFleet", "End a fleet and remove its agents", (204, None), || {
        delete(fleets::stop)
    }),
    route("get", "/fleets/{name}/logs", "getFleetLog", "What its agents print", (200, Some((TEXT, "Text"))), || {
        get(fleets::logs)
    }),
    Route {
        body: Some((JSON, "Options")),
        ..route("post", "/plan", "plan", "What rtrun would do for an agent", (200, Some((JSON, "Runtime"))), || {
            post(agents::plan)
        })
    },
    route("get", "/check", "check", "Whether this host is ready", (200, Some((JSON, "Runtime"))), || get(host::check)),
    route("get", "/host", "getHost", "Its CPUs and clock", (200, Some((JSON, "Host"))), || get(host::host)),
    route(
        "get",
        "/metrics",
        "getMetrics",
        "Of the clock, of containers and of agents",
        (200, Some(("application/openmetrics-text", "Text"))),
        || get(host::metrics),
    ),
    route(
        "get",
        "/events",
        "getEvents",
        "started, restarted, ended and removed, as it happens",
        (200, Some(("text/event-stream", "Text"))),
        || get(events::events),
    ),
    route("get", "/openapi.json", "getOpenApi", "This document", (200, Some((JSON, "Runtime"))), || {
        get(async || Json(openapi::document()))
    }),
    route("get", "/", "getPage", "A page to watch all this", (200, Some(("text/html", "Text"))), || get(page::page)),
];

/// Everything, behind the token where there is one.
pub fn router(api: Api) -> Router {
    let router = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, (route.handler)()));
    router.layer(from_fn_with_state(api.clone(), token::asked)).layer(map_response(problem::formed)).with_state(api)
}
