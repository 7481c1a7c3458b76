//! Thin, safe wrappers of kernel calls that the libraries don't have.

pub mod clone;
pub mod mount;
pub mod pidfd;
pub mod self_exe;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sys::stat::Mode;
use std::os::fd::AsRawFd;
use std::path::Path;

/// What the kernel said, of an error of the standard library; EIO where it was not the kernel.
pub fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// A procfs file of less than a kilobyte, which one read(2) gives whole: `std::fs::read` takes a stat and six of them.
///
/// # Errors
/// As `open(2)` and `read(2)`.
pub fn read_procfs(path: &str) -> Result<Vec<u8>, Errno> {
    let file = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut text = vec![0; 1024];
    let length = loop {
        match nix::unistd::read(&file, &mut text) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    text.truncate(length);
    Ok(text)
}

/// Whether this process may execute the file, by its effective IDs: `faccessat2(2)`, which the C library's `eaccess`
/// imitates with six calls.
///
/// # Errors
/// As `faccessat2(2)`: EACCES if not.
pub fn may_execute(path: &Path) -> Result<(), Errno> {
    use nix::NixPath;
    let (directory, flags) = (AT_FDCWD.as_raw_fd(), libc::AT_EACCESS);
    // SAFETY: the path is a NUL-terminated string that outlives the call; the rest are numbers.
    let call = |path: &std::ffi::CStr| unsafe {
        libc::syscall(libc::SYS_faccessat2, directory, path.as_ptr(), libc::X_OK, flags)
    };
    Errno::result(path.with_nix_path(call)?).map(drop)
}
