//! Agents as processes, and what they print.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// The first of 20 ports that nobody has, below those that the kernel hands out itself.
pub fn ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = (std::process::id() % 800) as u16 * 20;
    let candidates = (0..500).map(|_| 10_000 + (process + 20 * NEXT.fetch_add(1, Relaxed)) % 20_000);
    let free = |port: &u16| (*port..port + 20).all(|port| UdpSocket::bind(("127.0.0.1", port)).is_ok());
    candidates.into_iter().find(free).unwrap()
}

/// `gol-agent` with words, its output kept.
pub fn agent(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gol-agent"));
    command.arg(words).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Ends an agent whatever happens to the test.
pub struct Running(pub Option<Child>);

impl Running {
    pub fn new(words: &str) -> Self {
        Running(Some(agent(words).spawn().unwrap()))
    }

    pub fn terminate(&self) {
        let pid = nix::unistd::Pid::from_raw(self.0.as_ref().unwrap().id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    }

    pub fn wait(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Generation to the sums of population and hash, and whether every part was exact.
pub type Checks = BTreeMap<u64, (u64, u64, bool)>;

/// Adds up the `check` lines of an output.
pub fn add_checks(checks: &mut Checks, output: &Output) {
    for line in String::from_utf8(output.stdout.clone()).unwrap().lines().filter(|line| line.starts_with("check ")) {
        let value = |key: &str| {
            let words: BTreeMap<_, _> = line.split(' ').filter_map(|word| word.split_once('=')).collect();
            words[key].to_owned()
        };
        let sum = checks.entry(value("generation").parse().unwrap()).or_insert((0, 0, true));
        sum.0 += value("population").parse::<u64>().unwrap();
        sum.1 = sum.1.wrapping_add(u64::from_str_radix(&value("hash"), 16).unwrap());
        sum.2 &= line.ends_with(" exact");
    }
}

/// What the whole board computed alone prints for the same words.
pub fn reference(words: &str) -> Checks {
    let output = Command::new(env!("CARGO_BIN_EXE_gol-agent")).arg("reference").arg(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut checks = Checks::new();
    add_checks(&mut checks, &output);
    checks
}

/// Runs every region of `board` and adds up what they print.
pub fn distributed(board: &str, words: &str) -> Checks {
    let (columns, rows) = board.split_once('x').unwrap();
    let regions = columns.parse::<u32>().unwrap() * rows.parse::<u32>().unwrap();
    let port = ports();
    let agents: Vec<Running> = (1..=regions)
        .map(|region| Running::new(&format!("board={board} region={region} port={port} report=0 lock=false {words}")))
        .collect();
    let mut checks = Checks::new();
    for (agent, region) in agents.into_iter().zip(1..) {
        let output = agent.wait();
        assert!(output.status.success(), "region {region}: {}", String::from_utf8_lossy(&output.stderr));
        add_checks(&mut checks, &output);
    }
    checks
}
