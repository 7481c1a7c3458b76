//! A foreground command's wait for the process it started: signals forwarded, the terminal relayed, the end reaped.

use super::{Error, console};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, read, write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// Signals turned into reads. Taken before the clone: one that comes while the child is born is not lost, and an end
/// is seen by the pidfd however early it is.
#[derive(Debug)]
pub(crate) struct Supervisor {
    signals: SignalFd,
    terminal: Option<Terminal>,
}

/// The caller's terminal in raw mode, given back on drop.
#[derive(Debug)]
struct Terminal {
    master: OwnedFd,
    saved: Option<Termios>,
}

/// Descriptors 0 and 1 are the process's own for its whole life.
fn standard(fd: i32) -> BorrowedFd<'static> {
    // SAFETY: the Rust runtime opens 0 to 2 if they were closed, and nothing of ours closes them.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

impl Supervisor {
    pub(crate) fn new() -> Result<Supervisor, Error> {
        let mut set = SigSet::all();
        // Faults of our own must end us; stop and continue are the shell's.
        for signal in [
            Signal::SIGSEGV,
            Signal::SIGBUS,
            Signal::SIGFPE,
            Signal::SIGILL,
            Signal::SIGABRT,
            Signal::SIGTRAP,
            Signal::SIGPIPE,
            Signal::SIGTSTP,
            Signal::SIGTTIN,
            Signal::SIGTTOU,
        ] {
            set.remove(signal);
        }
        set.thread_block().map_err(Error::Supervise)?;
        let signals =
            SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(Error::Supervise)?;
        Ok(Supervisor { signals, terminal: None })
    }

    /// Relays between `master` and the caller's standard streams, which become raw if they are a terminal.
    pub(crate) fn attach(&mut self, master: OwnedFd) -> Result<(), Error> {
        let saved = tcgetattr(standard(0)).ok();
        if let Some(saved) = &saved {
            let mut raw = saved.clone();
            cfmakeraw(&mut raw);
            tcsetattr(standard(0), SetArg::TCSANOW, &raw).map_err(Error::Supervise)?;
        }
        self.terminal = Some(Terminal { master, saved });
        self.resize();
        Ok(())
    }

    fn resize(&self) {
        if let (Some(terminal), Some(size)) = (&self.terminal, console::size(standard(0))) {
            // A terminal whose other end is closed has no size to set, and its end is seen by the poll.
            let _ = console::set_size(terminal.master.as_fd(), &size);
        }
    }

    /// Until the process ends; its exit code, or 128 + the signal that ended it.
    pub(crate) fn wait(&mut self, pid: Pid, pidfd: &OwnedFd) -> Result<i32, Error> {
        let mut stdin_open = self.terminal.is_some();
        let mut master_open = self.terminal.is_some();
        loop {
            let ready = {
                let mut fds = vec![
                    PollFd::new(pidfd.as_fd(), PollFlags::POLLIN),
                    PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                ];
                if let Some(terminal) = &self.terminal {
                    let wanted = |open| if open { PollFlags::POLLIN } else { PollFlags::empty() };
                    fds.push(PollFd::new(terminal.master.as_fd(), wanted(master_open)));
                    fds.push(PollFd::new(standard(0), wanted(stdin_open)));
                }
                match poll(&mut fds, PollTimeout::NONE) {
                    Err(Errno::EINTR) => continue,
                    other => other.map_err(Error::Supervise)?,
                };
                let state = |index: usize| fds.get(index).and_then(PollFd::revents).unwrap_or(PollFlags::empty());
                [state(0), state(1), state(2), state(3)]
            };
            if let Some(terminal) = &self.terminal {
                if master_open && !ready[2].is_empty() {
                    master_open = copy(terminal.master.as_fd(), standard(1));
                }
                if stdin_open && !ready[3].is_empty() {
                    stdin_open = copy(standard(0), terminal.master.as_fd());
                }
            }
            if !ready[1].is_empty() {
                self.forward(pidfd)?;
            }
            if !ready[0].is_empty() {
                return self.finish(pid, pidfd);
            }
        }
    }

    fn forward(&self, pidfd: &OwnedFd) -> Result<(), Error> {
        while let Some(signal) = self.signals.read_signal().map_err(Error::Supervise)? {
            match signal.ssi_signo as i32 {
                libc::SIGCHLD => {}
                libc::SIGWINCH if self.terminal.is_some() => self.resize(),
                // It may have ended meanwhile; the pidfd tells.
                number => drop(crate::sys::pidfd::signal_number(pidfd, number)),
            }
        }
        Ok(())
    }

    fn finish(&mut self, pid: Pid, pidfd: &OwnedFd) -> Result<i32, Error> {
        if let Some(terminal) = &self.terminal {
            // What the process wrote last is still in the terminal.
            let mut fds = [PollFd::new(terminal.master.as_fd(), PollFlags::POLLIN)];
            while poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
                && fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLIN))
                && copy(terminal.master.as_fd(), standard(1))
            {}
        }
        self.terminal = None;
        let status = loop {
            match waitid(Id::PIDFd(pidfd.as_fd()), WaitPidFlag::WEXITED) {
                Err(Errno::EINTR) => {}
                other => break other.map_err(Error::Supervise)?,
            }
        };
        match status {
            WaitStatus::Exited(_, code) => Ok(code),
            WaitStatus::Signaled(_, signal, _) => Ok(128 + signal as i32),
            other => Err(Error::UnexpectedEnd { pid: pid.as_raw(), status: format!("{other:?}") }),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(saved) = &self.saved {
            // Best effort on the way out: the terminal may be gone.
            let _ = tcsetattr(standard(0), SetArg::TCSADRAIN, saved);
        }
    }
}

/// One read's worth; false at the end of the stream (EIO: the terminal's other end is closed).
fn copy(from: BorrowedFd, to: BorrowedFd) -> bool {
    let mut buffer = [0u8; 16 * 1024];
    let length = match read(from, &mut buffer) {
        Ok(0) | Err(Errno::EIO) => return false,
        Err(Errno::EINTR | Errno::EAGAIN) => return true,
        Err(_) => return false,
        Ok(length) => length,
    };
    let mut rest = &buffer[..length];
    while !rest.is_empty() {
        match write(to, rest) {
            Err(Errno::EINTR) => {}
            Err(_) => return false,
            Ok(written) => rest = &rest[written..],
        }
    }
    true
}

/// Receives the terminal's master from the child.
pub(crate) fn receive_master(socket: &OwnedFd) -> Result<OwnedFd, Error> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    use std::os::fd::AsRawFd;
    let mut text = [0u8; 64];
    let mut parts = [std::io::IoSliceMut::new(&mut text)];
    let mut control = nix::cmsg_space!([i32; 1]);
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC)
        .map_err(Error::Supervise)?;
    let fd = message.cmsgs().map_err(Error::Supervise)?.find_map(|message| match message {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    // SAFETY: the kernel installed this descriptor for us with this message, and nobody else has it.
    fd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).ok_or(Error::Supervise(Errno::EPROTO))
}
