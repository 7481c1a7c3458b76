//! The gate before a real chronyd: one that serves, one that follows it, neither of which touches the system clock (`-x`).

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::skip;
use rtrun_hooks::Host;
use rtrun_hooks::annotation::{ClockSource, OnTimeout};
use rtrun_hooks::clock::{self, Error, Gate, Passage, Shared, State};
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ended when dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Pair {
    dir: PathBuf,
    port: u16,
}

impl Pair {
    fn new(name: &str) -> Option<Pair> {
        if !nix::unistd::geteuid().is_root() {
            return skip("chronyd wants to be started by root");
        }
        if Command::new("chronyd").arg("--version").stdout(Stdio::null()).status().is_err() {
            return skip("no chronyd here");
        }
        let dir = std::env::temp_dir().join(format!("rtrun-chrony-{name}-{}", std::process::id()));
        // chronyd makes its socket only where nobody else may go.
        std::fs::DirBuilder::new().mode(0o700).create(&dir).unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Some(Pair { dir, port })
    }

    fn begin(&self, name: &str, more: &str) -> Daemon {
        let (dir, config) = (self.dir.display(), self.dir.join(format!("{name}.conf")));
        let text = format!("cmdport 0\nbindcmdaddress {dir}/{name}.sock\npidfile {dir}/{name}.pid\n{more}\n");
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("chronyd");
        command.args(["-x", "-d", "-u", "root", "-f"]).arg(&config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = Daemon(command.spawn().unwrap());
        let socket = self.dir.join(format!("{name}.sock"));
        let start = Instant::now();
        while !socket.exists() {
            assert!(start.elapsed() < Duration::from_secs(20), "chronyd makes no {}", socket.display());
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    fn server(&self) -> Daemon {
        let port = self.port;
        self.begin("server", &format!("port {port}\nbindaddress 127.0.0.1\nallow 127.0.0.1\nlocal stratum 4"))
    }

    /// It asks four times a second.
    fn client(&self) -> Daemon {
        self.begin("client", &format!("port 0\nserver 127.0.0.1 port {} minpoll -2 maxpoll -2 iburst", self.port))
    }

    fn source(&self) -> ClockSource {
        ClockSource::Chrony(Some(self.dir.join("client.sock")))
    }

    fn shared(&self) -> Shared {
        Shared::new(self.dir.join("ledger"), Host::system())
    }

    fn wait(&self, gate: &Gate) -> Result<Passage, Error> {
        gate.wait(&clock::open_all(&[self.source()], &clock::no_cards).unwrap(), &self.shared())
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn locked_within(seconds: f64) -> Gate {
    Gate {
        require: State::Locked,
        max_offset: None,
        timeout: Duration::from_secs_f64(seconds),
        on_timeout: OnTimeout::Fail,
    }
}

#[test]
fn the_gate_opens_when_chronyd_is_synchronised_and_shuts_when_it_loses_its_server() {
    let Some(pair) = Pair::new("gate") else { return };
    let _client = pair.client();

    let error = pair.wait(&locked_within(0.5)).unwrap_err().to_string();
    assert!(error.contains("the clock was not LOCKED within 500ms: chrony:"), "{error}");
    assert!(error.contains("FREERUN (chronyd is not synchronised)"), "{error}");
    let warned = pair.wait(&Gate { on_timeout: OnTimeout::Warn, ..locked_within(0.2) }).unwrap();
    assert!(!warned.good && warned.readings[0].sample.state == State::Freerun, "{warned}");

    // The server comes while a container waits.
    let (passage, server) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| pair.wait(&locked_within(60.0)));
        std::thread::sleep(Duration::from_secs(1));
        let server = pair.server();
        (waiting.join().unwrap().unwrap(), server)
    });
    assert!(passage.good && passage.waited_ns > 1_000_000_000, "{passage}");
    assert_eq!(passage.readings[0].sample.state, State::Locked);
    assert!(passage.readings[0].sample.offset_ns.unwrap().abs() < 100_000_000, "the server has this machine's time");

    let bound = |max_offset| Gate { max_offset: Some(max_offset), ..locked_within(0.3) };
    pair.wait(&bound(Duration::from_secs(5))).unwrap();
    let error = pair.wait(&bound(Duration::from_nanos(1))).unwrap_err().to_string();
    assert!(error.contains("its error may be more than 1ns"), "{error}");

    // The kernel's clock is another source: nobody disciplines it by these daemons.
    let both = [pair.source(), ClockSource::Adjtimex];
    let both = clock::open_all(&both, &clock::no_cards).unwrap();
    match both[1].sample().unwrap().state {
        State::Locked => skip("this machine's own clock is synchronised: disagreement can't be shown").unwrap_or(()),
        _ => {
            let error = locked_within(0.3).wait(&both, &pair.shared()).unwrap_err().to_string();
            assert!(error.contains("adjtimex: FREERUN"), "{error}");
        }
    }

    drop(server);
    let start = Instant::now();
    let error = loop {
        match pair.wait(&locked_within(0.2)) {
            Err(error) => break error.to_string(),
            Ok(passage) => assert!(start.elapsed() < Duration::from_secs(60), "still {passage}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(error.contains("HOLDOVER") && error.contains("reference has been silent for"), "{error}");
    assert!(pair.wait(&Gate { require: State::Holdover, ..locked_within(0.5) }).unwrap().good);
}

#[test]
fn a_pod_of_ten_shares_the_samples() {
    let Some(pair) = Pair::new("pod") else { return };
    let (_server, _client) = (pair.server(), pair.client());
    pair.wait(&locked_within(60.0)).unwrap();
    // So that the ten begin with no samples at all.
    std::fs::remove_file(pair.dir.join("ledger/clock.json")).unwrap();
    let source = format!("chrony:{}/client.sock", pair.dir.display());
    let config =
        format!(r#"{{"annotations":{{"org.rtrun.clock.require":"locked","org.rtrun.clock.source":"{source}"}}}}"#);
    std::fs::write(pair.dir.join("config.json"), config).unwrap();
    let hook = |n: usize| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rtrun-hook"))
            .arg("--ledger")
            .arg(pair.dir.join("ledger"))
            .arg("clock-sync")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let state = format!(
            r#"{{"ociVersion":"1.0.2","id":"c{n}","status":"creating","pid":1,"bundle":"{}"}}"#,
            pair.dir.display()
        );
        child.stdin.take().unwrap().write_all(state.as_bytes()).unwrap();
        child
    };
    for child in (0..10).map(hook).collect::<Vec<_>>() {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let text = std::fs::read_to_string(pair.dir.join("ledger/clock.json")).unwrap();
    let asked: u64 = text.split_once(r#""asked":"#).unwrap().1.split(',').next().unwrap().parse().unwrap();
    assert!((3..10).contains(&asked), "ten containers asked {asked} times: {text}");
}

#[test]
fn a_card_that_nothing_reads_is_named() {
    let card = ClockSource::Card { family: "bc635".into(), index: 0 };
    let error = clock::open_all(&[card], &clock::no_cards).err().unwrap().to_string();
    assert!(error.starts_with("clock source bc635:0: nothing here reads the clock of a bc635 card"), "{error}");
}
