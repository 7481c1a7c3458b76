//! Errors as `application/problem+json` (RFC 9457), with the text that the command line would print.

use axum::body::{Body, to_bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::Error;

/// Its media type.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// The longest text of a refusal by axum itself, bytes.
const LONGEST: usize = 64 << 10;

/// Why a request was not done.
#[derive(Debug)]
pub struct Problem {
    /// The status of the answer.
    pub status: StatusCode,
    /// For people.
    pub detail: String,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let status = match &error {
            Error::NoAgent { .. } | Error::NoFleet(_) => StatusCode::NOT_FOUND,
            Error::NameTaken(_) | Error::FleetTaken(_) | Error::Running { .. } => StatusCode::CONFLICT,
            Error::NoRuntime | Error::File { .. } | Error::Start { .. } | Error::Failed { .. } | Error::Spec(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Problem { status, detail: error.to_string() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let body =
            json!({ "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail });
        (self.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body.to_string()).into_response()
    }
}

/// Gives refusals of axum (no such path, method, media type, malformed body) the same form.
pub async fn formed(response: Response) -> Response {
    let status = response.status();
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body): (_, Body) = response.into_parts();
    let text = to_bytes(body, LONGEST).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let detail = if text.is_empty() { status.to_string() } else { text.into_owned() };
    let mut formed = Problem { status, detail }.into_response();
    formed.headers_mut().extend(parts.headers.get(header::ALLOW).map(|allow| (header::ALLOW, allow.clone())));
    formed
}
