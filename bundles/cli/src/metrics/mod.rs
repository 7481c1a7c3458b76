//! One OpenMetrics text of everything on this host: the agents as the store has them, `rtrun metrics`, and what agents publish.

mod exposition;

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::agent::{Agent, Store};
use crate::error::{Error, Result};
use crate::fleet::metrics_file;
use crate::runtime::Runtime;

use exposition::Exposition;

/// Its media type (OpenMetrics 1.0, "Protocol Negotiation").
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The longest text that is read of an agent, bytes.
const LONGEST: u64 = 4 << 20;

/// The whole text. Agents' samples get a label `agent`; a source that can't be read or merged is left out, and said so by
/// `rtcontainer_metrics_unreadable`.
pub fn merged(store: &Store) -> String {
    let agents = store.all();
    let mut whole = Exposition::default();
    let mut unreadable = vec![("rtrun".to_owned(), merge(&mut whole, runtime(), None))];
    for (folder, agent) in agents.iter().filter(|(folder, _)| metrics_file(folder).exists()) {
        let text = published(&metrics_file(folder));
        unreadable.push((agent.name.clone(), merge(&mut whole, text, Some(&agent.name))));
    }
    let agents: Vec<&Agent> = agents.iter().map(|(_, agent)| agent).collect();
    format!("{}{}# EOF\n", own(&agents, &unreadable), whole.text())
}

/// Whether the source could not be merged.
fn merge(whole: &mut Exposition, text: Result<String>, agent: Option<&str>) -> bool {
    text.map_err(|_| ()).and_then(|text| whole.add(&text, agent).map_err(|_| ())).is_err()
}

fn runtime() -> Result<String> {
    let output = Runtime::find(None)?.call(&["metrics"])?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The agent may write anything there: a link is not followed, a FIFO not waited for, too much not read.
fn published(path: &Path) -> Result<String> {
    let failed = || Error::file("read", path);
    let file =
        OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).map_err(failed())?;
    let metadata = file.metadata().map_err(failed())?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        let problem = format!("is no file of at most {LONGEST} bytes");
        return Err(Error::Malformed { path: path.to_path_buf(), problem });
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(failed())?;
    Ok(text)
}

fn own(agents: &[&Agent], unreadable: &[(String, bool)]) -> String {
    let family = |name: &str, kind: &str, help: &str, samples: Vec<(String, u32)>| {
        let suffix = if kind == "counter" { "_total" } else { "" };
        let head = format!("# TYPE {name} {kind}\n# HELP {name} {help}.\n");
        samples.iter().fold(head, |text, (labels, value)| format!("{text}{name}{suffix}{{{labels}}} {value}\n"))
    };
    let each = |value: fn(&Agent) -> u32| -> Vec<(String, u32)> {
        agents.iter().map(|agent| (format!("agent=\"{}\"", agent.name), value(agent))).collect()
    };
    let unreadable = unreadable.iter().map(|(source, bad)| (format!("source=\"{source}\""), u32::from(*bad)));
    [
        family(
            "rtcontainer_agent_running",
            "gauge",
            "Whether the agent runs",
            each(|agent| u32::from(agent.is_running())),
        ),
        family("rtcontainer_agent_restarts", "counter", "How often it was started again", each(|agent| agent.restarts)),
        family(
            "rtcontainer_metrics_unreadable",
            "gauge",
            "Whether the metrics of a source could not be read or merged",
            unreadable.collect(),
        ),
    ]
    .concat()
}
