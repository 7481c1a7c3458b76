//! The ledger against a host of plain files.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::FakeHost;
use common::irqbalance::FakeIrqbalance;
use common::real::Init;
use rtrun_hooks::ledger::{Claim, Effect, Error, IrqSource, Mode};
use rtrun_hooks::{CpuSet, Target};

fn cpus(text: &str) -> CpuSet {
    text.parse().unwrap()
}

fn away(text: &str) -> Claim {
    Claim::IrqsAway { cpus: cpus(text), onto: None }
}

fn lease(text: &str, mode: Mode) -> Claim {
    Claim::Cpus { cpus: cpus(text), mode }
}

#[test]
fn interrupts_leave_the_cpus_and_come_back() {
    let host = FakeHost::new(4, 3);
    host.write("proc/irq/41/smp_affinity_list", "2");
    let before = host.settings();
    let owner = host.process("a", 100);
    let report = host.ledger().book(&owner, &[away("2-3")]).unwrap();
    assert_eq!(report.failures().count(), 0);
    assert_eq!((host.mask(40), host.mask(41)), ("0-1".into(), "0-1".into()));
    assert_eq!(host.read("proc/irq/default_smp_affinity"), "00000003");
    host.ledger().release(&owner).unwrap();
    assert_eq!(host.read("proc/irq/default_smp_affinity"), "0000000f");
    assert_eq!(host.settings(), before);
}

#[test]
fn overlapping_owners_never_restore_each_others_masks() {
    let host = FakeHost::new(4, 1);
    let (a, b) = (host.process("a", 100), host.process("b", 101));
    host.ledger().book(&a, &[away("3")]).unwrap();
    host.ledger().book(&b, &[away("2")]).unwrap();
    assert_eq!(host.mask(40), "0-1");
    host.ledger().release(&a).unwrap();
    assert_eq!(host.mask(40), "0-1,3");
    host.ledger().release(&b).unwrap();
    assert_eq!(host.mask(40), "0-3");
}

#[test]
fn booking_twice_is_booking_once() {
    let host = FakeHost::new(4, 1);
    let owner = host.process("a", 100);
    for _ in 0..2 {
        host.ledger().book(&owner, &[away("3"), lease("3", Mode::Exclusive)]).unwrap();
    }
    assert_eq!(host.ledger().entries().unwrap()[0].claims.len(), 2);
    host.ledger().release(&owner).unwrap();
    assert_eq!(host.mask(40), "0-3");
}

#[test]
fn the_next_caller_puts_right_what_a_dead_owner_left() {
    let host = FakeHost::new(4, 1);
    let (a, b) = (host.process("a", 100), host.process("b", 101));
    host.ledger().book(&a, &[away("3"), lease("3", Mode::Exclusive)]).unwrap();
    host.end(&a);
    assert!(host.ledger().entries().unwrap().is_empty());
    host.ledger().book(&b, &[lease("3", Mode::Exclusive)]).unwrap();
    assert_eq!(host.mask(40), "0-3");
}

#[test]
fn a_pid_used_again_is_another_owner() {
    let host = FakeHost::new(4, 1);
    let a = host.process("a", 100);
    host.ledger().book(&a, &[away("3")]).unwrap();
    host.write("proc/100/stat", &format!("100 (other) S 1{} 99999 0 0", " 0".repeat(17)));
    host.ledger().reconcile().unwrap();
    assert_eq!(host.mask(40), "0-3");
}

