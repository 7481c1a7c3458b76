//! i386 programs can reach socket and System V IPC calls in two ways: by a number of their own, and by one number for all
//! (`socketcall(2)`, `ipc(2)`) whose first argument selects the call. A rule has to hold on both.

use super::condition::Condition;

const SOCKETCALL: u32 = 102;
const IPC: u32 = 117;

/// `linux/net.h`, from 1.
const SOCKET_CALLS: [&str; 20] = [
    "socket",
    "bind",
    "connect",
    "listen",
    "accept",
    "getsockname",
    "getpeername",
    "socketpair",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendmsg",
    "recvmsg",
    "accept4",
    "recvmmsg",
    "sendmmsg",
];

/// `linux/ipc.h`.
const IPC_CALLS: [(&str, u16); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

/// The way to a call through another.
pub(super) struct Inner {
    /// The outer call's number.
    pub(super) number: u32,
    /// What selects the inner one. `ipc` has a version in the upper half of its first argument, which the kernel masks.
    pub(super) condition: Condition,
}

/// The second way to the call of this name, if there is one.
pub(super) fn multiplexed(name: &str) -> Option<Inner> {
    if let Some(at) = SOCKET_CALLS.iter().position(|call| *call == name) {
        return Some(Inner { number: SOCKETCALL, condition: Condition::selects(at as u16 + 1) });
    }
    let (_, selector) = IPC_CALLS.iter().find(|(call, _)| *call == name)?;
    Some(Inner { number: IPC, condition: Condition::selects(*selector) })
}
