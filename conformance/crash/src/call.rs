//! Calling the runtime, with a bound on how long it may take.

use crate::outcome::{Check, Stop, fail, must};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::FromRawFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command that takes longer hangs.
pub const LIMIT: Duration = Duration::from_secs(15);

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Output {
    /// The words of the command.
    pub command: String,
    /// Exit code, or 128 + signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Fails unless the command exited with 0.
    pub fn succeeded(self) -> Check<Output> {
        must(self.code == 0, format_args!("`{}` exited with {}: {}", self.command, self.code, self.stderr.trim()))?;
        Ok(self)
    }

    /// Fails if the command exited with 0.
    pub fn refused(self) -> Check<Output> {
        must(self.code != 0, format_args!("`{}` went well: {}", self.command, self.stdout.trim()))?;
        Ok(self)
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Check<Output> {
    let mut outputs = run_all(std::slice::from_mut(command))?;
    outputs.pop().ok_or(Stop::Failed("no command".into()))
}

/// A command that has been started. Its output goes to unnamed files, which a container's process may keep open for as
/// long as it likes.
#[derive(Debug)]
pub struct Running {
    words: String,
    /// The process.
    pub pid: Pid,
    /// Exit code, or 128 + signal, once it has ended.
    pub code: Option<i32>,
    out: File,
    err: File,
}

/// Starts all commands, then waits for all.
pub fn run_all(commands: &mut [Command]) -> Check<Vec<Output>> {
    let mut running = commands.iter_mut().map(Running::start).collect::<Check<Vec<Running>>>()?;
    let begin = Instant::now();
    while running.iter().any(|command| command.code.is_none()) {
        // Orphans as well: a PID namespace does not end before its dead are reaped.
        let (ended, code) = match waitpid(None, Some(WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(ended, code) => (ended, code),
            WaitStatus::Signaled(ended, signal, _) => (ended, 128 + signal as i32),
            _ if begin.elapsed() > LIMIT => return hangs(&mut running),
            _ => {
                std::thread::sleep(Duration::from_micros(200));
                continue;
            }
        };
        running.iter_mut().filter(|command| command.pid == ended).for_each(|command| command.code = Some(code));
    }
    running.iter_mut().map(Running::output).collect()
}

fn hangs<T>(running: &mut [Running]) -> Check<T> {
    let mut texts = Vec::new();
    for command in running.iter_mut().filter(|command| command.code.is_none()) {
        kill(command.pid, Signal::SIGKILL)?;
        waitpid(command.pid, None)?;
        texts.push(format!(
            "`{}` hangs (over {} s): {}",
            command.words,
            LIMIT.as_secs(),
            text(&mut command.err)?.trim()
        ));
    }
    fail(texts.join("; "))
}

impl Running {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Check<Running> {
        let (out, err) = (unnamed()?, unnamed()?);
        let child = command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(err.try_clone()?).spawn()?;
        Ok(Running { words: words(command), pid: Pid::from_raw(child.id() as i32), code: None, out, err })
    }

    /// What it said, up to now.
    pub fn output(&mut self) -> Check<Output> {
        let (stdout, stderr) = (text(&mut self.out)?, text(&mut self.err)?);
        Ok(Output { command: self.words.clone(), code: self.code.unwrap_or(-1), stdout, stderr })
    }
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| {
        let word = word.to_string_lossy();
        if word.len() > 60 { format!("{}…", word.chars().take(60).collect::<String>()) } else { word.into_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn unnamed() -> std::io::Result<File> {
    // SAFETY: the name is a NUL-terminated constant.
    let fd = unsafe { libc::memfd_create(c"output".as_ptr(), libc::MFD_CLOEXEC) };
    let fd = nix::errno::Errno::result(fd)?;
    // SAFETY: memfd_create has just made it, nobody else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

fn text(file: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Waits up to three seconds for `probe` to give something.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> Check<T> {
    let begin = Instant::now();
    loop {
        if let Some(found) = probe() {
            return Ok(found);
        }
        if begin.elapsed() > Duration::from_secs(3) {
            return fail(format_args!("not within 3 s: {what}"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
