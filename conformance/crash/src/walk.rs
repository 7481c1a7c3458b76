//! kill -9 of the runtime, at system call after system call of each command.

use crate::Context;
use crate::call::{Output, eventually};
use crate::fault::{DEEDS, Deed};
use crate::leftovers;
use crate::outcome::{Check, Stop, fail, must};
use crate::sandbox::Sandbox;
use crate::trace::{self, End};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Steps by which a walk's pace is measured.
const SAMPLES: usize = 5;

/// What is tried on the container before it is deleted.
#[derive(Clone, Copy, Debug)]
enum Next {
    Kill,
    Delete,
    Start,
}

/// See the file's head.
pub fn create(context: &Context) -> Check {
    walk(context, deed("create")?)
}

/// See the file's head.
pub fn start(context: &Context) -> Check {
    walk(context, deed("start")?)
}

/// See the file's head.
pub fn exec(context: &Context) -> Check {
    walk(context, deed("exec")?)
}

/// See the file's head.
pub fn delete(context: &Context) -> Check {
    walk(context, deed("delete")?)
}

/// See the file's head.
pub fn run(context: &Context) -> Check {
    walk(context, deed("run")?)
}

/// See the file's head.
pub fn update(context: &Context) -> Check {
    walk(context, deed("update")?)
}

/// See the file's head.
pub fn pause(context: &Context) -> Check {
    walk(context, deed("pause")?)
}

/// See the file's head.
pub fn resume(context: &Context) -> Check {
    walk(context, deed("resume")?)
}

fn deed(name: &str) -> Check<&'static Deed> {
    DEEDS.iter().find(|deed| deed.name == name).ok_or(Stop::Failed(format!("no command is named {name}")))
}

/// create is killed while a createContainer hook hangs: the init that waits for it holds nothing, and goes with it.
pub fn hook(context: &Context) -> Check {
    let mut sandbox = Sandbox::new(&context.runtime, "hook")?;
    sandbox.config["hooks"] = json!({"createContainer": [{"path": "/bin/busybox", "args": ["sleep", "1000"]}]});
    sandbox.write()?;
    for next in [Next::Delete, Next::Kill, Next::Start] {
        let mut create = sandbox.command(&sandbox.create_words()).spawn()?;
        let sleeps = || leftovers::of_processes().iter().any(|line| line.contains("sleep 1000")).then_some(());
        eventually("the hook", sleeps)?;
        create.kill()?;
        create.wait()?;
        live(&sandbox, next)?;
    }
    Ok(())
}

/// delete and kill are killed in a paused container, and the next ones end it all the same.
pub fn paused(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "paused")?;
    for words in [["kill", &sandbox.id, "KILL"], ["delete", "--force", &sandbox.id]] {
        for call in (1..200).step_by(8) {
            sandbox.up()?;
            sandbox.call(&["pause", &sandbox.id])?.succeeded()?;
            trace::run(&mut sandbox.command(&words), Some(call))?;
            live(&sandbox, if call % 16 == 1 { Next::Delete } else { Next::Kill })
                .map_err(|stop| stop.at(format_args!("{} killed at system call {call}", words[0])))?;
        }
    }
    Ok(())
}

/// Every `stride`-th system call, the stride so that the walk ends within the context's time.
fn walk(context: &Context, target: &Deed) -> Check {
    let mut sandbox = Sandbox::new(&context.runtime, target.name)?;
    // A hook of each side makes their steps system calls to be killed at as well.
    let hook = json!([{"path": "/bin/busybox", "args": ["true"]}]);
    let inside = json!([{"path": "/bin/true"}]);
    sandbox.config["hooks"] = json!({
        "createRuntime": hook, "createContainer": hook, "startContainer": inside, "poststart": hook, "poststop": hook
    });
    sandbox.write()?;

    (target.prepare)(&sandbox)?;
    let calls = match trace::run(&mut sandbox.command(&(target.words)(&sandbox)), None)? {
        End::Exited { calls, code: 0 } => calls,
        end => return fail(format_args!("undisturbed: {end:?}")),
    };
    aftermath(&sandbox, Next::Kill)?;

    let begin = Instant::now();
    (1..=SAMPLES).try_for_each(|n| step(&sandbox, target, calls * n / (SAMPLES + 1), Next::Delete))?;
    let stride = stride(begin.elapsed() / SAMPLES as u32, calls, context.patience);
    let first = context.seed % stride + 1;
    let mut failures = Vec::new();
    let begin = Instant::now();
    let mut kills = 0;
    for (call, next) in (first..=calls).step_by(stride).zip([Next::Kill, Next::Delete, Next::Start].into_iter().cycle())
    {
        kills += 1;
        if let Err(Stop::Failed(text)) = step(&sandbox, target, call, next) {
            failures.push(text);
            leftovers::sweep(&sandbox);
            if failures.len() == 5 {
                break;
            }
        }
    }
    let (name, seconds) = (target.name, begin.elapsed().as_secs_f64());
    println!("# {name}: {calls} system calls, killed {kills} times, at every {stride}. from {first}, {seconds:.1} s");
    must(failures.is_empty(), failures.join("\n#   "))
}

fn stride(step: Duration, calls: usize, patience: Duration) -> usize {
    let all = step.as_secs_f64() * calls as f64;
    (all / patience.as_secs_f64()).ceil().max(1.0) as usize
}

fn step(sandbox: &Sandbox, target: &Deed, call: usize, next: Next) -> Check {
    (target.prepare)(sandbox)?;
    let killed = match trace::run(&mut sandbox.command(&(target.words)(sandbox)), Some(call))? {
        End::Killed { call: number } => format!("killed at system call {call} (number {number})"),
        End::Exited { calls, code } => format!("exited with {code} after {calls} system calls"),
    };
    aftermath(sandbox, next).map_err(|stop| match stop {
        Stop::Failed(text) => Stop::Failed(format!("{} {killed}, then {next:?}: {text}", target.name)),
        skipped @ Stop::Skipped(_) => skipped,
    })
}

/// What must hold wherever the runtime was killed: the container shows, ends and leaves nothing.
fn live(sandbox: &Sandbox, next: Next) -> Check {
    let id = sandbox.id.as_str();
    let state = sandbox.call(&["state", id])?;
    let absent = state.code != 0 && state.stderr.contains("does not exist");
    if !absent {
        let state: Value = serde_json::from_str(&state.succeeded()?.stdout)?;
        must(state["status"].is_string() && state["id"] == id, format_args!("state is {state}"))?;
    }
    match next {
        Next::Kill => allowed(sandbox.call(&["kill", id, "KILL"])?, &["not running", "does not exist"])?,
        Next::Start => allowed(sandbox.call(&["start", id])?, &["that is not created", "does not exist", "init died"])?,
        Next::Delete => {}
    }
    sandbox.call(&["delete", "--force", id])?.succeeded()?;
    sandbox.gone()
}

/// [`live`], and the id is free.
fn aftermath(sandbox: &Sandbox, next: Next) -> Check {
    live(sandbox, next)?;
    sandbox.create()?.succeeded()?;
    sandbox.call(&["delete", "--force", &sandbox.id])?.succeeded()?;
    sandbox.gone()
}

/// Fails unless the command went well or was refused with one of `texts`.
fn allowed(output: Output, texts: &[&str]) -> Check {
    let refused = texts.iter().any(|text| output.stderr.contains(text));
    must(
        output.code == 0 || refused,
        format_args!("`{}` gave {}: {}", output.command, output.code, output.stderr.trim()),
    )
}
