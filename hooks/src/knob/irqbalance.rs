//! irqbalance, told through its socket which CPUs and interrupts are not its business. It would move interrupts back else.
//!
//! The protocol is irqbalance-ui's: a connection a message, with the sender's credentials; `setup` is answered, `settings cpus`
//! and `settings ban irqs` each replace what was told before, and come into force at the daemon's next round (10 s).

use super::Value;
use crate::cpus::CpuSet;
use crate::host::{self, Host};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, UnixCredentials, connect, sendmsg,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::fs::File;
use std::io::{IoSlice, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

/// Bytes of `sun_path` after an abstract name's zero: irqbalance binds all of them.
const ABSTRACT: usize = 107;

/// Where the daemon listens.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Address {
    File(PathBuf),
    /// Where it can make no file: older ones under a name of their own, newer ones under none.
    Abstract(Vec<u8>),
}

/// The daemon's address, which tells one from the next; empty when none runs.
pub(super) fn identity(host: &Host) -> String {
    match address(host) {
        Some(Address::File(path)) => path.display().to_string(),
        Some(Address::Abstract(name)) => format!("@{}", String::from_utf8_lossy(&name).trim_end_matches('\0')),
        None => String::new(),
    }
}

/// Whether one runs.
pub(crate) fn runs(host: &Host) -> bool {
    address(host).is_some()
}

/// What it leaves alone.
pub(super) fn read(host: &Host) -> Result<Value, Errno> {
    let mut stream = File::from(send(host, "setup")?);
    let mut text = Vec::new();
    stream.read_to_end(&mut text).map_err(host::errno)?;
    parse(&String::from_utf8_lossy(&text)).ok_or(Errno::EPROTO)
}

/// Replaces what it leaves alone.
pub(super) fn write(host: &Host, cpus: &CpuSet, irqs: &[u32]) -> Result<(), Errno> {
    let cpus = if cpus.is_empty() { "NULL".to_owned() } else { cpus.to_string() };
    let irqs: Vec<String> = irqs.iter().map(u32::to_string).collect();
    let irqs = if irqs.is_empty() { "NONE".to_owned() } else { irqs.join(" ") };
    send(host, &format!("settings cpus {cpus}"))?;
    send(host, &format!("settings ban irqs {irqs}")).map(drop)
}

/// `SLEEP 10 IRQ 40 LOAD 0 DIFF 0 CLASS 5 … BANNED 00000002`
fn parse(text: &str) -> Option<Value> {
    let words: Vec<&str> = text.trim_end_matches('\0').split_whitespace().collect();
    let after = |name: &'static str| words.windows(2).filter(move |pair| pair[0] == name).map(|pair| pair[1]);
    let mut irqs: Vec<u32> = after("IRQ").map(|irq| irq.parse().ok()).collect::<Option<_>>()?;
    irqs.sort_unstable();
    irqs.dedup();
    Some(Value::Bans { cpus: CpuSet::parse_mask(after("BANNED").next()?).ok()?, irqs })
}

fn address(host: &Host) -> Option<Address> {
    let dir = host.path("run/irqbalance");
    let file = host::names(&dir).into_iter().find(|name| pid(name).is_some_and(|pid| is_irqbalance(host, pid)));
    file.map(|name| Address::File(dir.join(name))).or_else(|| {
        let listed = host::read(&host.path("proc/net/unix")).ok()?;
        let names = listed.lines().filter_map(|line| line.split_whitespace().nth(7));
        names.into_iter().find_map(abstract_name).map(Address::Abstract)
    })
}

/// `irqbalance77.sock` is process 77's.
fn pid(name: &str) -> Option<i32> {
    name.strip_prefix("irqbalance")?.strip_suffix(".sock")?.parse().ok()
}

/// A daemon that was killed leaves its file.
fn is_irqbalance(host: &Host, pid: i32) -> bool {
    host::read(&host.path(format!("proc/{pid}/comm"))).is_ok_and(|name| name == "irqbalance")
}

/// `/proc/net/unix` writes `@` for a zero.
fn abstract_name(listed: &str) -> Option<Vec<u8>> {
    let name = listed.strip_prefix('@')?.trim_end_matches('@');
    let old = pid(name).is_some();
    let new = name.is_empty() && listed.len() > ABSTRACT;
    (old || new).then(|| {
        let mut bytes = name.as_bytes().to_vec();
        bytes.resize(ABSTRACT, 0);
        bytes
    })
}

fn send(host: &Host, message: &str) -> Result<OwnedFd, Errno> {
    let address = match address(host).ok_or(Errno::ENOENT)? {
        Address::File(path) => UnixAddr::new(&path)?,
        Address::Abstract(name) => UnixAddr::new_abstract(&name)?,
    };
    let stream = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&stream, sockopt::ReceiveTimeout, &TimeVal::seconds(1))?;
    setsockopt(&stream, sockopt::SendTimeout, &TimeVal::seconds(1))?;
    connect(stream.as_raw_fd(), &address)?;
    let credentials = UnixCredentials::new();
    let control = [ControlMessage::ScmCredentials(&credentials)];
    sendmsg::<()>(stream.as_raw_fd(), &[IoSlice::new(message.as_bytes())], &control, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_answer_is_read() {
        let text = "SLEEP 10 IRQ 41 LOAD 0 DIFF 0 CLASS 5 IRQ 40 LOAD 9 DIFF 1 CLASS 0 BANNED 00000000,00000006\0";
        assert_eq!(parse(text), Some(Value::Bans { cpus: "1-2".parse().unwrap(), irqs: vec![40, 41] }));
        assert_eq!(parse("SLEEP 10 BANNED 0"), Some(Value::Bans { cpus: CpuSet::default(), irqs: vec![] }));
        assert_eq!(parse(""), None);
        assert_eq!(parse("SLEEP 10 IRQ x BANNED 0"), None);
    }

    #[test]
    fn abstract_names_are_the_old_ones_and_the_empty_one() {
        assert_eq!(abstract_name("@irqbalance12.sock@@@").unwrap()[..17], *b"irqbalance12.sock");
        assert_eq!(abstract_name(&"@".repeat(108)).unwrap(), [0; ABSTRACT]);
        for other in ["@", "@/tmp/.X11-unix/X0", "/run/irqbalance/irqbalance1.sock", "@irqbalance"] {
            assert_eq!(abstract_name(other), None, "{other}");
        }
    }
}
