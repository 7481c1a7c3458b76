//! `rtrun`: arguments to command, nothing else.
//!
//! The C library calls `main` directly. The standard library's own start would read /proc/self/maps and set up a signal
//! stack to name a stack overflow: 19 system calls and 46 µs (of 407) at each of a container's commands. What is
//! needed of it is done here.
#![cfg_attr(not(test), no_main)]

mod entry;

use std::ffi::{c_char, c_int};

/// Called by the C library; `std::env` has its arguments from there as well.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    open_standard_streams();
    // SAFETY: ignoring a signal installs no handler. A closed pipe is then an error of write(2) that can be told.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let code = rtrun::cli::main(std::env::args_os().skip(1).collect());
    std::process::exit(code.into())
}

/// A caller may have closed descriptors 0 to 2; the next file opened would then be written to as standard error.
fn open_standard_streams() {
    let mut streams = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: the array outlives the call and its length is given.
    let closed = unsafe { libc::poll(streams.as_mut_ptr(), 3, 0) } > 0;
    for _ in streams.iter().filter(|stream| closed && stream.revents & libc::POLLNVAL != 0) {
        // SAFETY: the path is a NUL-terminated constant; the lowest free descriptor is the one that is missing.
        unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
    }
}