#[test]
fn a_lease_names_its_holder() {
    let host = FakeHost::new(4, 1);
    let (a, b) = (host.process("a", 100), host.process("b", 101));
    let device = |mode| Claim::Device { name: "bc635:0".into(), mode };
    host.ledger().book(&a, &[lease("2-3", Mode::Exclusive), device(Mode::Exclusive)]).unwrap();
    let error = host.ledger().book(&b, &[away("1"), lease("1-2", Mode::Shared)]).unwrap_err();
    assert!(matches!(error, Error::Held { .. }));
    assert_eq!(
        error.to_string(),
        "CPUs 2 is held exclusively by container \"a\" (process 100); end that one, or name another"
    );
    assert_eq!(host.mask(40), "0-3", "nothing of a refused booking is done");
    let error = host.ledger().book(&b, &[device(Mode::Shared)]).unwrap_err().to_string();
    assert!(error.starts_with("device bc635:0 is held exclusively by container \"a\""), "{error}");
    host.ledger().release(&a).unwrap();
    host.ledger().book(&b, &[device(Mode::Shared)]).unwrap();
    host.ledger().book(&host.process("c", 102), &[device(Mode::Shared)]).unwrap();
}

#[test]
fn a_devices_vectors_go_to_the_container_and_the_others_stay_away() {
    let host = FakeHost::new(4, 3);
    host.write("sys/bus/pci/devices/0000:00:05.0/msi_irqs/41", "msix");
    host.write("sys/bus/pci/devices/0000:00:05.0/irq", "40");
    let owner = host.process("a", 100);
    let steer = |source| Claim::Steer { source, cpus: cpus("3"), priority: None };
    host.ledger().book(&owner, &[away("3"), steer(IrqSource::Pci("0000:00:05.0".into()))]).unwrap();
    assert_eq!([40, 41, 42].map(|irq| host.mask(irq)), ["0-2", "3", "0-2"]);
    // A driver that makes its vectors later.
    host.write("sys/bus/pci/devices/0000:00:05.0/msi_irqs/42", "msix");
    host.ledger().reconcile().unwrap();
    assert_eq!(host.mask(42), "3");
    host.ledger().release(&owner).unwrap();
    assert_eq!([40, 41, 42].map(|irq| host.mask(irq)), ["0-3", "0-3", "0-3"]);
}

#[test]
fn without_vectors_it_is_the_line() {
    let host = FakeHost::new(4, 2);
    host.write("sys/bus/pci/devices/0000:00:05.0/irq", "41");
    let owner = host.process("a", 100);
    let source = IrqSource::Pci("0000:00:05.0".into());
    host.ledger().book(&owner, &[Claim::Steer { source, cpus: cpus("3"), priority: None }]).unwrap();
    assert_eq!((host.mask(40), host.mask(41)), ("0-3".into(), "3".into()));
}

fn libc_scheduler(pid: i32) -> i32 {
    // SAFETY: the call takes a number and gives one.
    unsafe { libc::sched_getscheduler(pid) }
}

#[test]
fn a_devices_threads_get_their_priority_and_lose_it_again() {
    let host = FakeHost::new(2, 1);
    let thread = Init::begin();
    let pid = thread.pid();
    let policy = || nix::errno::Errno::result(libc_scheduler(pid)).unwrap();
    // Who only calls himself so.
    let other = Init::begin();
    for (pid, parent) in [(pid, 2), (other.pid(), 1)] {
        host.write(&format!("proc/{pid}/comm"), "irq/40-device40");
        host.write(&format!("proc/{pid}/stat"), &format!("{pid} (x) S {parent}{} 1 0", " 0".repeat(17)));
    }
    let owner = host.process("a", 100);
    let steer = Claim::Steer { source: IrqSource::Number(40), cpus: cpus("1"), priority: Some(60) };
    let report = host.ledger().book(&owner, &[steer]).unwrap();
    let failures: Vec<_> = report.failures().map(ToString::to_string).collect();
    if failures.iter().any(|failure| failure.contains("EPERM")) {
        return common::skip("SCHED_FIFO is not allowed here").unwrap_or(());
    }
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(policy(), libc::SCHED_FIFO);
    let others = nix::errno::Errno::result(libc_scheduler(other.pid()));
    assert_eq!(others, Ok(libc::SCHED_OTHER));
    host.ledger().release(&owner).unwrap();
    assert_eq!(policy(), libc::SCHED_OTHER);
}

