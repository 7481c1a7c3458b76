//! The container's terminal: a pseudoterminal of the container's own devpts, its master handed to who asked for it.

use crate::spec::ConsoleSize;
use nix::errno::Errno;
use nix::pty::Winsize;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, sendmsg, socket,
};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Why the terminal can't be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The console socket can't be connected.
    #[error("--console-socket {path}: {errno}")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// A step on the pseudoterminal failed.
    #[error("process.terminal: {step}: {errno}")]
    Step {
        /// What was tried.
        step: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// `/dev/pts/ptmx` of the container is something else than devpts' multiplexer.
    #[error(
        "process.terminal: /dev/pts/ptmx of the container is not a devpts multiplexer; config.json must mount devpts on /dev/pts"
    )]
    NotDevpts,
}

/// `DEVPTS_SUPER_MAGIC` of `linux/magic.h`.
const DEVPTS_SUPER_MAGIC: libc::c_long = 0x1cd1;

/// Connects the caller's console socket; before anything is made, and while the path is the host's.
pub(crate) fn connect_socket(path: &Path) -> Result<OwnedFd, Error> {
    let failed = |errno| Error::Connect { path: path.to_path_buf(), errno };
    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).map_err(failed)?;
    let address = UnixAddr::new(path).map_err(failed)?;
    connect(fd.as_raw_fd(), &address).map_err(failed)?;
    Ok(fd)
}

/// Both ends of a terminal.
#[derive(Debug)]
pub(crate) struct Pty {
    master: OwnedFd,
    pub(crate) slave: OwnedFd,
}

/// Opens a terminal below `root`. The slave is opened through the master (TIOCGPTPEER): no path that the image could
/// have replaced is followed.
pub(crate) fn open_pty(root: BorrowedFd, size: Option<ConsoleSize>) -> Result<Pty, Error> {
    let step = |step| move |errno| Error::Step { step, errno };
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let master = openat2(root, "dev/pts/ptmx", flags, Mode::empty(), how)
        .map_err(|error| Error::Step { step: "opening /dev/pts/ptmx", errno: Errno::from_raw(error.raw_os_error()) })?;
    let kind = nix::sys::statfs::fstatfs(&master).map_err(step("statfs of /dev/pts/ptmx"))?.filesystem_type();
    if kind.0 != DEVPTS_SUPER_MAGIC {
        return Err(Error::NotDevpts);
    }
    let unlocked: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int.
    Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) })
        .map_err(step("unlocking the terminal"))?;
    let open_flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes open flags and makes a descriptor.
    let peer = Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, open_flags) })
        .map_err(step("opening the terminal's other end"))?;
    // SAFETY: the kernel made this descriptor for us, and nobody else has it.
    let slave = unsafe { OwnedFd::from_raw_fd(peer) };
    if let Some(ConsoleSize { height, width }) = size {
        set_size(master.as_fd(), &Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 })
            .map_err(step("setting process.consoleSize"))?;
    }
    Ok(Pty { master, slave })
}

impl Pty {
    /// Hands the master over, closes it here, and makes the other end the session's terminal and descriptors 0 to 2.
    pub(crate) fn attach(self, socket: &OwnedFd) -> Result<(), Error> {
        let step = |step| move |errno| Error::Step { step, errno };
        let fds = [self.master.as_raw_fd()];
        // runc sends the path of the master's multiplexer as the text; receivers want at least one byte.
        let parts = [IoSlice::new(b"/dev/ptmx")];
        sendmsg::<()>(socket.as_raw_fd(), &parts, &[ControlMessage::ScmRights(&fds)], MsgFlags::MSG_NOSIGNAL, None)
            .map_err(step("sending the terminal over the console socket"))?;
        // SAFETY: TIOCSCTTY takes an int by value.
        Errno::result(unsafe { libc::ioctl(self.slave.as_raw_fd(), libc::TIOCSCTTY, 0) })
            .map_err(step("making it the controlling terminal"))?;
        for target in 0..3 {
            // SAFETY: dup2 onto the standard descriptors, which no Rust object of this process owns.
            Errno::result(unsafe { libc::dup2(self.slave.as_raw_fd(), target) })
                .map_err(step("making it the standard streams"))?;
        }
        Ok(())
    }
}

/// `TIOCSWINSZ`.
pub(crate) fn set_size(terminal: BorrowedFd, size: &Winsize) -> Result<(), Errno> {
    // SAFETY: TIOCSWINSZ reads one winsize.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, std::ptr::from_ref(size)) }).map(drop)
}

/// `TIOCGWINSZ`; `None` for what is no terminal.
pub(crate) fn size(terminal: BorrowedFd) -> Option<Winsize> {
    let mut size = Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) }).ok().map(|_| size)
}
