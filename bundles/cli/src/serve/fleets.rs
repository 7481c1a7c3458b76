//! Fleets: each is a process of its own, `up`, which ends with this one. Agents that were started one by one do not.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path as FilePath, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::agents::tail;
use super::{Answer, Api, blocking};
use crate::agent::checked;
use crate::app::App;
use crate::error::{Error, Result, errno};
use crate::fleet;

/// Those that were started here.
#[derive(Debug, Default)]
pub struct Fleets(Mutex<BTreeMap<String, Up>>);

/// One of them.
#[derive(Debug)]
struct Up {
    child: Child,
    agents: Vec<String>,
    /// The fleet's file; its log lies beside it.
    file: PathBuf,
}

/// All.
pub async fn list(State(api): State<Api>) -> Answer<Json<Value>> {
    blocking(move || Ok(api.fleets.lock().iter_mut().map(|(name, up)| object(name, up)).collect::<Value>()))
        .await
        .map(Json)
}

/// Starts one from the text of a fleet file.
pub async fn start(State(api): State<Api>, text: String) -> Answer<impl IntoResponse> {
    let (name, object) = blocking(move || run(&api, &text)).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/fleets/{name}"))], Json(object)))
}

/// One.
pub async fn one(State(api): State<Api>, Path(name): Path<String>) -> Answer<Json<Value>> {
    blocking(move || match api.fleets.lock().get_mut(&name) {
        Some(up) => Ok(object(&name, up)),
        None => Err(Error::NoFleet(name)),
    })
    .await
    .map(Json)
}

/// What it has printed: its agents' lines, each with the name.
pub async fn logs(State(api): State<Api>, Path(name): Path<String>) -> Answer<String> {
    blocking(move || {
        let file = api.fleets.lock().get(&name).map(|up| up.file.clone()).ok_or(Error::NoFleet(name))?;
        tail(&file.with_extension("log"))
    })
    .await
}

/// Ends and forgets it.
pub async fn stop(State(api): State<Api>, Path(name): Path<String>) -> Answer<StatusCode> {
    blocking(move || {
        let up = api.fleets.lock().remove(&name).ok_or(Error::NoFleet(name))?;
        up.end();
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

impl Fleets {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Up>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all.
    pub fn end(&self) {
        let all = std::mem::take(&mut *self.lock());
        all.values().for_each(Up::ask);
        all.into_values().for_each(Up::end);
    }
}

impl Up {
    fn ask(&self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
    }

    fn end(mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.ask();
            let _ = self.child.wait();
        }
        for file in [self.file.with_extension("log"), self.file] {
            let _ = fs::remove_file(file);
        }
    }
}

/// Checked before anything is started, so that the refusal is the answer and not a line of a log.
fn run(api: &Api, text: &str) -> Result<(String, Value)> {
    let fleet = fleet::parse(text, FilePath::new("fleet.toml"))?;
    let name = checked(&fleet.name)?;
    for member in &fleet.members {
        let options = &member.options;
        if !options.app.is_absolute() {
            return Err(Error::RelativeApp { path: options.app.clone() });
        }
        App::inspect(options)?;
    }
    let mut fleets = api.fleets.lock();
    if fleets.get_mut(&name).is_some_and(|up| matches!(up.child.try_wait(), Ok(None))) {
        return Err(Error::FleetTaken(name));
    }
    let folder = api.store.fleets();
    fs::create_dir_all(&folder).map_err(Error::file("make", &folder))?;
    let file = folder.join(format!("{name}.toml"));
    fs::write(&file, text).map_err(Error::file("write", &file))?;
    let agents = fleet.members.iter().map(|member| fleet.agent_name(member)).collect();
    let mut up = Up { child: up(&file)?, agents, file };
    let object = object(&name, &mut up);
    fleets.insert(name.clone(), up);
    Ok((name, object))
}

fn up(file: &FilePath) -> Result<Child> {
    let log = file.with_extension("log");
    let out = File::create(&log).map_err(Error::file("make", &log))?;
    let failed = |error| Error::Start { program: "up".to_owned(), errno: errno(&error) };
    let copy = out.try_clone().map_err(failed)?;
    let own = std::env::current_exe().map_err(failed)?;
    Command::new(own).arg("up").arg(file).stdin(Stdio::null()).stdout(copy).stderr(out).spawn().map_err(failed)
}

fn object(name: &str, up: &mut Up) -> Value {
    let status = match up.child.try_wait() {
        Ok(None) => "running".to_owned(),
        Ok(Some(status)) => status.code().map_or_else(|| "killed".to_owned(), |code| format!("exit {code}")),
        Err(_) => "lost".to_owned(),
    };
    json!({ "name": name, "status": status, "agents": up.agents })
}
