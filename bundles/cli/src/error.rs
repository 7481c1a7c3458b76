//! Why something can't be done.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// One variant a failed step.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each text says its variant")]
pub enum Error {
    #[error("--app {path}: {errno}")]
    App { path: PathBuf, errno: Errno },
    #[error("--app {path} is not executable; chmod +x it")]
    NotExecutable { path: PathBuf },
    #[error(
        "--app {path} is neither a program (ELF), nor a folder, nor an archive or image (tar, OCI layout, docker-archive)"
    )]
    UnknownApp { path: PathBuf },
    #[error("--app {path} is built for {found}, and this machine is {host}")]
    Architecture { path: PathBuf, found: String, host: &'static str },
    #[error("--app {path} does not say which program to run; --entry names one inside")]
    NoEntry { path: PathBuf },
    #[error("--entry {entry} is not in {path}")]
    EntryMissing { path: PathBuf, entry: PathBuf },
    #[error("--app {path}: {problem}")]
    Elf { path: PathBuf, problem: String },
    #[error(
        "--app {path} needs the loader {loader}, which is not on this machine; install it, or link the program statically"
    )]
    Loader { path: PathBuf, loader: PathBuf },
    #[error("--app {path} needs {}, not found on this machine; install what has it, or link the program statically", libraries.join(" and "))]
    Libraries { path: PathBuf, libraries: Vec<String> },
    #[error("--cpus {asked}: {problem}; this machine has CPUs {online}{isolated}; --cpus auto picks")]
    Cpus { asked: String, problem: String, online: String, isolated: String },
    #[error("--mem {asked}: this machine has {total} in all")]
    Memory { asked: String, total: String },
    #[error("--{option} {value}: {problem}")]
    Option { option: &'static str, value: String, problem: String },
    #[error("--{option} needs {needs}")]
    Needs { option: &'static str, needs: &'static str },
    #[error("an agent named {0} is there already; --name gives another, rm {0} removes it")]
    NameTaken(String),
    #[error("no agent is named {name}; {known}")]
    NoAgent { name: String, known: String },
    #[error("{name} is running; stop it first, or rm --force")]
    Running { name: String },
    #[error("a fleet named {0} runs already; DELETE /fleets/{0} ends it")]
    FleetTaken(String),
    #[error("no fleet named {0} was started here")]
    NoFleet(String),
    #[error("app {path}: over the API a path begins at /")]
    RelativeApp { path: PathBuf },
    #[error("{0}")]
    Request(String),
    #[error("listen on {address}: {errno}{hint}")]
    Listen { address: String, errno: Errno, hint: &'static str },
    #[error("--token-file {path} holds no token of 16 bytes or more; head -c 24 /dev/urandom | base64 > {path}")]
    Token { path: PathBuf },
    #[error("no rtrun beside this program nor on PATH; --runtime names it")]
    NoRuntime,
    #[error("{step} {path}: {errno}")]
    File { step: &'static str, path: PathBuf, errno: Errno },
    #[error("{path}: {problem}")]
    Malformed { path: PathBuf, problem: String },
    #[error("start {program}: {errno}")]
    Start { program: String, errno: Errno },
    #[error("{program} {what}: {message}")]
    Failed { program: String, what: String, message: String },
    #[error(transparent)]
    Annotation(#[from] rtrun_hooks::annotation::Error),
    #[error("{agent} came up after the start that all were to share; give a later start")]
    Late { agent: String },
    #[error("agent {agent} has no image; Kubernetes runs images: image = \"localhost/{agent}\"")]
    NoImage { agent: String },
    #[error("the container's configuration: {0}")]
    Spec(#[from] oci_spec::OciSpecError),
}

impl Error {
    /// A file operation that failed.
    pub fn file(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |error| Error::File { step, path: path.to_path_buf(), errno: errno(&error) }
    }
}

/// The kernel's number of an error of the standard library, whose text has no name; EIO for one that the kernel did not give.
pub fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;
