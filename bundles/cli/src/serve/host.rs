//! The host: its CPUs, its clock, whether it is ready, and all metrics.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use rtrun_hooks::CpuSet;
use rtrun_hooks::clock;
use serde_json::{Value, json};

use super::{Answer, Api, blocking, json_of};
use crate::error::{Error, Result, errno};
use crate::host::Cpus;
use crate::metrics;
use crate::runtime::Runtime;

/// Exit code of `rtrun check` on a host that is not ready, which is an answer, too.
const NOT_READY: i32 = 2;

/// CPUs by number, those isolated, and the clock as the kernel has it.
pub async fn host() -> Answer<Json<Value>> {
    blocking(|| {
        let cpus = Cpus::read()?;
        let numbers = |cpus: &CpuSet| cpus.iter().collect::<Vec<u32>>();
        Ok(json!({ "online": numbers(&cpus.online), "isolated": numbers(&cpus.isolated), "clock": clock_state() }))
    })
    .await
    .map(Json)
}

/// What `rtrun check` says.
pub async fn check() -> Answer<Json<Value>> {
    blocking(|| {
        let runtime = Runtime::find(None)?;
        let words = ["check", "--format", "json"];
        let failed = |error| Error::Start { program: runtime.path().display().to_string(), errno: errno(&error) };
        let output = runtime.command(words).output().map_err(failed)?;
        match output.status.code() {
            Some(0 | NOT_READY) => json_of(&output.stdout),
            _ => Err(Error::Failed {
                program: "rtrun".to_owned(),
                what: words.join(" "),
                message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            }),
        }
    })
    .await
    .map(Json)
}

/// Everybody's metrics.
pub async fn metrics(State(api): State<Api>) -> Answer<impl IntoResponse> {
    let text = blocking(move || -> Result<String> { Ok(metrics::merged(&api.store)) }).await?;
    Ok(([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text))
}

/// `adjtimex(2)`: FREERUN, HOLDOVER or LOCKED, and within what bound.
fn clock_state() -> Value {
    let sources = clock::open_all(&[], &clock::no_cards).unwrap_or_default();
    match sources.first().map(|source| source.sample()) {
        Some(Ok(sample)) => json!({
            "state": sample.state.to_string(),
            "boundNs": sample.bound_ns,
            "offsetNs": sample.offset_ns,
            "detail": sample.detail,
        }),
        Some(Err(problem)) => json!({ "state": "UNKNOWN", "detail": problem }),
        None => json!({ "state": "UNKNOWN", "detail": "no source" }),
    }
}
