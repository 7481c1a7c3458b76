//! `serve`: what the command line does, over HTTP, and a page to watch it.
//!
//! No state but the fleets that it runs: agents are the folders of the store, whoever started them. All handlers and the
//! OpenAPI document come from one table of routes.

mod agents;
mod events;
mod fleets;
mod host;
mod listen;
mod openapi;
mod page;
mod problem;
mod routes;
mod schemas;
mod token;

use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::Value;

use crate::agent::Store;
use crate::cli::ServeOptions;
use crate::error::{Error, Result};
use fleets::Fleets;
use listen::Socket;
use problem::Problem;
use token::Token;

/// What handlers answer.
type Answer<T> = std::result::Result<T, Problem>;

/// What handlers know.
#[derive(Clone, Debug)]
struct Api {
    store: Store,
    fleets: Arc<Fleets>,
    token: Option<Token>,
}

/// Serves until SIGTERM or SIGINT; then the fleets that were started here end, and agents go on.
///
/// # Errors
/// An address that can't be listened on, TCP without a token.
pub fn serve(store: Store, options: &ServeOptions) -> Result<u8> {
    let token = options.token_file.as_deref().map(Token::read).transpose()?;
    let api = Api { store, fleets: Arc::default(), token };
    let fleets = Arc::clone(&api.fleets);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(Error::file("start a thread for", Path::new("serve"))).and_then(|runtime| {
        runtime.block_on(async {
            let socket = Socket::bind(&options.listen, api.token.is_some())?;
            socket.serve(routes::router(api)).await
        })
    });
    fleets.end();
    served.map(|()| 0)
}

/// Does work that waits (files, processes) off the thread that serves.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Answer<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Problem::from),
        Err(error) => Err(Problem { status: StatusCode::INTERNAL_SERVER_ERROR, detail: error.to_string() }),
    }
}

/// What the runtime has printed.
fn json_of(text: &[u8]) -> Result<Value> {
    serde_json::from_slice(text)
        .map_err(|error| Error::Malformed { path: "what rtrun printed".into(), problem: error.to_string() })
}
