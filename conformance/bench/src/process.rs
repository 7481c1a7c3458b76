//! Starting a program cheaply and watching it: posix_spawn (a vfork inside), pidfds, the monotonic clock.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout};

use crate::error::{Error, Result, sys};

/// A program and its arguments, ready for posix_spawn, so that making strings is not timed.
pub struct Command {
    words: Vec<CString>,
}

/// The files that every measured program gets: nothing to read, nothing shown, its errors kept.
pub struct Streams {
    null: File,
    errors: File,
}

impl Streams {
    /// Opens /dev/null and an unnamed file for the errors.
    pub fn new() -> Result<Self> {
        let null = File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map_err(|e| Error::file("open", "/dev/null", e))?;
        // SAFETY: the name is a NUL-terminated constant.
        let fd = unsafe { libc::memfd_create(c"errors".as_ptr(), libc::MFD_CLOEXEC) };
        sys("memfd_create", fd)?;
        // SAFETY: memfd_create has just made it, nobody else owns it.
        let errors = unsafe { File::from_raw_fd(fd) };
        Ok(Self { null, errors })
    }

    /// What programs have said on stderr since the last call.
    fn take_errors(&self) -> String {
        let mut text = String::new();
        let mut file = &self.errors;
        // What can't be read back is not shown: the failed command itself is reported anyhow.
        let _ = file.rewind().and_then(|()| file.read_to_string(&mut text)).and_then(|_| file.set_len(0));
        let _ = file.rewind();
        text.trim().into()
    }
}

/// A started program that has not been waited for.
pub struct Child {
    pid: libc::pid_t,
}

impl Command {
    /// A command of these words; the first is the program's path.
    pub fn new<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Result<Self> {
        let words = words.into_iter().map(|word| CString::new(word.into().into_vec()).map_err(|_| Error::Word));
        Ok(Self { words: words.collect::<Result<_>>()? })
    }

    /// Starts the program.
    pub fn spawn(&self, streams: &Streams) -> Result<Child> {
        let mut argv: Vec<*mut libc::c_char> = self.words.iter().map(|word| word.as_ptr().cast_mut()).collect();
        argv.push(std::ptr::null_mut());
        let path = b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\0";
        let environment = [path.as_ptr().cast::<libc::c_char>().cast_mut(), std::ptr::null_mut()];
        let mut pid = 0;
        // SAFETY: all zeroes is a valid place for posix_spawn_file_actions_init to fill.
        let mut actions: libc::posix_spawn_file_actions_t = unsafe { std::mem::zeroed() };
        // SAFETY: the actions are initialised first and destroyed last; argv and the environment end with null and hold
        // NUL-terminated strings that live across the call.
        let errno = unsafe {
            libc::posix_spawn_file_actions_init(&mut actions);
            libc::posix_spawn_file_actions_adddup2(&mut actions, streams.null.as_raw_fd(), 0);
            libc::posix_spawn_file_actions_adddup2(&mut actions, streams.null.as_raw_fd(), 1);
            libc::posix_spawn_file_actions_adddup2(&mut actions, streams.errors.as_raw_fd(), 2);
            let attributes = std::ptr::null();
            let errno = libc::posix_spawn(&mut pid, argv[0], &actions, attributes, argv.as_ptr(), environment.as_ptr());
            libc::posix_spawn_file_actions_destroy(&mut actions);
            errno
        };
        if errno != 0 {
            return Err(Error::Command(self.to_string(), std::io::Error::from_raw_os_error(errno).to_string()));
        }
        Ok(Child { pid })
    }

    /// Starts the program by fork, traced by the bench and stopped at its execve.
    pub fn spawn_traced(&self, streams: &Streams) -> Result<libc::pid_t> {
        let mut argv: Vec<*const libc::c_char> = self.words.iter().map(|word| word.as_ptr()).collect();
        argv.push(std::ptr::null());
        // SAFETY: the bench has one thread; the child makes only async-signal-safe calls on what was made before.
        let pid = sys("fork", unsafe { libc::fork() })?;
        if pid == 0 {
            // SAFETY: the descriptors are open; argv ends with null and holds NUL-terminated strings.
            unsafe {
                libc::dup2(streams.null.as_raw_fd(), 0);
                libc::dup2(streams.null.as_raw_fd(), 1);
                libc::dup2(streams.errors.as_raw_fd(), 2);
                libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
                libc::execv(argv[0], argv.as_ptr());
                libc::_exit(127);
            }
        }
        Ok(pid)
    }

    /// The program and its arguments.
    pub fn words(&self) -> impl Iterator<Item = OsString> + '_ {
        self.words.iter().map(|word| OsString::from_vec(word.to_bytes().to_vec()))
    }

    /// Runs the program to its end; its wall time, or an error with what it said if it did not exit with 0.
    pub fn time(&self, streams: &Streams) -> Result<Duration> {
        let start = Instant::now();
        let status = self.spawn(streams)?.wait()?;
        let taken = start.elapsed();
        self.check(status, streams)?;
        Ok(taken)
    }

    /// An error with what the program said, unless it exited with 0.
    pub fn check(&self, status: i32, streams: &Streams) -> Result<()> {
        if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
            return Ok(());
        }
        Err(Error::Command(self.to_string(), format!("status {status:#x}: {}", streams.take_errors())))
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<_> = self.words.iter().map(|word| word.to_string_lossy()).collect();
        f.write_str(&words.join(" "))
    }
}

impl Child {
    /// Waits for the end; the status as wait4 gives it.
    pub fn wait(self) -> Result<i32> {
        wait(self.pid)
    }
}

/// Waits for a child or an adopted orphan; the status as wait4 gives it.
fn wait(pid: libc::pid_t) -> Result<i32> {
    let mut status = 0;
    // SAFETY: status is a valid place for the result; no resource usage is asked for.
    let waited = unsafe { libc::wait4(pid, &mut status, 0, std::ptr::null_mut()) };
    sys("wait4", waited).map(|_| status)
}

/// Makes orphaned descendants ours, so that the bench can reap a container's process, as conmon and containerd's shim do.
pub fn become_subreaper() -> Result<()> {
    nix::sys::prctl::set_child_subreaper(true).map_err(|e| Error::Call("prctl PR_SET_CHILD_SUBREAPER", e.into()))
}

/// A process that the bench did not start itself, held by a pidfd.
pub struct Init {
    pid: libc::pid_t,
    pidfd: OwnedFd,
}

impl Init {
    /// The process with this pid, which must be a child or an adopted orphan of the bench.
    pub fn open(pid: libc::pid_t) -> Result<Self> {
        // SAFETY: plain numbers in, a descriptor out.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        sys("pidfd_open", fd)?;
        // SAFETY: pidfd_open has just made it, nobody else owns it.
        Ok(Self { pid, pidfd: unsafe { OwnedFd::from_raw_fd(fd as i32) } })
    }

    /// Waits at most ten seconds for the end and reaps it.
    pub fn wait_end(self) -> Result<()> {
        use std::os::fd::AsFd;
        let mut watched = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        let ended = nix::poll::poll(&mut watched, PollTimeout::from(10_000u16))
            .map_err(|e| Error::Call("poll on a pidfd", e.into()))?;
        if ended == 0 {
            return Err(Error::NoEnd(self.pid));
        }
        wait(self.pid).map(drop)
    }

    /// The pid that the runtime wrote to its pid file.
    pub fn pid(&self) -> libc::pid_t {
        self.pid
    }
}
