//! What the tests share: a host made of plain files, and the guard of the real one.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![allow(dead_code, reason = "each test program uses its own part of this")]

pub mod irqbalance;
pub mod real;

use rtrun_hooks::Host;
use rtrun_hooks::ledger::{Ledger, Owner};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Says why a test does nothing here.
pub fn skip<T>(reason: &str) -> Option<T> {
    eprintln!("skip: {reason}");
    None
}

/// For files that are written some ten thousand times.
pub fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// Removed when dropped.
pub struct FakeHost {
    pub root: PathBuf,
}

impl FakeHost {
    /// One with this many CPUs and interrupts 40 on, which all may be served anywhere.
    pub fn new(cpus: u32, irqs: u32) -> FakeHost {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = memory().join(format!("rtrun-fake-{}-{number}", std::process::id()));
        let fake = FakeHost { root };
        let all = format!("0-{}", cpus - 1);
        fake.write("proc/sys/kernel/random/boot_id", "3f1f0a2e-0000-4000-8000-000000000001");
        fake.write("proc/irq/default_smp_affinity", &format!("{:08x}", (1u32 << cpus) - 1));
        fake.write("sys/devices/system/cpu/online", &all);
        for cpu in 0..cpus {
            let cpu = format!("sys/devices/system/cpu/cpu{cpu}");
            fake.write(&format!("{cpu}/power/pm_qos_resume_latency_us"), "0");
            fake.write(&format!("{cpu}/cpufreq/scaling_governor"), "schedutil");
        }
        (40..40 + irqs).for_each(|irq| fake.add_irq(irq, &all, &format!("device{irq}")));
        fake
    }

    pub fn add_irq(&self, irq: u32, cpus: &str, action: &str) {
        self.write(&format!("proc/irq/{irq}/smp_affinity_list"), cpus);
        self.write(&format!("sys/kernel/irq/{irq}/actions"), action);
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("{text}\n")).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).unwrap().trim().to_owned()
    }

    pub fn mask(&self, irq: u32) -> String {
        self.read(&format!("proc/irq/{irq}/smp_affinity_list"))
    }

    /// Begins a process; `end` ends it.
    pub fn process(&self, id: &str, pid: i32) -> Owner {
        self.write(&format!("proc/{pid}/stat"), &format!("{pid} (init) S 1{} 77{pid} 0 0", " 0".repeat(17)));
        Owner::of(&self.host(), id, pid).unwrap()
    }

    pub fn end(&self, owner: &Owner) {
        std::fs::remove_dir_all(self.root.join(format!("proc/{}", owner.pid))).unwrap();
    }

    pub fn host(&self) -> Host {
        Host::below(&self.root)
    }

    pub fn ledger(&self) -> Ledger {
        Ledger::new(self.ledger_dir(), self.host())
    }

    pub fn ledger_dir(&self) -> PathBuf {
        self.root.join("run/rtrun/ledger")
    }

    /// Every file of the host with its text, the ledger's and the processes' left out.
    pub fn settings(&self) -> Vec<(PathBuf, String)> {
        let mut settings = Vec::new();
        ["proc/irq", "sys/devices", "sys/fs"].iter().for_each(|top| collect(&self.root.join(top), &mut settings));
        settings.sort();
        settings
    }
}

impl Drop for FakeHost {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn collect(dir: &Path, settings: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => collect(&entry.path(), settings),
            false => settings.push((entry.path(), std::fs::read_to_string(entry.path()).unwrap().trim().to_owned())),
        }
    }
}