#[test]
fn interrupts_that_come_later_end_with_the_default_of_before() {
    let host = FakeHost::new(4, 1);
    let (a, b) = (host.process("a", 100), host.process("b", 101));
    host.ledger().book(&a, &[away("3")]).unwrap();
    host.add_irq(50, "0-2", "late");
    host.ledger().book(&b, &[away("2")]).unwrap();
    assert_eq!(host.mask(50), "0-1");
    host.add_irq(51, "0-1", "later");
    host.ledger().release(&a).unwrap();
    host.ledger().release(&b).unwrap();
    assert_eq!((host.mask(50), host.mask(51)), ("0-3".into(), "0-3".into()));
}

#[test]
fn a_number_given_to_another_device_is_not_restored() {
    let host = FakeHost::new(4, 1);
    let owner = host.process("a", 100);
    host.write("proc/irq/40/smp_affinity_list", "1");
    host.ledger().book(&owner, &[away("3")]).unwrap();
    host.add_irq(40, "0-2", "another");
    host.ledger().release(&owner).unwrap();
    assert_eq!(host.mask(40), "0-3", "the default's original, not the mask of the device that is gone");
}

#[test]
fn with_no_other_cpu_the_masks_stay() {
    let host = FakeHost::new(2, 1);
    let owner = host.process("a", 100);
    host.ledger().book(&owner, &[away("0-1")]).unwrap();
    assert_eq!(host.mask(40), "0-1");
}

#[test]
fn governors_and_latencies_are_merged_and_restored() {
    let host = FakeHost::new(4, 1);
    let before = host.settings();
    let (a, b) = (host.process("a", 100), host.process("b", 101));
    let latency = |latency_us| Claim::MaxLatency { cpus: cpus("3"), latency_us };
    let governor = |name: &str| Claim::Governor { cpus: cpus("3"), governor: name.into() };
    host.ledger().book(&a, &[latency(50), governor("performance")]).unwrap();
    host.ledger().book(&b, &[latency(0)]).unwrap();
    let error = host.ledger().book(&b, &[governor("powersave")]).unwrap_err().to_string();
    assert!(error.contains("governor \"performance\" for container \"a\""), "{error}");
    let file = "sys/devices/system/cpu/cpu3/power/pm_qos_resume_latency_us";
    assert_eq!(host.read(file), "n/a");
    host.ledger().release(&b).unwrap();
    assert_eq!(host.read(file), "50");
    host.ledger().release(&a).unwrap();
    assert_eq!(host.settings(), before);
}

