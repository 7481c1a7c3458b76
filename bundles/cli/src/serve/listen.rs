//! The socket: in the file system for its owner alone, or TCP for who has the token.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use axum::Router;
use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Listen;
use crate::error::{Error, Result, errno};

/// One that is listened on.
#[derive(Debug)]
pub enum Socket {
    /// Its file goes when it is dropped.
    Unix(UnixListener, Remove),
    /// At an address and port.
    Tcp(TcpListener),
}

/// A file that goes with this.
#[derive(Debug)]
pub struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Socket {
    /// Listens, and says so on standard error.
    ///
    /// # Errors
    /// TCP without a token; an address that is taken or not this host's.
    pub fn bind(to: &Listen, token: bool) -> Result<Socket> {
        match to {
            Listen::Unix(path) => {
                let listener = unix(path).map_err(|error| failed(&path.display(), &error))?;
                eprintln!("rt-container-cli: curl --unix-socket {} http://localhost/agents", path.display());
                Ok(Socket::Unix(listener, Remove(path.clone())))
            }
            Listen::Tcp(_) if !token => Err(Error::Needs {
                option: "listen tcp:…",
                needs: "--token-file FILE: over TCP each request must bear its token; a socket in the file system is its owner's alone and needs none",
            }),
            Listen::Tcp(address) => {
                let bound = std::net::TcpListener::bind(address).and_then(|listener| {
                    listener.set_nonblocking(true)?;
                    let local = listener.local_addr()?;
                    Ok((TcpListener::from_std(listener)?, local))
                });
                let (listener, local) = bound.map_err(|error| failed(address, &error))?;
                eprintln!("rt-container-cli: http://{local}/#token=TOKEN");
                Ok(Socket::Tcp(listener))
            }
        }
    }

    /// Serves until SIGTERM or SIGINT. Requests that last (events) are cut off then.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn serve(self, router: Router) -> Result<()> {
        let served = match self {
            Socket::Unix(listener, remove) => {
                let served = tokio::select! {
                    served = axum::serve(listener, router) => served,
                    ended = ended() => ended,
                };
                drop(remove);
                served
            }
            Socket::Tcp(listener) => tokio::select! {
                served = axum::serve(listener, router) => served,
                ended = ended() => ended,
            },
        };
        served.map_err(|error| failed(&"the socket", &error))
    }
}

async fn ended() -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

/// A socket that nobody listens on is left from a process that was killed, and makes room.
fn unix(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && std::os::unix::net::UnixStream::connect(path).is_err_and(refused) {
        fs::remove_file(path)?;
    }
    let before = umask(Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    listener
}

fn failed(address: &dyn std::fmt::Display, error: &io::Error) -> Error {
    let errno = errno(error);
    let hint = match errno {
        Errno::EADDRINUSE => "; somebody listens there already",
        Errno::EACCES => "; only root may write there",
        _ => "",
    };
    Error::Listen { address: address.to_string(), errno, hint }
}
