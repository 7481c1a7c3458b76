//! Publishing: a file written whole and renamed, or HTTP on a Unix or TCP socket.

use crate::{Exporter, http};
use nix::errno::Errno;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where metrics are served: `unix:/run/agent.sock` or `127.0.0.1:9100`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket's path.
    Unix(PathBuf),
    /// An IP address and a port.
    Tcp(SocketAddr),
}

impl FromStr for Address {
    type Err = PublishError;

    fn from_str(text: &str) -> Result<Self, PublishError> {
        match text.strip_prefix("unix:") {
            Some(path) if !path.is_empty() => Ok(Address::Unix(path.into())),
            Some(_) => Err(PublishError::Address(text.into())),
            None => text.parse().map(Address::Tcp).map_err(|_| PublishError::Address(text.into())),
        }
    }
}

/// Why metrics can't be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Neither of the two forms of an address.
    #[error("{0} is no address to serve metrics at: give unix:/PATH or IP:PORT")]
    Address(String),
    /// The socket can't be bound.
    #[error("serve metrics at {address}: {error}")]
    Bind {
        /// The address.
        address: String,
        /// The kernel's answer.
        error: io::Error,
    },
    /// The file can't be written or renamed.
    #[error("write metrics to {path}: {error}; its directory must exist and be writable", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// No thread could be started.
    #[error("start the thread that publishes metrics: {0}")]
    Thread(io::Error),
}

/// A file that is being kept up to date; dropped, it is written a last time.
pub struct Publisher {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; the agent ends as it was about to.
            let _ = thread.join();
        }
    }
}

impl Exporter {
    /// Writes the metrics to `path` now and then `every` so often, whole: a reader sees one state or the next. A later
    /// write that fails is said once on stderr, and tried again.
    pub fn to_file(&self, path: &Path, every: Duration) -> Result<Publisher, PublishError> {
        write(path, &self.text())?;
        let (stop, stopped) = channel::<()>();
        let (exporter, path) = (self.clone(), path.to_path_buf());
        let mut complained = false;
        let thread = spawn("metrics-file", move || {
            loop {
                let last = stopped.recv_timeout(every) == Err(RecvTimeoutError::Disconnected);
                if let Err(error) = write(&path, &exporter.text()) {
                    if !std::mem::replace(&mut complained, true) {
                        eprintln!("{error}");
                    }
                }
                if last {
                    return;
                }
            }
        })?;
        Ok(Publisher { stop: Some(stop), thread: Some(thread) })
    }

    /// Answers `GET /metrics` at `address` until the process ends. Returns the address bound, of which port 0 is resolved.
    pub fn serve(&self, address: &Address) -> Result<Address, PublishError> {
        let failed = |error| PublishError::Bind { address: address.to_string(), error };
        let exporter = self.clone();
        match address {
            Address::Tcp(at) => {
                let listener = TcpListener::bind(at).map_err(failed)?;
                let bound = listener.local_addr().map_err(failed)?;
                spawn("metrics-http", move || http::serve(|| listener.accept().map(|(stream, _)| stream), &exporter))?;
                Ok(Address::Tcp(bound))
            }
            Address::Unix(path) => {
                let listener = bind_unix(path).map_err(failed)?;
                spawn("metrics-http", move || http::serve(|| listener.accept().map(|(stream, _)| stream), &exporter))?;
                Ok(address.clone())
            }
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Tcp(address) => address.fmt(f),
        }
    }
}

/// A socket that nobody listens at any more is what an agent that was killed left behind.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => match UnixStream::connect(path) {
            Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path)?;
                UnixListener::bind(path)
            }
            _ => Err(error),
        },
        bound => bound,
    }
}

/// Writes a file beside `path` and renames it over it.
fn write(path: &Path, text: &str) -> Result<(), PublishError> {
    let failed = |error| PublishError::Write { path: path.into(), error };
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        // What was written in part, if anything, is of no use.
        let _ = fs::remove_file(&beside);
        failed(error)
    })
}

/// Starts a thread that leaves the real-time policy it inherits: publishing may wait, the agent may not.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, PublishError> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
        if let Err(errno) = leave_real_time() {
            eprintln!("the thread that publishes metrics keeps its real-time policy: sched_setscheduler: {errno}");
        }
        work();
    });
    thread.map_err(PublishError::Thread)
}

/// Puts the calling thread under SCHED_OTHER (sched_setscheduler(2); lowering needs no privilege): what every thread of an
/// agent but the real-time one should do first, since it inherits the policy.
pub fn leave_real_time() -> Result<(), Errno> {
    let parameters = nix::libc::sched_param { sched_priority: 0 };
    // SAFETY: a valid sched_param; 0 is the calling thread
    Errno::result(unsafe { nix::libc::sched_setscheduler(0, nix::libc::SCHED_OTHER, &parameters) }).map(drop)
}