#[test]
fn cpus_of_one_clock_have_one_governor() {
    let host = FakeHost::new(4, 1);
    for cpu in [2, 3] {
        host.write(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/related_cpus"), "2 3");
    }
    let (a, b) = (host.process("a", 100), host.process("b", 101));
    let governor = |cpu: &str, name: &str| Claim::Governor { cpus: cpus(cpu), governor: name.into() };
    host.ledger().book(&a, &[governor("3", "performance")]).unwrap();
    assert!(matches!(host.ledger().book(&b, &[governor("2", "powersave")]), Err(Error::Governor { .. })));
}

#[test]
fn what_the_host_has_not_is_reported() {
    let host = FakeHost::new(2, 1);
    let owner = host.process("a", 100);
    std::fs::remove_dir_all(host.root.join("sys/devices/system/cpu/cpu1/cpufreq")).unwrap();
    let claim = Claim::Governor { cpus: cpus("1"), governor: "performance".into() };
    let report = host.ledger().book(&owner, &[claim]).unwrap();
    let failures: Vec<_> = report.failures().collect();
    assert_eq!((&failures[0].target, &failures[0].effect), (&Target::Governor(1), &Effect::Absent));
    assert_eq!(failures[0].to_string(), "governor of CPU 1: wanted performance: this host has no such setting");
}

#[test]
fn budgets_reach_the_whole_chain_and_are_given_back() {
    let host = FakeHost::new(2, 1);
    let group = |path: &str, runtime: i64| {
        host.write(&format!("sys/fs/cgroup/cpu/{path}/cpu.rt_runtime_us"), &runtime.to_string());
        host.write(&format!("sys/fs/cgroup/cpu/{path}/cpu.rt_period_us"), "1000000");
    };
    for (path, runtime) in [("", 950_000), ("pods", 0), ("pods/a", 0), ("pods/b", 0), ("pods/other", 1000)] {
        group(path, runtime);
    }
    let before = host.settings();
    let top = host.root.join("sys/fs/cgroup/cpu");
    let claim =
        |path: &str, runtime_us| Claim::RtRuntime { group: top.join(path), mountpoint: top.clone(), runtime_us };
    let runtime = |path: &str| host.read(&format!("sys/fs/cgroup/cpu/{path}/cpu.rt_runtime_us"));
    let (a, b) = (host.process("a", 100), host.process("b", 101));
    host.ledger().book(&a, &[claim("pods/a", 20_000)]).unwrap();
    host.ledger().book(&b, &[claim("pods/b", 30_000)]).unwrap();
    assert_eq!(["pods/a", "pods/b", "pods", ""].map(runtime), ["20000", "30000", "51000", "950000"]);
    host.ledger().release(&a).unwrap();
    assert_eq!(["pods/a", "pods/b", "pods"].map(runtime), ["0", "30000", "31000"]);
    // The group goes with its container.
    std::fs::remove_dir_all(top.join("pods/b")).unwrap();
    host.ledger().release(&b).unwrap();
    let left: Vec<_> = before.into_iter().filter(|(path, _)| !path.starts_with(top.join("pods/b"))).collect();
    assert_eq!(host.settings(), left);
}

#[test]
fn another_boot_owes_nothing() {
    let host = FakeHost::new(4, 1);
    let owner = host.process("a", 100);
    host.ledger().book(&owner, &[away("3"), lease("3", Mode::Exclusive)]).unwrap();
    host.write("proc/sys/kernel/random/boot_id", "3f1f0a2e-0000-4000-8000-000000000002");
    host.write("proc/irq/40/smp_affinity_list", "1-3");
    assert!(host.ledger().entries().unwrap().is_empty());
    host.ledger().reconcile().unwrap();
    assert_eq!(host.mask(40), "1-3");
}

#[test]
fn without_a_ledger_nothing_is_made() {
    let host = FakeHost::new(2, 1);
    let owner = host.process("a", 100);
    host.ledger().release(&owner).unwrap();
    host.ledger().reconcile().unwrap();
    assert!(!host.ledger_dir().exists());
}

#[test]
fn bad_claims_are_refused_before_anything_is_made() {
    let host = FakeHost::new(2, 1);
    let owner = host.process("a", 100);
    let steer = |source, priority| Claim::Steer { source, cpus: cpus("1"), priority };
    for (claim, words) in [
        (away(""), "names no CPU"),
        (Claim::IrqsAway { cpus: cpus("0-1"), onto: Some(cpus("1")) }, "those to be quiet"),
        (steer(IrqSource::Number(40), Some(100)), "not in 1 to 99"),
        (steer(IrqSource::Pci("../x".into()), None), "no PCI address"),
        (Claim::Governor { cpus: cpus("1"), governor: "a/b".into() }, "no governor's name"),
        (Claim::Device { name: String::new(), mode: Mode::Shared }, "no name"),
        (Claim::RtRuntime { group: "/a".into(), mountpoint: "/b".into(), runtime_us: 1 }, "not below"),
        (Claim::RtRuntime { group: "/b/a".into(), mountpoint: "/b".into(), runtime_us: 0 }, "is none"),
    ] {
        let error = host.ledger().book(&owner, std::slice::from_ref(&claim)).unwrap_err().to_string();
        assert!(error.contains(words), "{claim:?}: {error}");
    }
    assert!(!host.ledger_dir().exists());
}

#[test]
fn a_dead_owner_books_nothing() {
    let host = FakeHost::new(2, 1);
    let owner = host.process("a", 100);
    host.end(&owner);
    let error = host.ledger().book(&owner, &[away("1")]).unwrap_err().to_string();
    assert!(error.contains("process 100: ESRCH"), "{error}");
}

#[test]
fn a_broken_file_is_named() {
    let host = FakeHost::new(2, 1);
    let owner = host.process("a", 100);
    host.ledger().book(&owner, &[away("1")]).unwrap();
    let file = host.ledger_dir().join("ledger.json");
    for (text, words) in
        [("{", "EOF"), ("{\"version\":1,\"boot\":\"\",\"entries\":[],\"originals\":[],\"x\":1}", "`x`")]
    {
        std::fs::write(&file, text).unwrap();
        let error = host.ledger().reconcile().unwrap_err().to_string();
        assert!(error.contains("ledger.json can't be read") && error.contains(words), "{error}");
    }
}

#[test]
fn irqbalance_is_told_and_told_back() {
    let host = FakeHost::new(4, 2);
    let daemon = FakeIrqbalance::begin(&host, 77, "SLEEP 10 IRQ 9 LOAD 0 DIFF 0 CLASS 0 BANNED 00000001");
    let (a, b) = (host.process("a", 100), host.process("b", 101));
    let steer = Claim::Steer { source: IrqSource::Number(41), cpus: cpus("3"), priority: None };
    host.ledger().book(&a, &[away("3"), steer]).unwrap();
    assert_eq!(daemon.told(), ["settings cpus 0,3", "settings ban irqs 9 41"]);
    // Its next round has not come: it still says what was before, which must not be taken for its own.
    host.ledger().book(&b, &[away("2")]).unwrap();
    assert_eq!(daemon.told(), ["settings cpus 0,2-3", "settings ban irqs 9 41"]);
    daemon.round();
    host.ledger().release(&a).unwrap();
    assert_eq!(daemon.told(), ["settings cpus 0,2", "settings ban irqs 9"]);
    host.ledger().release(&b).unwrap();
    assert_eq!(daemon.told(), ["settings cpus 0", "settings ban irqs 9"]);
    // Before its round a new container comes and goes: ours must not become its own.
    host.ledger().book(&a, &[away("1")]).unwrap();
    assert_eq!(daemon.told(), ["settings cpus 0-1", "settings ban irqs 9"]);
    host.ledger().release(&a).unwrap();
    assert_eq!(daemon.told(), ["settings cpus 0", "settings ban irqs 9"]);
    daemon.round();
    host.ledger().reconcile().unwrap();
    assert!(daemon.told().is_empty());
    let text = std::fs::read_to_string(host.ledger_dir().join("ledger.json")).unwrap();
    assert!(text.contains(r#""originals":[]"#), "{text}");
}

#[test]
fn an_irqbalance_started_anew_has_bans_of_its_own() {
    let host = FakeHost::new(4, 1);
    let daemon = FakeIrqbalance::begin(&host, 77, "SLEEP 10 BANNED 00000001");
    let owner = host.process("a", 100);
    host.ledger().book(&owner, &[away("3")]).unwrap();
    daemon.end(&host);
    let daemon = FakeIrqbalance::begin(&host, 78, "SLEEP 10 BANNED 00000002");
    host.ledger().reconcile().unwrap();
    assert_eq!(daemon.told(), ["settings cpus 1,3", "settings ban irqs NONE"]);
    host.ledger().release(&owner).unwrap();
    assert_eq!(daemon.told(), ["settings cpus 1", "settings ban irqs NONE"]);
}
