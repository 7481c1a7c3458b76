//! The command line: one file a command. A command says what it takes (a clap parser) and what it does; nothing below
//! this module prints.

mod annotations;
mod check;
mod checkpoint;
mod create;
mod delete;
mod devices;
mod events;
mod exec;
mod features;
mod freeze;
mod globals;
mod inspect;
mod kill;
mod list;
mod log;
mod metrics;
mod plan;
mod ps;
mod run;
mod spec;
mod start;
mod state;
mod table;
mod update;

pub use globals::Globals;
pub use log::{Format, Level};

use crate::cgroup::Cgroup;
use crate::state::{Container, Status};
use clap::{CommandFactory, FromArgMatches};
use globals::Request;
use rtrun_hooks::nearest;
use std::error::Error as StdError;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Why a command failed, on the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a command.
    #[error("unknown command {name:?}; did you mean {nearest:?}? `rtrun --help` lists them all")]
    UnknownCommand {
        /// What was asked for.
        name: String,
        /// What there is.
        nearest: String,
    },
    /// Not a global flag.
    #[error("unknown flag --{name}; did you mean --{nearest}?")]
    UnknownFlag {
        /// What was asked for.
        name: String,
        /// What there is.
        nearest: String,
    },
    /// A global flag at the end of the line.
    #[error("--{0} needs a value")]
    NoValue(&'static str),
    /// A value that its flag doesn't know.
    #[error("--{flag}: invalid value {value:?}")]
    Value {
        /// Without its dashes.
        flag: &'static str,
        /// What was given.
        value: String,
    },
    /// The command's own arguments are wrong; clap says how.
    #[error("{0}")]
    Usage(String),
    /// Standard output can't be written.
    #[error("writing to standard output: {0}")]
    Output(#[source] io::Error),
    /// A file that a command makes or reads.
    #[error("{action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A container in another state than the command needs; the last words are those that callers look for.
    #[error("{action}: container {id} is {status}: {wanted}")]
    Status {
        /// Its name.
        id: String,
        /// Its status.
        status: Status,
        /// The command.
        action: &'static str,
        /// What it is not, as runc says it.
        wanted: &'static str,
    },
    /// The container was made without a cgroup, or its creation was cut short.
    #[error("container {0} has no cgroup of its own")]
    NoCgroup(String),
    /// The container was made without `linux.intelRdt`.
    #[error("container {0} has no resctrl group whose schemata could be updated")]
    NoRdtGroup(String),
    /// ps(1) failed; it has said why.
    #[error("ps: {0}")]
    Ps(std::process::ExitStatus),
    /// ps(1) was asked for something else.
    #[error("ps: the output has no PID column to find the container's processes by; ask for one")]
    NoPidColumn,
    /// A configuration that can't be read.
    #[error(transparent)]
    Spec(#[from] crate::spec::Error),
    /// A configuration that can't be run.
    #[error(transparent)]
    Invalid(#[from] crate::spec::validate::Error),
    /// A container that is not there, or whose state can't be had.
    #[error(transparent)]
    State(#[from] crate::state::Error),
    /// The cgroup.
    #[error(transparent)]
    Cgroup(#[from] crate::cgroup::Error),
    /// The resctrl group.
    #[error(transparent)]
    Rdt(#[from] crate::rdt::Error),
    /// Checkpoint and restore.
    #[error(transparent)]
    Criu(#[from] crate::criu::Error),
    /// Annotations that can't be obeyed.
    #[error(transparent)]
    Annotation(#[from] rtrun_hooks::annotation::Error),
    /// The host can't be looked at.
    #[error(transparent)]
    Host(#[from] crate::host::Error),
    /// A device.
    #[error(transparent)]
    Device(Box<crate::device::Error>),
    /// The node's ledger.
    #[error(transparent)]
    Ledger(Box<rtrun_hooks::ledger::Error>),
    /// What this host can't give.
    #[error(transparent)]
    Plan(#[from] Box<crate::plan::Error>),
    /// The launch.
    #[error(transparent)]
    Launch(#[from] crate::launch::Error),
    /// A value can't be written as JSON.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<crate::device::Error> for Error {
    fn from(error: crate::device::Error) -> Self {
        Error::Device(Box::new(error))
    }
}

impl From<rtrun_hooks::ledger::Error> for Error {
    fn from(error: rtrun_hooks::ledger::Error) -> Self {
        Error::Ledger(Box::new(error))
    }
}

/// A command: its arguments are its fields.
trait Command: CommandFactory + FromArgMatches {
    /// What must hold for the command to be offered at all: without it, its help fails too.
    ///
    /// # Errors
    /// The command's own.
    fn before_help(_: &Globals) -> Result<(), Error> {
        Ok(())
    }

    /// Does it; the result is the exit code.
    fn run(self, globals: &Globals) -> Result<u8, Error>;
}

/// A line of the table of commands.
struct Entry {
    name: &'static str,
    about: &'static str,
    run: fn(&'static str, Vec<OsString>, &Globals) -> Result<u8, Error>,
}

const COMMANDS: &[Entry] = &[
    entry::<create::Create>("create", "make a container; its process waits for start"),
    entry::<start::Start>("start", "let a created container's process run"),
    entry::<run::Run>("run", "create, start, wait and delete"),
    entry::<state::State>("state", "print a container's state as JSON"),
    entry::<kill::Kill>("kill", "send a signal to a container"),
    entry::<delete::Delete>("delete", "delete a container that has stopped"),
    entry::<exec::Exec>("exec", "run a process in a container"),
    entry::<list::List>("list", "list the containers of this root"),
    entry::<ps::Ps>("ps", "list the processes of a container"),
    entry::<freeze::Pause>("pause", "freeze all processes of a container"),
    entry::<freeze::Resume>("resume", "thaw a paused container"),
    entry::<update::Update>("update", "change the limits of a container"),
    entry::<events::Events>("events", "print what a container uses"),
    entry::<checkpoint::Checkpoint>("checkpoint", "write a container's processes to files"),
    entry::<checkpoint::Restore>("restore", "make a container from a checkpoint"),
    entry::<plan::Plan>("plan", "print what a bundle's container would be given, and change nothing"),
    entry::<inspect::Inspect>("inspect", "print what a container was given, and what the kernel shows of it"),
    entry::<annotations::Annotations>("annotations", "list the org.rtrun annotations"),
    entry::<check::Check>("check", "is this host ready for real-time containers"),
    entry::<devices::Devices>("devices", "list the cards of this host and who has them"),
    entry::<metrics::Metrics>("metrics", "print figures of containers as OpenMetrics"),
    entry::<features::Features>("features", "print what this build implements"),
    entry::<spec::Spec>("spec", "write a config.json to start from"),
];

const fn entry<C: Command>(name: &'static str, about: &'static str) -> Entry {
    Entry { name, about, run: dispatch::<C> }
}

/// Runs one command line, the program's name left off.
pub fn main(args: Vec<OsString>) -> u8 {
    let mut globals = Globals::default();
    let outcome = globals::read(args, &mut globals).and_then(|request| match request {
        Request::Version => print(&version()),
        Request::Help => print(&help()),
        Request::Command(name, rest) if name == "help" && rest.is_empty() => print(&help()),
        Request::Command(name, mut rest) if name == "help" => {
            let name = rest.remove(0).to_string_lossy().into_owned();
            command(&name, vec!["--help".into()], &globals)
        }
        Request::Command(name, rest) => command(&name, rest, &globals),
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            log::error(&globals, &chain(&error));
            1
        }
    }
}

fn command(name: &str, rest: Vec<OsString>, globals: &Globals) -> Result<u8, Error> {
    let Some(entry) = COMMANDS.iter().find(|entry| entry.name == name) else {
        let names: Vec<&str> = COMMANDS.iter().map(|entry| entry.name).collect();
        let nearest = nearest(name, names).to_owned();
        return Err(Error::UnknownCommand { name: name.to_owned(), nearest });
    };
    (entry.run)(entry.name, rest, globals)
}

/// Builds the parser of this one command.
fn dispatch<C: Command>(name: &'static str, rest: Vec<OsString>, globals: &Globals) -> Result<u8, Error> {
    let parser = C::command().name(name).bin_name(format!("rtrun {name}"));
    let parsed = parser
        .try_get_matches_from(std::iter::once(name.into()).chain(rest))
        .and_then(|mut matches| C::from_arg_matches_mut(&mut matches));
    match parsed {
        Ok(command) => command.run(globals),
        Err(error) if !error.use_stderr() => C::before_help(globals).and_then(|()| print(&error.to_string())),
        Err(error) => {
            let text = error.to_string();
            Err(Error::Usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned()))
        }
    }
}

/// The container's cgroup, which everything but the launch needs to exist.
fn container_cgroup(container: &Container) -> Result<&Cgroup, Error> {
    container.cgroup().ok_or_else(|| Error::NoCgroup(container.id().to_owned()))
}

/// A payload's exit code, 128 + signal included, is ours.
fn exit_code(code: i32) -> u8 {
    u8::try_from(code & 0xff).unwrap_or(u8::MAX)
}

/// An error and its causes, each said once.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            let _ = write!(text, ": {next}");
        }
        cause = error.source();
    }
    text
}

fn print(text: &str) -> Result<u8, Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(0),
    }
}

fn version() -> String {
    let (version, spec) = (env!("CARGO_PKG_VERSION"), crate::spec::names::OCI_VERSION);
    format!("rtrun version {version}\nspec: {spec}\n")
}

fn help() -> String {
    let mut text = "A low-level OCI container runtime for real-time Linux\n\n\
                    Usage: rtrun [GLOBAL FLAGS] COMMAND [ARGUMENTS]\n\nCommands:\n"
        .to_owned();
    for Entry { name, about, .. } in COMMANDS {
        let _ = writeln!(text, "  {name:<11} {about}");
    }
    text.push_str("\nGlobal flags:\n");
    for globals::Flag { name, value, about } in globals::FLAGS {
        let _ = writeln!(text, "  {:<25} {about}", format!("--{name} {value}"));
    }
    text.push_str("  -v, --version             print the version\n  -h, --help                print this\n");
    text
}
