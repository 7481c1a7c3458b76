use super::table::{Format, columns};
use super::{Command, Error, Globals, print};
use crate::report::{Outcome, Realtime, Step};
use crate::state::{Container, Status};
use rtrun_hooks::annotation::Verify;
use serde::Serialize;

/// Print what a container was given, and what the kernel shows of it
#[derive(clap::Parser)]
pub(super) struct Inspect {
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Name of the container
    id: String,
}

/// The JSON.
#[derive(Serialize)]
struct Printed<'a> {
    id: &'a str,
    status: Status,
    pid: Option<i32>,
    /// Whether everything asked for is in effect; absent before the start, and where nothing was asked for.
    holds: Option<bool>,
    #[serde(flatten)]
    realtime: Option<&'a Realtime>,
}

impl Command for Inspect {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let container = globals.store().load(&self.id)?;
        let realtime = container.state.realtime.as_deref();
        match self.format {
            Format::Json => {
                let printed = Printed {
                    id: container.id(),
                    status: container.status()?,
                    pid: container.pid()?.map(nix::unistd::Pid::as_raw),
                    holds: realtime.and_then(Realtime::holds),
                    realtime,
                };
                print(&format!("{}\n", serde_json::to_string_pretty(&printed)?))
            }
            Format::Table => print(&text(&container, realtime)?),
        }
    }
}

fn text(container: &Container, realtime: Option<&Realtime>) -> Result<String, Error> {
    let status = container.status()?;
    let pid = container.pid()?.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let Some(realtime) = realtime else {
        return Ok(format!("{}: {status}{pid}; it asked for nothing beyond its limits\n", container.id()));
    };
    let verdict = match realtime.holds() {
        Some(true) => "everything that can be read back is as asked",
        Some(false) => "NOT everything is as asked",
        None if realtime.verify == Verify::Off => "nothing was read back",
        None => "not started yet",
    };
    let mut text = format!("{}: {status}{pid}; {verdict} (verify={})\n", container.id(), realtime.verify);
    let mut rows = vec![["STEP", "TARGET", "ASKED", "BY", "READ BACK", "", "NOTE"].map(String::from)];
    rows.extend(realtime.steps.iter().map(row));
    text.push_str(&columns(&rows));
    realtime.warnings.iter().for_each(|warning| text.push_str(&format!("warning: {warning}\n")));
    if !realtime.phases.is_empty() {
        let micros = |phase: &crate::report::Phase| format!("{} {} µs", phase.name, phase.nanoseconds / 1000);
        let phases: Vec<String> = realtime.phases.iter().map(micros).collect();
        text.push_str(&format!("time: {}\n", phases.join(", ")));
    }
    Ok(text)
}

fn row(step: &Step) -> [String; 7] {
    let Step { what, target, value, asked, outcome, .. } = step.clone();
    let unknown = Outcome { found: None, holds: true, note: None };
    let mark = match &outcome {
        None => "",
        Some(outcome) if outcome.holds => "ok",
        Some(_) => "DIFFERS",
    };
    let mark = mark.to_owned();
    let Outcome { found, note, .. } = outcome.unwrap_or(unknown);
    [what.to_string(), target, value, asked, found.unwrap_or_default(), mark, note.unwrap_or_default()]
}
