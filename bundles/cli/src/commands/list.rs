//! `ps`.

use serde_json::{Value, json};

use crate::agent::{Agent, Store, now};
use crate::error::Result;

/// Lists agents: a table, or a JSON array.
///
/// # Errors
/// None today: agents that can't be read are left out.
pub fn ps(store: &Store, as_json: bool) -> Result<u8> {
    let agents: Vec<Agent> = store.all().into_iter().map(|(_, agent)| agent).collect();
    if as_json {
        println!("{:#}", Value::from(agents.iter().map(object).collect::<Vec<_>>()));
        return Ok(0);
    }
    println!("{:<24} {:<10} {:<8} {:<14} {:<8} APP", "NAME", "STATUS", "CPUS", "POLICY", "AGE");
    for agent in &agents {
        let cpus = agent.cpus.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let policy = agent.options.sched.map_or("-", rtrun_hooks::annotation::Policy::word);
        let (status, age, app) = (status(agent), age(now().saturating_sub(agent.created)), agent.options.app.display());
        println!("{:<24} {status:<10} {cpus:<8} {policy:<14} {age:<8} {app}", agent.name);
    }
    Ok(0)
}

/// An agent as JSON.
pub fn object(agent: &Agent) -> Value {
    json!({
        "name": agent.name,
        "status": status(agent),
        "cpus": agent.cpus,
        "policy": agent.options.sched,
        "created": agent.created,
        "restarts": agent.restarts,
        "exitCode": agent.exit_code,
        "app": agent.options.app,
    })
}

fn status(agent: &Agent) -> String {
    match (agent.is_running(), agent.exit_code) {
        (true, _) => "running".to_owned(),
        (false, Some(code)) => format!("exit {code}"),
        (false, None) => "lost".to_owned(),
    }
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
