//! This machine's interrupts, whose masks are as before when the guard is dropped.

use super::skip;
use nix::fcntl::{Flock, FlockArg};
use rtrun_hooks::{CpuSet, Host};
use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Child, Command, Stdio};

/// Holds the machine's masks alone among tests that change them.
pub struct RealIrqs {
    masks: BTreeMap<String, String>,
    _lock: Flock<File>,
}

impl RealIrqs {
    /// Nothing, with the reason printed, where masks can't be changed.
    pub fn take() -> Option<RealIrqs> {
        let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
        if CpuSet::parse(&online).map_or(0, |cpus| cpus.len()) < 2 {
            return skip("one CPU only: interrupts have nowhere to go");
        }
        let file = File::create(std::env::temp_dir().join("rtrun-irq-masks.lock")).unwrap();
        let lock = Flock::lock(file, FlockArg::LockExclusive).unwrap();
        let masks = masks();
        let writable = masks.iter().any(|(path, mask)| std::fs::write(path, mask).is_ok());
        if !writable {
            return skip("no mask below /proc/irq can be written (not root, or read-only)");
        }
        Some(RealIrqs { masks, _lock: lock })
    }

    /// Fails naming the first mask that is not as it was.
    pub fn assert_as_before(&self) {
        let now = masks();
        for (path, before) in &self.masks {
            assert_eq!(now.get(path), Some(before), "{path}");
        }
    }
}

impl Drop for RealIrqs {
    fn drop(&mut self) {
        for (path, mask) in &self.masks {
            let _ = std::fs::write(path, mask);
        }
    }
}

fn masks() -> BTreeMap<String, String> {
    let files = std::fs::read_dir("/proc/irq").into_iter().flatten().flatten().map(|entry| entry.path());
    let files = files.map(|path| if path.is_dir() { path.join("smp_affinity_list") } else { path });
    files.filter_map(|path| Some((path.display().to_string(), std::fs::read_to_string(path).ok()?))).collect()
}

/// The PCI functions that have MSI vectors, with the vectors' numbers.
pub fn functions_with_vectors() -> Vec<(String, Vec<u32>)> {
    let functions = std::fs::read_dir("/sys/bus/pci/devices").into_iter().flatten().flatten();
    let name = |entry: &std::fs::DirEntry| entry.file_name().into_string().ok();
    let named = functions.filter(|entry| entry.path().join("msi_irqs").is_dir()).filter_map(|entry| name(&entry));
    named
        .map(|name| {
            let source = rtrun_hooks::ledger::IrqSource::Pci(name.clone());
            (name, source.numbers(&Host::system()))
        })
        .collect()
}

/// A process to stand for a container's init; ended when dropped.
pub struct Init(pub Child);

impl Init {
    pub fn begin() -> Init {
        Init(Command::new("sleep").arg("1000").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    pub fn end(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
