//! chronyd, asked through its command socket (`chrony.conf(5)`, bindcmdaddress and cmdport).

use super::wire::{self, Tracking};
use super::{Sample, Source, State};
use crate::host::errno;
use nix::errno::Errno;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SOCKET: &str = "/run/chrony/chronyd.sock";
/// Where it answers everybody on this machine, unless `cmdport 0` is set.
const ADDRESS: &str = "127.0.0.1:323";
/// chronyd answers within a millisecond, unless it is stopped.
const PATIENCE: Duration = Duration::from_millis(500);
/// A reference that has missed so many updates is lost: fewer may be lost on the way.
const MISSED_UPDATES: f64 = 4.0;
/// A shorter silence is none, however often chronyd polls (seconds).
const LEAST_SILENCE: f64 = 2.0;

/// A chronyd.
pub(super) struct Chrony {
    socket: Option<PathBuf>,
}

impl Chrony {
    /// The one at this socket; without, the machine's.
    pub(super) fn new(socket: Option<PathBuf>) -> Chrony {
        Chrony { socket }
    }

    fn ask(&self) -> Result<Tracking, String> {
        if let Some(socket) = &self.socket {
            return ask_socket(socket).map_err(|problem| format!("{}: {problem}", socket.display()));
        }
        let first = match ask_socket(Path::new(SOCKET)) {
            Ok(tracking) => return Ok(tracking),
            Err(problem) => format!("{SOCKET}: {problem}"),
        };
        ask_address().map_err(|second| format!("{first}; {ADDRESS}: {second}; is chronyd running?"))
    }
}

impl Source for Chrony {
    fn name(&self) -> String {
        self.socket.as_ref().map_or("chrony".into(), |socket| format!("chrony:{}", socket.display()))
    }

    fn sample(&self) -> Result<Sample, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        self.ask().map(|tracking| judge(&tracking, now))
    }
}

/// chronyd answers to the asker's path, so that has one beside chronyd's own, where only root and chronyd may go.
fn ask_socket(socket: &Path) -> Result<Tracking, String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let words = |step: &'static str| move |error: std::io::Error| format!("{step}: {}", errno(error));
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let own = Own(socket.with_file_name(format!("rtrun.{}.{number}.sock", std::process::id())));
    // Only a process of this pid that was killed can have left it.
    let _ = std::fs::remove_file(&own.0);
    let client = UnixDatagram::bind(&own.0).map_err(words("making a socket beside it"))?;
    let open = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(&own.0, open).map_err(words("opening that to chronyd"))?;
    client.connect(socket).map_err(words("connecting"))?;
    client.set_read_timeout(Some(PATIENCE)).map_err(words("setting a time limit"))?;
    exchange(|packet| client.send(packet), |packet| client.recv(packet))
}

fn ask_address() -> Result<Tracking, String> {
    let words = |step: &'static str| move |error: std::io::Error| format!("{step}: {}", errno(error));
    let client = UdpSocket::bind("127.0.0.1:0").map_err(words("making a socket"))?;
    client.connect(ADDRESS).map_err(words("connecting"))?;
    client.set_read_timeout(Some(PATIENCE)).map_err(words("setting a time limit"))?;
    exchange(|packet| client.send(packet), |packet| client.recv(packet))
}

fn exchange(
    send: impl Fn(&[u8]) -> std::io::Result<usize>,
    receive: impl Fn(&mut [u8]) -> std::io::Result<usize>,
) -> Result<Tracking, String> {
    let sequence = std::process::id();
    send(&wire::request(sequence)).map_err(|error| format!("asking: {}", errno(error)))?;
    let mut packet = [0; wire::LENGTH * 4];
    let length = receive(&mut packet).map_err(|error| match errno(error) {
        Errno::EAGAIN => format!("no answer within {PATIENCE:?}"),
        errno => format!("waiting for the answer: {errno}"),
    })?;
    wire::reply(&packet[..length], sequence)
}

/// The asker's socket file.
struct Own(PathBuf);

impl Drop for Own {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The error bound is chrony's own: offset, dispersion, and half the way there and back (`chronyc(1)`, tracking).
fn judge(tracking: &Tracking, now: f64) -> Sample {
    let silence = now - tracking.heard;
    let lost = silence > (MISSED_UPDATES * tracking.interval).max(LEAST_SILENCE);
    let (state, detail) = match tracking {
        Tracking { leap: 3, .. } => (State::Freerun, "chronyd is not synchronised".to_owned()),
        tracking if tracking.is_local() => {
            (State::Freerun, "chronyd has no reference but this machine's own clock".to_owned())
        }
        _ if lost => (State::Holdover, format!("chronyd's reference has been silent for {silence:.1} s")),
        Tracking { stratum, .. } => (State::Locked, format!("chronyd follows a reference, at stratum {stratum}")),
    };
    let bound = tracking.correction.abs() + tracking.root_dispersion + tracking.root_delay.abs() / 2.0;
    let synchronised = state != State::Freerun;
    Sample {
        state,
        offset_ns: synchronised.then_some((-tracking.correction * 1e9) as i64),
        bound_ns: synchronised.then_some((bound * 1e9).ceil() as u64),
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Tracking = Tracking {
        reference: 0x0a00_0001,
        has_address: true,
        stratum: 3,
        leap: 0,
        heard: 1000.0,
        correction: -0.001,
        root_delay: 0.004,
        root_dispersion: 0.0005,
        interval: 16.0,
    };

    #[test]
    fn a_reference_that_speaks_is_locked_a_silent_one_holdover_none_freerun() {
        let sample = judge(&GOOD, 1060.0);
        assert_eq!(
            (sample.state, sample.offset_ns, sample.bound_ns),
            (State::Locked, Some(1_000_000), Some(3_500_000))
        );
        assert_eq!(judge(&GOOD, 1065.0).state, State::Holdover);
        assert_eq!(judge(&Tracking { leap: 3, ..GOOD }, 1001.0).state, State::Freerun);
        let local = Tracking { reference: 0x7f7f_0101, has_address: false, ..GOOD };
        assert_eq!(judge(&local, 1001.0).state, State::Freerun);
    }

    #[test]
    fn a_socket_without_chronyd_is_named() {
        let error = Chrony::new(Some("/nowhere/chronyd.sock".into())).sample().unwrap_err();
        assert!(error.starts_with("/nowhere/chronyd.sock: making a socket beside it: ENOENT"), "{error}");
    }
}
