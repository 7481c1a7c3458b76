//! Paths inside the container's root: opened and made by descriptor only, so that an image, or another container that
//! shares it and swaps links meanwhile, can't lead a mount outside (CVE-2021-30465, CVE-2019-19921, CVE-2023-27561).

use super::errno;
use super::error::TargetError;
use nix::errno::Errno;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// What to make where the target is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Make {
    Directory,
    File,
}

/// Files below /proc that lxcfs and the like may mount on (runc's list); anything else there could make a write to
/// procfs go elsewhere (CVE-2019-16884).
const PROC_FILES: [&str; 11] = [
    "proc/cpuinfo",
    "proc/diskstats",
    "proc/meminfo",
    "proc/stat",
    "proc/swaps",
    "proc/uptime",
    "proc/loadavg",
    "proc/slabinfo",
    "proc/sys/kernel/ns_last_pid",
    "proc/sys/crypto/fips_enabled",
    "proc/net/dev",
];

/// How often the kernel may answer that a rename or mount elsewhere raced a `..`, or a link be followed by hand.
const TRIES: usize = 64;

/// A path of the configuration as one relative to the root, `.` and `..` taken out by their text; empty for `/`.
pub(super) fn relative(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    clean
}

/// Refuses destinations in or on /proc by their text, but for procfs itself on /proc and the files of lxcfs.
pub(super) fn check_proc(path: &Path, is_procfs: bool) -> Result<(), TargetError> {
    match path {
        path if path.as_os_str().is_empty() => Err(TargetError::IsRoot),
        path if path == Path::new("proc") => {
            if is_procfs {
                Ok(())
            } else {
                Err(TargetError::NotProc)
            }
        }
        path if !path.starts_with("proc") || PROC_FILES.iter().any(|file| path == Path::new(file)) => Ok(()),
        _ => Err(TargetError::InProc),
    }
}

/// Opens `path` below `root` as chroot(2) would resolve it.
pub(super) fn open(root: BorrowedFd, path: &Path, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = resolve | ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut result = Err(Errno::EAGAIN);
    for _ in 0..TRIES {
        result = rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve).map_err(errno);
        if result.as_ref().err() != Some(&Errno::EAGAIN) {
            break;
        }
    }
    result
}

/// Opens an existing target as O_PATH. A path with links in it is checked not to end in procfs.
pub(super) fn existing(root: BorrowedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, TargetError> {
    match open(root, path, OFlags::PATH | flags, ResolveFlags::NO_SYMLINKS) {
        Err(Errno::ELOOP) => {}
        result => return result.map_err(TargetError::from),
    }
    let target = open(root, path, OFlags::PATH | flags, ResolveFlags::empty())?;
    refuse_procfs(target.as_fd())?;
    Ok(target)
}

fn refuse_procfs(target: BorrowedFd) -> Result<(), TargetError> {
    if is_procfs(target)? { Err(TargetError::LinkIntoProc) } else { Ok(()) }
}

/// Whether an open file is of a procfs.
pub(super) fn is_procfs(file: BorrowedFd) -> Result<bool, Errno> {
    let filesystem = rustix::fs::fstatfs(file).map_err(errno)?;
    Ok(filesystem.f_type == libc::PROC_SUPER_MAGIC)
}

/// Makes `path` below `root`, missing directories with mode 0755 and a missing file with 0644, and opens it as a mount
/// target. Dangling links are followed inside the root: what they name is made. Procfs lets nothing be made in it.
pub(super) fn make(root: BorrowedFd, path: &Path, what: Make) -> Result<OwnedFd, TargetError> {
    let mut path = path.to_path_buf();
    for _ in 0..TRIES {
        let (parent, prefix, missing) = longest_existing(root, &path)?;
        match make_below(parent, &missing, what)? {
            Made::Target(target) => return Ok(target),
            Made::Link { depth, target } => {
                let start: PathBuf = if target.has_root() { PathBuf::new() } else { prefix };
                let before = if target.has_root() { &[][..] } else { &missing[..depth] };
                let target = target.strip_prefix("/").map(Path::to_path_buf).unwrap_or(target);
                path = start.join(before.iter().collect::<PathBuf>()).join(target);
                path.extend(&missing[depth + 1..]);
            }
        }
    }
    Err(TargetError::Kernel(Errno::ELOOP))
}

/// The deepest directory of `path` that exists, its path, and the names missing below it.
fn longest_existing(root: BorrowedFd, path: &Path) -> Result<(OwnedFd, PathBuf, Vec<OsString>), TargetError> {
    let mut prefix = path.to_path_buf();
    let mut missing = Vec::new();
    while let Some(last) = prefix.components().next_back() {
        let name = match last {
            Component::Normal(name) => name.to_owned(),
            _ => return Err(TargetError::BackFromNowhere),
        };
        prefix.pop();
        missing.insert(0, name);
        match open(root, &prefix, OFlags::PATH | OFlags::DIRECTORY, ResolveFlags::empty()) {
            Ok(directory) => return Ok((directory, prefix, missing)),
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(TargetError::IsRoot)
}

enum Made {
    Target(OwnedFd),
    /// The name at `depth` is a link to `target`, so the path goes on there.
    Link {
        depth: usize,
        target: PathBuf,
    },
}

fn make_below(mut parent: OwnedFd, missing: &[OsString], what: Make) -> Result<Made, TargetError> {
    for (depth, name) in missing.iter().enumerate() {
        let is_file = what == Make::File && depth + 1 == missing.len();
        let made = if is_file { make_file(parent.as_fd(), name) } else { make_directory(parent.as_fd(), name) };
        match made {
            Ok(child) => parent = child,
            Err(Errno::ELOOP) => {
                let target = rustix::fs::readlinkat(&parent, name, Vec::new()).map_err(errno)?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                return Ok(Made::Link { depth, target });
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(Made::Target(parent))
}

/// ELOOP when a link is in the place.
fn make_directory(parent: BorrowedFd, name: &OsString) -> Result<OwnedFd, Errno> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)).map_err(errno) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    open(parent, Path::new(name), OFlags::PATH | OFlags::DIRECTORY, ResolveFlags::NO_SYMLINKS)
}

/// ELOOP when a link is in the place.
pub(super) fn make_file(parent: BorrowedFd, name: &OsString) -> Result<OwnedFd, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644)).map_err(errno) {
        Err(Errno::EEXIST) => open(parent, Path::new(name), OFlags::PATH, ResolveFlags::NO_SYMLINKS),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_relative_to_the_root_by_text() {
        assert_eq!(relative(Path::new("/a//b/./c/")), Path::new("a/b/c"));
        assert_eq!(relative(Path::new("/../../a/../etc")), Path::new("etc"));
        assert_eq!(relative(Path::new("dev/pts")), Path::new("dev/pts"));
        assert_eq!(relative(Path::new("/")), Path::new(""));
    }

    #[test]
    fn only_procfs_goes_on_proc_and_only_lxcfs_files_in_it() {
        assert!(check_proc(Path::new("proc"), true).is_ok());
        assert!(matches!(check_proc(Path::new("proc"), false), Err(TargetError::NotProc)));
        assert!(check_proc(Path::new("proc/cpuinfo"), false).is_ok());
        assert!(matches!(check_proc(Path::new("proc/self/attr"), false), Err(TargetError::InProc)));
        assert!(matches!(check_proc(Path::new("proc/sys"), true), Err(TargetError::InProc)));
        assert!(check_proc(Path::new("procfs"), false).is_ok());
        assert!(matches!(check_proc(Path::new(""), false), Err(TargetError::IsRoot)));
    }
}
