//! A daemon with irqbalance's socket and its slowness: what it is told comes into force at its next round.

use super::FakeHost;
use rtrun_hooks::CpuSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Inner {
    answer: String,
    told: Vec<String>,
    cpus: String,
    irqs: String,
}

/// Serves until the test ends.
pub struct FakeIrqbalance {
    inner: Arc<Mutex<Inner>>,
    pid: i32,
}

impl FakeIrqbalance {
    pub fn begin(host: &FakeHost, pid: i32, answer: &str) -> FakeIrqbalance {
        let inner = Arc::new(Mutex::new(Inner { answer: answer.to_owned(), ..Inner::default() }));
        host.write(&format!("proc/{pid}/comm"), "irqbalance");
        let dir = host.root.join("run/irqbalance");
        std::fs::create_dir_all(&dir).unwrap();
        let listener = UnixListener::bind(dir.join(format!("irqbalance{pid}.sock"))).unwrap();
        let served = Arc::clone(&inner);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut buffer = [0; 1024];
                let length = stream.read(&mut buffer).unwrap();
                let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let mut inner = served.lock().unwrap();
                match message.strip_prefix("settings ") {
                    None => stream.write_all(inner.answer.as_bytes()).unwrap(),
                    Some(setting) => {
                        if let Some(cpus) = setting.strip_prefix("cpus ") {
                            inner.cpus = cpus.to_owned();
                        }
                        if let Some(irqs) = setting.strip_prefix("ban irqs ") {
                            inner.irqs = irqs.to_owned();
                        }
                        inner.told.push(message);
                    }
                }
            }
        });
        FakeIrqbalance { inner, pid }
    }

    /// What it has been told since last asked. It may still be reading the last message.
    pub fn told(&self) -> Vec<String> {
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::mem::take(&mut self.inner.lock().unwrap().told)
    }

    /// Heeds what it was told.
    pub fn round(&self) {
        let mut inner = self.inner.lock().unwrap();
        let irqs = inner.irqs.split(' ').filter(|irq| *irq != "NONE");
        let irqs: String = irqs.map(|irq| format!("IRQ {irq} LOAD 0 DIFF 0 CLASS 0 ")).collect();
        let cpus: CpuSet = inner.cpus.parse().unwrap_or_default();
        inner.answer = format!("SLEEP 10 {irqs}BANNED {}", cpus.to_mask());
    }

    /// As if it were killed: its file stays.
    pub fn end(self, host: &FakeHost) {
        std::fs::remove_file(host.root.join(format!("proc/{}/comm", self.pid))).unwrap();
    }
}
