//! Who is measured: an OCI runtime by its command line, or the floor program by its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::bundle::Bundle;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::process::{Command, Init, Streams};

/// A runtime as given on the command line: `NAME=PATH`, or a name that is looked for in PATH.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// How the tables call it.
    pub name: String,
    /// The binary.
    pub path: PathBuf,
}

impl std::str::FromStr for Runtime {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, path) = text.split_once('=').unwrap_or((text, text));
        let found = if path.contains('/') { Some(PathBuf::from(path)) } else { find(path) };
        let path = found.and_then(|path| path.canonicalize().ok()).ok_or(format!("no executable {path}"))?;
        Ok(Self { name: name.into(), path })
    }
}

/// Looks a program up in the usual directories, and in PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let dirs = path.split(':').chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]);
    dirs.map(|dir| Path::new(dir).join(program)).find(|path| path.is_file())
}

/// The commands of one container's life, made once and run again and again.
pub struct Contender {
    /// How the tables call it.
    pub name: String,
    create: Command,
    /// Absent for the floor in one process, whose `create` is the whole life.
    rest: Option<(Command, Command)>,
    pid_file: PathBuf,
}

/// What one life took.
#[derive(Clone, Copy)]
pub struct Life {
    /// `create`, `start` and `delete`; a life in one process is all in the first.
    pub phases: [Duration; 3],
}

impl Life {
    /// The three phases together.
    pub fn total(&self) -> Duration {
        self.phases.iter().sum()
    }
}

impl Contender {
    /// An OCI runtime with a container `id` made from `bundle`.
    pub fn runtime(runtime: &Runtime, host: &Host, bundle: &Path, id: &str) -> Result<Self> {
        let pid_file = host.work.join(format!("{}-{id}.pid", runtime.name));
        let command = |words: &[&Path]| runtime.command(host, words);
        Ok(Self {
            name: runtime.name.clone(),
            create: command(&[
                "create".as_ref(),
                "--bundle".as_ref(),
                bundle,
                "--pid-file".as_ref(),
                &pid_file,
                id.as_ref(),
            ])?,
            rest: Some((command(&["start", id].map(Path::new))?, command(&["delete", id].map(Path::new))?)),
            pid_file,
        })
    }

    /// The floor in three process starts.
    pub fn floor_three(program: &Path, host: &Host, bundle: &Bundle) -> Result<Self> {
        let cgroups = host.cgroups("floor-three")?;
        let command = |verb: &str| {
            let words = [program, Path::new(verb), &bundle.dir];
            Command::new(words.into_iter().chain(cgroups.iter().map(PathBuf::as_path)))
        };
        Ok(Self {
            name: "floor, 3 processes".into(),
            create: command("create")?,
            rest: Some((command("start")?, command("delete")?)),
            pid_file: bundle.dir.join("pid"),
        })
    }

    /// The floor in one process.
    pub fn floor_one(program: &Path, host: &Host, bundle: &Bundle) -> Result<Self> {
        let cgroups = host.cgroups("floor-one")?;
        let words = [program, Path::new("one"), &bundle.dir];
        Ok(Self {
            name: "floor, 1 process".into(),
            create: Command::new(words.into_iter().chain(cgroups.iter().map(PathBuf::as_path)))?,
            rest: None,
            pid_file: PathBuf::new(),
        })
    }

    /// One whole life. The wait for the process's end lies between the timed parts.
    pub fn live(&self, streams: &Streams) -> Result<Life> {
        let created = self.create.time(streams)?;
        let Some((start, delete)) = &self.rest else {
            return Ok(Life { phases: [created, Duration::ZERO, Duration::ZERO] });
        };
        let init = self.init()?;
        let started = start.time(streams)?;
        init.wait_end()?;
        Ok(Life { phases: [created, started, delete.time(streams)?] })
    }

    /// The container's process, by the pid file that `create` wrote.
    pub fn init(&self) -> Result<Init> {
        let text = fs::read_to_string(&self.pid_file).map_err(|e| Error::file("read", &self.pid_file, e))?;
        let pid = text.trim().parse();
        Init::open(
            pid.map_err(|_| Error::Content { path: self.pid_file.clone(), problem: format!("no pid: {text:?}") })?,
        )
    }

    /// Removes an earlier container's pid file, so that the next one found is the next container's.
    pub fn forget_pid(&self) {
        // Where there is none, there is nothing to forget.
        let _ = fs::remove_file(&self.pid_file);
    }

    /// `create`, alone.
    pub fn create(&self) -> &Command {
        &self.create
    }

    /// `start` and `delete`; none for the floor in one process.
    pub fn start_delete(&self) -> Option<&(Command, Command)> {
        self.rest.as_ref()
    }
}

impl Runtime {
    /// The runtime's state directory.
    pub fn root(&self, host: &Host) -> PathBuf {
        host.work.join(format!("root-{}", self.name))
    }

    /// This runtime with its own `--root` and these words.
    pub fn command(&self, host: &Host, words: &[&Path]) -> Result<Command> {
        let root = self.root(host);
        Command::new([&self.path, Path::new("--root"), &root].into_iter().chain(words.iter().copied()))
    }
}
