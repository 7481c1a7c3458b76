//! The page: one file, nothing from elsewhere.

use axum::http::header;
use axum::response::{Html, IntoResponse};

/// What a browser may do with it: run what is in it, ask this server, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'";

/// The page itself.
pub async fn page() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("page.html")))
}
