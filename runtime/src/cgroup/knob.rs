//! Small files of cgroupfs: each is opened, read or written once, closed.

use super::Error;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{read, write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Opens without `O_CREAT`, so that a knob that is not there is ENOENT and not cgroupfs's EACCES.
pub(super) fn open_for_writing(path: &Path) -> Result<OwnedFd, Errno> {
    open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())
}

/// One write(2) of the whole value: cgroupfs parses each write by itself.
pub(super) fn set(path: &Path, value: &str) -> Result<(), Errno> {
    let file = open_for_writing(path)?;
    put(&file, value)
}

/// Writes to a knob that is open already.
pub(super) fn put(file: &OwnedFd, value: &str) -> Result<(), Errno> {
    loop {
        match write(file, value.as_bytes()) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The whole text of a knob.
pub(super) fn get(path: &Path) -> Result<String, Errno> {
    let file = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut text = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        match read(&file, &mut chunk) {
            Ok(0) => break,
            Ok(n) => text.extend_from_slice(&chunk[..n]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// [`get`] with the error that names the file.
pub(super) fn read_text(path: PathBuf) -> Result<String, Error> {
    get(&path).map_err(|errno| Error::Io { step: "reading", path, errno })
}

/// [`set`] with the error that names the file.
pub(super) fn write_text(path: PathBuf, value: &str) -> Result<(), Error> {
    set(&path, value).map_err(|errno| Error::Io { step: "writing", path, errno })
}

/// The subdirectories of a cgroup; none if it is gone.
pub(super) fn children(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error, dir)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| io(error, dir))?;
        if entry.file_type().map_err(|error| io(error, dir))?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn io(error: std::io::Error, dir: &Path) -> Error {
    Error::Io { step: "listing", path: dir.to_owned(), errno: crate::sys::errno(error) }
}
