//! One command, with a time limit, its output kept in files.
//!
//! Output goes to files and not to pipes: the process of a created container inherits them, and a pipe would only
//! end with the container.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::case::{OrFail, Stop, Verdict, fail};

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command line, for messages
    pub line: String,
    /// Exit code, or minus the signal that ended it
    pub code: i32,
    /// What it, and the container, wrote to stdout so far
    pub stdout: String,
    /// What it, and the container, wrote to stderr so far
    pub stderr: String,
}

impl Output {
    /// Fails unless the command ended with 0.
    pub fn succeeded(self) -> Verdict<Output> {
        self.ended(0)
    }

    /// Fails unless the command ended with `code`.
    pub fn ended(self, code: i32) -> Verdict<Output> {
        if self.code == code { Ok(self) } else { fail(format!("{self}, want exit code {code}")) }
    }

    /// Fails unless the command refused: an exit code that is not 0, and a message.
    pub fn refused(self) -> Verdict<Output> {
        match self.code {
            0 => fail(format!("{self}, should have been refused")),
            code if code < 0 => fail(format!("{self}, should have been refused with a message")),
            _ if self.stderr.trim().is_empty() => fail(format!("{self} without any message")),
            _ => Ok(self),
        }
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Output { line, code, stdout, stderr } = self;
        write!(f, "`{line}` ended with {code}")?;
        for (name, text) in [("stdout", stdout.trim()), ("stderr", stderr.trim())] {
            if !text.is_empty() {
                let start = text.len().saturating_sub(600);
                let start = (start..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                write!(f, " ({name}: {})", &text[start..])?;
            }
        }
        Ok(())
    }
}

/// A command being put together.
pub struct Call {
    command: Command,
    line: String,
    limit: Duration,
    stdin: Option<Vec<u8>>,
    handed: Vec<OwnedFd>,
}

impl Call {
    /// `program` with `args`, stdin from a null device, ended after 15 s.
    pub fn new<S: AsRef<std::ffi::OsStr>>(program: &Path, args: impl IntoIterator<Item = S>) -> Call {
        let mut command = Command::new(program);
        command.args(args);
        let mut line = program.display().to_string();
        for arg in command.get_args() {
            line = format!("{line} {}", arg.to_string_lossy());
        }
        Call { command, line, limit: Duration::from_secs(15), stdin: None, handed: Vec::new() }
    }

    /// Gives `bytes` on stdin.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Call {
        self.stdin = Some(bytes.into());
        self
    }

    /// Sets an environment variable of the command itself.
    pub fn env(mut self, name: &str, value: &str) -> Call {
        self.command.env(name, value);
        self
    }

    /// Hands `fds` over as file descriptors 3, 4, ….
    pub fn fds(mut self, fds: Vec<OwnedFd>) -> Call {
        self.handed = fds;
        self
    }

    /// Starts it and lets it run; its output goes to `dir`.
    pub fn spawn(mut self, dir: &Path) -> Verdict<Running> {
        let serial = fs::read_dir(dir).or_fail(dir.display())?.count();
        let [out, err] = ["out", "err"].map(|kind| dir.join(format!("{serial:03}.{kind}")));
        let create = |path: &Path| File::create(path).or_fail(path.display());
        self.command.stdout(create(&out)?).stderr(create(&err)?);
        self.command.stdin(match self.stdin {
            Some(_) => Stdio::piped(),
            None => null(dir).map_or_else(|_| Stdio::null(), Stdio::from),
        });
        let handed: Vec<RawFd> = self.handed.iter().map(AsRawFd::as_raw_fd).collect();
        // SAFETY: the closure only duplicates descriptors, which is async-signal-safe, and allocates nothing.
        unsafe { self.command.pre_exec(move || hand_over(&handed)) };
        let mut child = self.command.spawn().or_fail(format_args!("start `{}`", self.line))?;
        if let (Some(bytes), Some(mut pipe)) = (&self.stdin, child.stdin.take()) {
            // A command that ends without reading closes the pipe; its exit code tells the story.
            let _ = pipe.write_all(bytes);
        }
        Ok(Running { child, line: self.line, limit: self.limit, out, err })
    }

