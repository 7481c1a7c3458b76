//! Files of a root filesystem that nobody trusts yet: every path is resolved by the kernel below one descriptor.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// The folder.
#[derive(Debug)]
pub struct Root(OwnedFd);

/// Owner and permissions of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// Numeric user.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
}

const OPEN: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW);

impl Root {
    /// Opens it.
    ///
    /// # Errors
    /// Not there.
    pub fn open(path: &Path) -> Result<Root> {
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty());
        opened.map(Root).map_err(|errno| Error::file("open", path)(errno.into()))
    }

    /// The folder that holds `path`, made where it is missing, and the last name. Symbolic links on the way stay below
    /// the root (`openat2(2)`, RESOLVE_IN_ROOT), as they would in the container.
    ///
    /// # Errors
    /// ENOTDIR, ELOOP, or what mkdir gives.
    pub fn parent<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a OsStr)> {
        let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        match self.folder(folder) {
            Ok(fd) => return Ok((fd, name)),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut so_far = std::path::PathBuf::new();
        for part in folder.components().filter(|part| matches!(part, Component::Normal(_))) {
            let above = self.folder(&so_far)?;
            so_far.push(part);
            match rustix::fs::mkdirat(&above, part.as_os_str(), Mode::from_bits_truncate(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok((self.folder(folder)?, name))
    }

    fn folder(&self, path: &Path) -> std::result::Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(&self.0, path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    /// A regular file for reading, its links followed below the root.
    ///
    /// # Errors
    /// As `openat2(2)`.
    pub fn read(&self, path: &Path) -> io::Result<File> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let path = path.strip_prefix("/").unwrap_or(path);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(File::from(rustix::fs::openat2(&self.0, path, flags, Mode::empty(), resolve)?))
    }
}

/// A folder; one that is there keeps what is in it.
pub fn make_folder(parent: &OwnedFd, name: &OsStr, owner: Owner) -> io::Result<()> {
    match rustix::fs::mkdirat(parent, name, Mode::from_bits_truncate(0o700)) {
        Ok(()) => {}
        Err(Errno::EXIST) if kind(parent, name)? == FileType::Directory => {}
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
            rustix::fs::mkdirat(parent, name, Mode::from_bits_truncate(0o700))?;
        }
        Err(errno) => return Err(errno.into()),
    }
    let folder = rustix::fs::openat(parent, name, OPEN | OFlags::DIRECTORY, Mode::empty())?;
    give(&folder, owner)
}

/// A regular file with the bytes of `content`; whatever had its name is gone first.
pub fn make_file(parent: &OwnedFd, name: &OsStr, owner: Owner, mut content: impl Read) -> io::Result<()> {
    remove(parent, name)?;
    let flags = OPEN | OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
    let mut file = File::from(rustix::fs::openat(parent, name, flags, Mode::from_bits_truncate(0o600))?);
    io::copy(&mut content, &mut file)?;
    give(&file.into(), owner)
}

/// A symbolic link, whose target is not looked at: it means something in the container only.
pub fn make_symlink(parent: &OwnedFd, name: &OsStr, target: &Path, owner: Owner) -> io::Result<()> {
    remove(parent, name)?;
    rustix::fs::symlinkat(target, parent, name)?;
    if nix::unistd::geteuid().is_root() {
        let ids = (Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)));
        rustix::fs::chownat(parent, name, ids.0, ids.1, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

/// A second name of a regular file.
pub fn make_hard_link(root: &Root, target: &Path, parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let (folder, of) = root.parent(target)?;
    if kind(&folder, of)? != FileType::RegularFile {
        return Err(io::Error::other("a hard link to something that is no regular file"));
    }
    remove(parent, name)?;
    Ok(rustix::fs::linkat(&folder, of, parent, name, AtFlags::empty())?)
}

/// Removes whatever has this name, with all below it; nothing there is no error.
pub fn remove(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let folder = rustix::fs::openat(parent, name, OPEN | OFlags::DIRECTORY, Mode::empty())?;
    for below in names(&folder)? {
        remove(&folder, &below)?;
    }
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

/// Names in a folder, without `.` and `..`.
pub fn names(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder.as_fd())? {
        let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

fn kind(parent: &OwnedFd, name: &OsStr) -> io::Result<FileType> {
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

/// The owner first: chown(2) takes the setuid bit away. An ordinary user owns all that it unpacks.
fn give(fd: &OwnedFd, owner: Owner) -> io::Result<()> {
    if nix::unistd::geteuid().is_root() {
        rustix::fs::fchown(fd, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
    }
    Ok(rustix::fs::fchmod(fd, Mode::from_bits_truncate(owner.mode & 0o7777))?)
}
