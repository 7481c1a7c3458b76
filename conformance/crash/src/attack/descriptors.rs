//! CVE-2024-21626: a directory of the host reached by a descriptor that the runtime inherited or leaked.

use crate::Context;
use crate::call::run;
use crate::outcome::{Check, must};
use crate::sandbox::Sandbox;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use serde_json::json;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A host directory with a file that no container should ever see.
const SECRET: &str = "rtrun-crash-secret";
/// The descriptors that are tried.
const FDS: std::ops::Range<i32> = 3..24;

fn secret_directory(sandbox: &Sandbox) -> Check<OwnedFd> {
    let dir = sandbox.dir.join("host");
    fs::create_dir_all(&dir)?;
    fs::write(dir.join(SECRET), SECRET)?;
    Ok(open(&dir, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// Lets the command inherit the directory as several descriptors.
fn inherit(command: &mut Command, directory: &OwnedFd) {
    let fd = directory.as_raw_fd();
    let duplicate = move || {
        for target in [7, 8, 19, 20, 21, 22] {
            // SAFETY: one system call on plain numbers.
            nix::errno::Errno::result(unsafe { libc::dup2(fd, target) }).map_err(std::io::Error::from)?;
        }
        Ok(())
    };
    // SAFETY: dup2 is async-signal-safe. The pipe by which std learns of a failed execve may be overwritten, which turns
    // that failure into an exit code.
    unsafe { command.pre_exec(duplicate) };
}

/// `process.cwd` is a descriptor of the runtime: refused, or still inside.
pub fn cwd_of_create(context: &Context) -> Check {
    let mut sandbox = Sandbox::new(&context.runtime, "cwd")?;
    let directory = secret_directory(&sandbox)?;
    sandbox.config["process"]["args"] = json!(["/bin/sh", "-c", format!("cat {SECRET} ../{SECRET} host/{SECRET}")]);
    for fd in FDS {
        sandbox.config["process"]["cwd"] = json!(format!("/proc/self/fd/{fd}"));
        sandbox.write()?;
        let mut command = sandbox.command(&["run", "--bundle", &sandbox.dir.display().to_string(), &sandbox.id]);
        inherit(&mut command, &directory);
        let output = run(&mut command)?;
        must(!output.stdout.contains(SECRET), format_args!("cwd /proc/self/fd/{fd} is outside of the root"))?;
        sandbox.call(&["delete", "--force", &sandbox.id])?;
    }
    sandbox.gone()
}

/// The same by `exec --cwd`.
pub fn cwd_of_exec(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "execcwd")?;
    let directory = secret_directory(&sandbox)?;
    sandbox.up()?;
    for fd in FDS {
        let cwd = format!("/proc/self/fd/{fd}");
        let words = ["exec", "--cwd", &cwd, &sandbox.id, "cat", SECRET, &format!("../{SECRET}")];
        let mut command = sandbox.command(&words);
        inherit(&mut command, &directory);
        let output = run(&mut command)?;
        must(!output.stdout.contains(SECRET), format_args!("--cwd {cwd} is outside of the root"))?;
    }
    Ok(())
}

/// What the caller left open must not arrive in the container's processes.
pub fn inherited(context: &Context) -> Check {
    let mut sandbox = Sandbox::new(&context.runtime, "inherit")?;
    let directory = secret_directory(&sandbox)?;
    let look =
        format!("cat /proc/self/fd/*/{SECRET} /proc/1/fd/*/{SECRET} 2>/dev/null; ls -l /proc/self/fd 2>/dev/null");
    let clean = |what: &str, text: &str| {
        must(!text.contains(SECRET), format_args!("{what} has a directory of the host"))?;
        let open = text.lines().filter(|line| line.contains(" -> ")).count();
        // The directory that ls reads is closed when it looks.
        must(open == 3, format_args!("{what} has {open} descriptors:\n{text}"))
    };
    sandbox.config["process"]["args"] = json!(["/bin/sh", "-c", format!("{look}; sleep 1000")]);
    sandbox.write()?;
    let mut create = sandbox.command(&sandbox.create_words());
    inherit(&mut create, &directory);
    let output = std::fs::File::create(sandbox.dir.join("output"))?;
    let status = create.stdin(std::process::Stdio::null()).stdout(output).status()?;
    must(status.success(), "create")?;
    sandbox.call(&["start", &sandbox.id])?.succeeded()?;
    let said = || fs::read_to_string(sandbox.dir.join("output")).ok().filter(|text| text.contains("2 -> "));
    clean("the init", &crate::call::eventually("the init's descriptors", said)?)?;
    let mut exec = sandbox.command(&["exec", &sandbox.id, "/bin/sh", "-c", &look]);
    inherit(&mut exec, &directory);
    clean("an exec'd process", &run(&mut exec)?.stdout)
}
