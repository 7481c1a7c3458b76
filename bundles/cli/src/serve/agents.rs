//! Agents, and what would become of one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Api, blocking, json_of};
use crate::agent::Agent;
use crate::cli::{LaunchOptions, Reader, Table};
use crate::commands::{object, plan as planned, start as started, stop as ending};
use crate::error::{Error, Result};
use crate::runtime::Runtime;

/// The options of `run` that the API leaves to the caller.
pub const READER: Reader = Reader { who: "the API's", own: &[], decided: &["detach", "dry-run", "write-bundle"] };
/// How much of a log is answered, from its end, bytes.
const LONGEST_LOG: u64 = 1 << 20;

/// Query of `stop`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grace {
    /// Seconds between SIGTERM and SIGKILL.
    #[serde(default = "ten")]
    time: u32,
}

fn ten() -> u32 {
    10
}

/// Query of `remove`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// Kill it where it runs.
    #[serde(default)]
    force: bool,
}

/// All.
pub async fn list(State(api): State<Api>) -> Answer<Json<Value>> {
    blocking(move || Ok(api.store.all().iter().map(|(_, agent)| object(agent)).collect::<Value>())).await.map(Json)
}

/// Starts one.
pub async fn start(State(api): State<Api>, Json(table): Json<Table>) -> Answer<impl IntoResponse> {
    let agent = blocking(move || {
        let (_, folder) = started(&api.store, &options(&table)?)?;
        let agent = folder.load()?;
        reap(&agent);
        Ok(agent)
    });
    let agent = agent.await?;
    let place = format!("/agents/{}", agent.name);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(object(&agent))))
}

/// What `rtrun plan` says of one.
pub async fn plan(State(api): State<Api>, Json(table): Json<Table>) -> Answer<Json<Value>> {
    blocking(move || json_of(planned(&api.store, &options(&table)?, "json")?.as_bytes())).await.map(Json)
}

/// One, with its options.
pub async fn one(State(api): State<Api>, Path(name): Path<String>) -> Answer<Json<Value>> {
    blocking(move || {
        let (_, agent) = api.store.find(&name)?;
        let mut object = object(&agent);
        object["options"] = json!(agent.options);
        Ok(object)
    })
    .await
    .map(Json)
}

/// What `rtrun inspect` says of it.
pub async fn inspect(State(api): State<Api>, Path(name): Path<String>) -> Answer<Json<Value>> {
    blocking(move || {
        let (_, agent) = api.store.find(&name)?;
        let output = Runtime::find(Some(&agent.runtime))?.call(&["inspect", "--format", "json", &agent.name])?;
        json_of(&output.stdout)
    })
    .await
    .map(Json)
}

/// The end of what it has printed.
pub async fn logs(State(api): State<Api>, Path(name): Path<String>) -> Answer<String> {
    blocking(move || {
        let path = api.store.find(&name)?.0.log();
        tail(&path)
    })
    .await
}

/// Ends it.
pub async fn stop(State(api): State<Api>, Path(name): Path<String>, Query(grace): Query<Grace>) -> Answer<Json<Value>> {
    blocking(move || {
        let (_, before) = api.store.find(&name)?;
        ending::stop(&api.store, &[name], Duration::from_secs(grace.time.into()))?;
        // One that removes itself is gone now.
        let after = api.store.find(&before.name).map_or(before, |(_, agent)| agent);
        Ok(object(&after))
    })
    .await
    .map(Json)
}

/// Removes it.
pub async fn remove(
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(removal): Query<Removal>,
) -> Answer<StatusCode> {
    blocking(move || ending::rm(&api.store, &[name], removal.force)).await.map(|_| StatusCode::NO_CONTENT)
}

fn options(table: &Table) -> Result<LaunchOptions> {
    let mut options = READER.options(table).map_err(Error::Request)?;
    options.detach = true;
    if options.app.is_absolute() { Ok(options) } else { Err(Error::RelativeApp { path: options.app }) }
}

/// The supervisor is this process's child, and nobody else waits for its end.
fn reap(agent: &Agent) {
    if let Some(supervisor) = agent.supervisor {
        std::thread::spawn(move || waitpid(Pid::from_raw(supervisor.pid), None));
    }
}

/// The end of a file, at most [`LONGEST_LOG`] bytes of it.
pub fn tail(path: &std::path::Path) -> Result<String> {
    let failed = || Error::file("read", path);
    let mut file = File::open(path).map_err(failed())?;
    let length = file.metadata().map_err(failed())?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_LOG))).map_err(failed())?;
    let mut text = Vec::new();
    file.take(LONGEST_LOG).read_to_end(&mut text).map_err(failed())?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