    /// Starts it and waits for its end.
    pub fn output(self, dir: &Path) -> Verdict<Output> {
        self.spawn(dir)?.wait()
    }
}

/// A null device of the case's own in `dir`: runtimes were seen to change the owner of their stdin, and the host's
/// /dev/null must not suffer for it.
pub fn null(dir: &Path) -> io::Result<File> {
    let path = dir.join("null");
    if !path.exists() {
        let mode = Mode::from_bits_truncate(0o666);
        mknod(&path, SFlag::S_IFCHR, mode, makedev(1, 3))?;
    }
    File::open(path)
}

/// Duplicates `fds` to 3, 4, …, out of each other's way first.
fn hand_over(fds: &[RawFd]) -> io::Result<()> {
    let first = 3;
    let high = 200;
    // SAFETY: dup2 and close take integers; a bad one gives an error.
    unsafe {
        for (index, fd) in fds.iter().enumerate() {
            if libc::dup2(*fd, high + index as RawFd) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        for index in 0..fds.len() as RawFd {
            if libc::dup2(high + index, first + index) < 0 {
                return Err(io::Error::last_os_error());
            }
            libc::close(high + index);
        }
    }
    Ok(())
}

/// A command that was started.
pub struct Running {
    child: Child,
    line: String,
    limit: Duration,
    out: std::path::PathBuf,
    err: std::path::PathBuf,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// What it wrote to stdout so far.
    pub fn stdout(&self) -> String {
        read(&self.out)
    }

    /// Waits for its end; past the time limit it is killed and the case fails.
    pub fn wait(mut self) -> Verdict<Output> {
        let start = Instant::now();
        let status = loop {
            match self.child.try_wait().or_fail(&self.line)? {
                Some(status) => break status,
                None if start.elapsed() < self.limit => pause(start.elapsed()),
                None => {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    let (out, err) = (self.stdout(), read(&self.err));
                    return Err(Stop::Fail(format!(
                        "`{}` did not end within {:?} (stdout: {out:?}, stderr: {err:?})",
                        self.line, self.limit
                    )));
                }
            }
        };
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
        let (stdout, stderr) = (self.stdout(), read(&self.err));
        Ok(Output { line: self.line, code, stdout, stderr })
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// A short sleep that grows with the time already waited: 0.3 ms to 10 ms.
pub fn pause(waited: Duration) {
    std::thread::sleep((waited / 10).clamp(Duration::from_micros(300), Duration::from_millis(10)));
}

/// How long a case waits for what must come: a busy machine is slow, and only a failure takes as long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Repeats `check` until it gives a value; after ten seconds the case fails with `what`.
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> Verdict<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = check() {
            return Ok(value);
        }
        if start.elapsed() > PATIENCE {
            return fail(format!("{what}: not within {PATIENCE:?}"));
        }
        pause(start.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> std::path::PathBuf {
        let dir = std::env::temp_dir().join(format!("rtrun-conformance-call-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn output_has_code_and_both_streams() {
        let dir = scratch("output");
        let call = Call::new(Path::new("/bin/sh"), ["-c", "cat; echo err >&2; exit 3"]).stdin("in");
        let output = call.output(&dir).unwrap();
        assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (3, "in", "err\n"));
        assert!(output.clone().succeeded().is_err());
        assert!(output.refused().is_ok());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_time_limit_ends_a_command() {
        let dir = scratch("limit");
        let mut call = Call::new(Path::new("/bin/sleep"), ["60"]);
        call.limit = Duration::from_millis(50);
        let Err(Stop::Fail(message)) = call.output(&dir) else { panic!("should have been ended") };
        assert!(message.contains("did not end within"), "{message}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn descriptors_arrive_from_three_upwards() {
        let dir = scratch("fds");
        let path = dir.join("text");
        fs::write(&path, "handed").unwrap();
        let fds = vec![File::open(&path).unwrap().into(), File::open("/dev/null").unwrap().into()];
        let call = Call::new(Path::new("/bin/sh"), ["-c", "cat <&3; readlink /proc/self/fd/4"]).fds(fds);
        assert_eq!(call.output(&dir).unwrap().stdout, "handed/dev/null\n");
        fs::remove_dir_all(dir).unwrap();
    }
}
