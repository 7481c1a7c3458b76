//! The commands that faults are put into: what comes before, and what must hold after each end.

use crate::call::Output;
use crate::outcome::{Check, must};
use crate::sandbox::Sandbox;
use serde_json::Value;

/// One command.
pub struct Deed {
    /// As the command line has it.
    pub name: &'static str,
    /// Brings the container to where the command finds it.
    pub prepare: fn(&Sandbox) -> Check,
    /// The command's words.
    pub words: fn(&Sandbox) -> Vec<String>,
    /// Holds once the command has said that it went well.
    pub done: fn(&Sandbox, &Output) -> Check,
    /// Holds once the command has said that it failed: nothing is lost, nothing is left.
    pub undone: fn(&Sandbox) -> Check,
}

/// All of them.
pub const DEEDS: [Deed; 12] = [
    Deed {
        name: "create",
        prepare: |_| Ok(()),
        words: |sandbox| sandbox.create_words().to_vec(),
        done: |sandbox, _| {
            status(sandbox, &["created"])?;
            sandbox.call(&["start", &sandbox.id])?.succeeded()?;
            status(sandbox, &["running"])
        },
        undone: Sandbox::gone,
    },
    Deed {
        name: "start",
        prepare: |sandbox| sandbox.create()?.succeeded().map(drop),
        words: |sandbox| words(&["start", &sandbox.id]),
        done: |sandbox, _| status(sandbox, &["running"]),
        undone: |sandbox| status(sandbox, &["created", "running", "stopped"]),
    },
    Deed {
        name: "exec",
        prepare: Sandbox::up,
        words: |sandbox| words(&["exec", &sandbox.id, "true"]),
        done: |sandbox, _| alone(sandbox),
        undone: |sandbox| {
            alone(sandbox)?;
            sandbox.exec("true")?.succeeded().map(drop)
        },
    },
    Deed {
        name: "run",
        prepare: |_| Ok(()),
        words: |sandbox| {
            let [_, rest @ ..] = sandbox.create_words();
            std::iter::once("run".to_owned()).chain(["--detach".to_owned()]).chain(rest).collect()
        },
        done: |sandbox, _| status(sandbox, &["running"]),
        undone: Sandbox::gone,
    },
    Deed {
        name: "kill",
        prepare: Sandbox::up,
        words: |sandbox| words(&["kill", &sandbox.id, "KILL"]),
        done: |sandbox, _| crate::call::eventually("stopped", || status(sandbox, &["stopped"]).ok()),
        undone: |sandbox| status(sandbox, &["running", "stopped"]),
    },
    Deed {
        name: "pause",
        prepare: Sandbox::up,
        words: |sandbox| words(&["pause", &sandbox.id]),
        done: |sandbox, _| status(sandbox, &["paused"]),
        undone: |sandbox| status(sandbox, &["running", "paused"]),
    },
    Deed {
        name: "resume",
        prepare: |sandbox| {
            sandbox.up()?;
            sandbox.call(&["pause", &sandbox.id])?.succeeded().map(drop)
        },
        words: |sandbox| words(&["resume", &sandbox.id]),
        done: |sandbox, _| status(sandbox, &["running"]),
        undone: |sandbox| status(sandbox, &["running", "paused"]),
    },
    Deed {
        name: "update",
        prepare: Sandbox::up,
        words: |sandbox| words(&["update", "--pids-limit", "77", "--cpu-share", "512", &sandbox.id]),
        done: |sandbox, _| status(sandbox, &["running"]),
        undone: |sandbox| status(sandbox, &["running"]),
    },
    Deed {
        name: "state",
        prepare: Sandbox::up,
        words: |sandbox| words(&["state", &sandbox.id]),
        done: |sandbox, output| is_status(sandbox, &serde_json::from_str(&output.stdout)?, &["running"]),
        undone: |sandbox| status(sandbox, &["running"]),
    },
    Deed {
        name: "list",
        prepare: Sandbox::up,
        words: |_| words(&["list", "--format", "json"]),
        done: |sandbox, output| {
            let list: Value = serde_json::from_str(&output.stdout)?;
            is_status(sandbox, &list[0], &["running"])
        },
        undone: |sandbox| status(sandbox, &["running"]),
    },
    Deed {
        name: "ps",
        prepare: Sandbox::up,
        words: |sandbox| words(&["ps", "--format", "json", &sandbox.id]),
        done: |_, output| {
            let pids: Vec<i32> = serde_json::from_str(&output.stdout)?;
            must(pids.len() == 1, format_args!("{pids:?} for one process"))
        },
        undone: |sandbox| status(sandbox, &["running"]),
    },
    Deed {
        name: "delete",
        prepare: Sandbox::up,
        words: |sandbox| words(&["delete", "--force", &sandbox.id]),
        done: |sandbox, _| sandbox.gone(),
        // It may be half gone; the next delete --force, which follows every fault, has to finish it.
        undone: |_| Ok(()),
    },
];

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

/// Fails unless `state` tells one of these.
fn status(sandbox: &Sandbox, allowed: &[&str]) -> Check {
    let output = sandbox.call(&["state", &sandbox.id])?.succeeded()?;
    is_status(sandbox, &serde_json::from_str(&output.stdout)?, allowed)
}

fn is_status(sandbox: &Sandbox, state: &Value, allowed: &[&str]) -> Check {
    let good = state["id"] == sandbox.id && allowed.iter().any(|status| state["status"] == *status);
    must(good, format_args!("state is {state}, want one of {allowed:?}"))
}

/// Fails unless the container runs and its own process is the only one in it.
fn alone(sandbox: &Sandbox) -> Check {
    status(sandbox, &["running"])?;
    let listed = || {
        let output = sandbox.call(&["ps", "--format", "json", &sandbox.id]).ok()?;
        (serde_json::from_str::<Vec<i32>>(&output.stdout).ok()?.len() == 1).then_some(())
    };
    crate::call::eventually("the container's process alone", listed)
}
