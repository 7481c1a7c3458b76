//! Two hundred containers that start and stop at once, as other runtimes would have it: through the hook, by processes.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::memory;
use common::real::{Init, RealIrqs, functions_with_vectors};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const CONTAINERS: usize = 200;

/// A reproducible shuffle: the order is told when it fails.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        (1..items.len()).rev().for_each(|at| items.swap(at, self.below(at + 1)));
    }
}

struct Bundles {
    dir: PathBuf,
}

impl Bundles {
    /// Two kinds of container: one wants CPU 1 quiet, the other the last CPU, with a device's vectors on it.
    fn new() -> Bundles {
        let dir = memory().join(format!("rtrun-crowd-{}", std::process::id()));
        let device = functions_with_vectors().first().map(|(name, _)| name.clone());
        let device = device.map_or(String::new(), |name| format!(r#","org.rtrun.irq.devices":"{name}""#));
        for (n, cpu, more) in [(0, 1, String::new()), (1, last_cpu(), device)] {
            let bundle = dir.join(n.to_string());
            std::fs::create_dir_all(&bundle).unwrap();
            let config = format!(
                r#"{{"annotations":{{"org.rtrun.cpus":"{cpu}","org.rtrun.irq.affinity":"housekeeping"{more}}}}}"#
            );
            std::fs::write(bundle.join("config.json"), config).unwrap();
        }
        Bundles { dir }
    }

    fn hook(&self, id: usize, pid: i32, status: &str) -> Child {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rtrun-hook"))
            .arg("--ledger")
            .arg(self.dir.join("ledger"))
            .arg("irq-affinity")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let bundle: &Path = &self.dir.join((id % 2).to_string());
        let state = format!(
            r#"{{"ociVersion":"1.0.2","id":"c{id}","status":"{status}","pid":{pid},"bundle":"{}"}}"#,
            bundle.display()
        );
        child.stdin.take().unwrap().write_all(state.as_bytes()).unwrap();
        child
    }
}

impl Drop for Bundles {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn last_cpu() -> u32 {
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    rtrun_hooks::CpuSet::parse(&online).unwrap().iter().last().unwrap()
}

/// How many interrupts may be served on CPU 1.
fn on_cpu_1() -> usize {
    let files = std::fs::read_dir("/proc/irq").unwrap().flatten().map(|entry| entry.path().join("smp_affinity_list"));
    let masks = files.filter_map(|path| std::fs::read_to_string(path).ok());
    masks.filter(|mask| rtrun_hooks::CpuSet::parse(mask).is_ok_and(|cpus| cpus.contains(1))).count()
}

fn all_succeed(children: Vec<Child>) {
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn two_hundred_start_and_stop_in_any_order_a_third_is_killed_and_every_mask_is_as_before() {
    let Some(irqs) = RealIrqs::take() else { return };
    let bundles = Bundles::new();
    let before = on_cpu_1();
    let mut random = Random(0x7274_7275_6e00_0001);
    let inits: Vec<Init> = (0..CONTAINERS).map(|_| Init::begin()).collect();

    let mut order: Vec<usize> = (0..CONTAINERS).collect();
    random.shuffle(&mut order);
    all_succeed(order.iter().map(|id| bundles.hook(*id, inits[*id].pid(), "creating")).collect());

    assert!(on_cpu_1() < before, "{} of {before} are still on CPU 1", on_cpu_1());

    // Of each three one is killed and never heard of again, one stops as it should, and one is started anew meanwhile.
    let mut inits: Vec<(usize, Init)> = inits.into_iter().enumerate().collect();
    random.shuffle(&mut inits);
    let mut hooks = Vec::new();
    let mut anew = Vec::new();
    for (nth, (id, init)) in inits.into_iter().enumerate() {
        init.end();
        match nth % 3 {
            0 => {}
            1 => hooks.push(bundles.hook(id, 0, "stopped")),
            _ => {
                let next = Init::begin();
                hooks.push(bundles.hook(CONTAINERS + id, next.pid(), "creating"));
                anew.push(next);
            }
        }
    }
    all_succeed(hooks);
    anew.into_iter().for_each(Init::end);
    all_succeed(vec![bundles.hook(0, 0, "stopped")]);

    irqs.assert_as_before();
    let text = std::fs::read_to_string(bundles.dir.join("ledger/ledger.json")).unwrap();
    assert!(text.contains(r#""entries":[],"originals":[]"#), "{text}");
}
