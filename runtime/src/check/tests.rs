//! Hosts of every make, as plain files. What is asked of the running kernel (tick, adjtimex) is left out of the comparisons.

use super::*;
use crate::host::fake::Tree;
use crate::spec::Spec;

const CPU: &str = "/sys/devices/system/cpu";

/// A node as it should be: PREEMPT_RT, CPUs 2-3 set aside in every way.
fn tuned() -> Tree {
    Tree::new()
        .files(&format!(
            "/proc/sys/kernel/osrelease = 6.12.0-rt
             /proc/sys/kernel/version = #1 SMP PREEMPT_RT Debian
             /sys/kernel/realtime = 1
             /proc/cmdline = isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3
             {CPU}/online = 0-3
             {CPU}/possible = 0-3
             {CPU}/isolated = 2-3
             {CPU}/nohz_full = 2-3
             {CPU}/smt/active = 0
             /sys/devices/system/node/online = 0-1
             /sys/devices/system/node/node0/cpulist = 0-2
             /sys/devices/system/node/node1/cpulist = 3
             /sys/fs/cgroup/cgroup.controllers = cpuset cpu io memory pids
             /boot/config-6.12.0-rt = CONFIG_X=y
             /proc/irq/default_smp_affinity = 3
             /proc/irq/24/smp_affinity_list = 0-3
             /proc/irq/24/effective_affinity_list = 1
             /proc/sys/kernel/sched_rt_runtime_us = -1
             /proc/sys/kernel/sched_rt_period_us = 1000000
             /proc/sys/kernel/timer_migration = 0
             /sys/devices/virtual/workqueue/cpumask = 3
             /sys/kernel/mm/transparent_hugepage/enabled = always madvise [never]
             /sys/devices/system/clocksource/clocksource0/current_clocksource = tsc"
        ))
        .file("/proc/interrupts", "  CPU0 CPU1 CPU2 CPU3\n 24: 0 9 0 0 PCI-MSIX eth0\n")
        .file("/proc/swaps", "Filename\n")
        .file("/proc/self/status", "CapEff:\t000001ffffffffff\n")
        .file("/proc/self/limits", "Max locked memory         unlimited            unlimited            bytes\n")
        .files(
            "/sys/kernel/debug/sched/fair_server/cpu2/runtime = 0
             /sys/kernel/debug/sched/fair_server/cpu2/period = 1000000000",
        )
}

fn wanted(annotations: &[(&str, &str)]) -> Wanted {
    let pairs = annotations.iter().map(|(key, value)| (format!("org.rtrun.{key}"), (*value).to_owned()));
    Wanted::of(&Spec { annotations: pairs.collect(), ..Spec::default() }).unwrap()
}

fn items(tree: &Tree, wanted: &Wanted, profile: Profile) -> Vec<Item> {
    run(&tree.host(), wanted, profile).unwrap()
}

/// One item of a host.
fn item(tree: &Tree, wanted: &Wanted, id: &str) -> Item {
    let profile = Profile::Kubernetes;
    items(tree, wanted, profile).into_iter().find(|item| item.id == id).unwrap_or_else(|| panic!("no item {id}"))
}

/// Verdict, and whether found and remedy contain these.
#[track_caller]
fn is(item: &Item, verdict: Verdict, found: &str, remedy: &str) {
    let mend = item.remedy.as_deref().unwrap_or_default();
    assert!(item.verdict == verdict && item.found.contains(found) && mend.contains(remedy), "{item:?}");
}

#[test]
fn a_tuned_node_passes() {
    let tree = tuned();
    let bad: Vec<_> = items(&tree, &Wanted::default(), Profile::Node)
        .into_iter()
        .filter(|item| item.verdict > Verdict::Unknown && !["clock-state", "tick"].contains(&item.id))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn each_flaw_is_found_and_mended() {
    use Verdict::{Fail, Warn};
    let flaws: &[(&str, &str, &str, Verdict, &str, &str)] = &[
        ("/proc/sys/kernel/osrelease", "5.4.0", "kernel", Fail, "5.4.0", "apt-get"),
        ("/sys/kernel/realtime", "0\n", "preempt-rt", Verdict::Ok, "PREEMPT_RT", ""),
        ("/sys/devices/system/cpu/nohz_full", "2\n", "nohz-full", Warn, "2", "nohz_full=2-3"),
        (
            "/proc/irq/24/effective_affinity_list",
            "3\n",
            "irq-placement",
            Warn,
            "1 on CPUs 2-3: 24",
            "echo 0-1 > /proc/irq/$i",
        ),
        ("/proc/irq/default_smp_affinity", "f\n", "irq-default", Warn, "with the quiet CPUs 2-3", "echo 00000003"),
        ("/run/irqbalance/irqbalance7.sock", "", "irqbalance", Warn, "runs", "IRQBALANCE_BANNED_CPULIST=2-3"),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "[always] never\n", "thp", Warn, "always", "echo madvise"),
        ("/proc/swaps", "Filename\n/dev/sda2 partition\n", "swap", Warn, "/dev/sda2", "swapoff -a"),
        ("/sys/kernel/mm/ksm/run", "1\n", "page-migration", Warn, "KSM", "echo 2 >"),
        ("/proc/sys/kernel/sched_rt_runtime_us", "0\n", "rt-throttling", Fail, "0 of", "sched_rt_runtime_us=950000"),
        (
            "/sys/kernel/debug/sched/fair_server/cpu2/runtime",
            "50000000\n",
            "fair-server",
            Warn,
            "50 of 1000 ms",
            "for c in 2 3",
        ),
        (
            "/boot/config-6.12.0-rt",
            "CONFIG_RT_GROUP_SCHED=y\n",
            "rt-group-sched",
            Fail,
            "cgroup v2",
            "without CONFIG_RT_GROUP_SCHED",
        ),
        ("/proc/sys/kernel/timer_migration", "1\n", "timer-migration", Warn, "on", "timer_migration=0"),
        ("/proc/sys/kernel/nmi_watchdog", "1\n", "watchdog", Warn, "NMI", "nmi_watchdog=0"),
        ("/sys/devices/virtual/workqueue/cpumask", "f\n", "workqueues", Warn, "0-3", "echo 00000003"),
        (
            "/sys/fs/cgroup/cgroup.controllers",
            "cpu memory pids\n",
            "cgroup-controllers",
            Fail,
            "without cpuset",
            "boot",
        ),
        ("/proc/self/status", "CapEff:\t0\n", "capabilities", Fail, "no CAP_SYS_NICE", "as root"),
        (
            "/sys/devices/system/clocksource/clocksource0/current_clocksource",
            "hpet\n",
            "clocksource",
            Warn,
            "hpet",
            "unstable",
        ),
    ];
    for (path, text, id, verdict, found, remedy) in flaws {
        is(&item(&tuned().file(path, text), &Wanted::default(), id), *verdict, found, remedy);
    }
}

#[test]
fn siblings_governors_and_idle_states_of_the_quiet_cpus() {
    let tree = tuned().files(&format!(
        "{CPU}/smt/active = 1
         {CPU}/cpu2/topology/thread_siblings_list = 0,2
         {CPU}/cpu3/topology/thread_siblings_list = 3
         {CPU}/cpu3/cpufreq/scaling_governor = powersave
         {CPU}/cpu3/cpufreq/scaling_available_governors = performance powersave
         {CPU}/cpu2/cpuidle/state0/latency = 133
         {CPU}/cpu2/cpuidle/state0/name = C6"
    ));
    let none = Wanted::default();
    is(&item(&tree, &none, "smt"), Verdict::Warn, "0 beside 2", "smt/control");
    is(&item(&tree, &none, "governor"), Verdict::Warn, "powersave on CPU 3", "for c in 3; do echo performance");
    is(&item(&tree, &none, "c-states"), Verdict::Warn, "C6, 133 µs", "for c in 2 3; do echo 10");
    let asked = wanted(&[("cpus", "3"), ("sched.policy", "FIFO"), ("cpu.governor", "performance")]);
    is(&item(&tree, &asked, "governor"), Verdict::Ok, "rtrun sets performance", "");
    is(&item(&tree, &asked, "smt"), Verdict::Ok, "CPU 3", "");
}

#[test]
fn what_a_container_asks_for_decides() {
    let tree = tuned();
    let asked = wanted(&[("cpus", "2-7"), ("sched.policy", "FIFO")]);
    is(&item(&tree, &asked, "cpus"), Verdict::Fail, "no CPUs 4-7 here", "ask for CPUs among 0-3");
    let asked = wanted(&[("cpus", "2-3"), ("sched.policy", "FIFO")]);
    is(&item(&tree, &asked, "numa"), Verdict::Warn, "nodes [0, 1]", "one node");
    let asked = wanted(&[("cpus", "1-2"), ("sched.policy", "FIFO")]);
    is(&item(&tree, &asked, "isolcpus"), Verdict::Warn, "not isolated: CPU 1", "org.rtrun.cpus.partition=isolated");
    let asked = wanted(&[("cpus", "1-2"), ("sched.policy", "FIFO"), ("cpus.partition", "isolated")]);
    is(&item(&tree, &asked, "isolcpus"), Verdict::Ok, "while the container lives", "");
    let asked = wanted(&[("devices", "bc635:0")]);
    is(&item(&tree, &asked, "devices"), Verdict::Fail, "no bc635 card", "rtrun devices");
    let ordinary = wanted(&[("clock.require", "locked")]);
    let ids: Vec<_> = items(&tree, &ordinary, Profile::Node).iter().map(|item| item.id).collect();
    assert!(!ids.contains(&"nohz-full") && !ids.contains(&"devices"), "{ids:?}");
}

#[test]
fn a_plain_machine_is_told_how_its_boot_is_changed() {
    let tree = Tree::new().files(&format!(
        "/proc/sys/kernel/osrelease = 6.1.0-20-amd64
         /proc/sys/kernel/version = #1 SMP PREEMPT_DYNAMIC Debian
         {CPU}/online = 0-3
         {CPU}/cpu0/topology/thread_siblings_list = 0-1
         /etc/default/grub = x
         /sys/fs/cgroup/cpu,cpuacct/tasks = 1
         /proc/self/cgroup = 3:cpu,cpuacct:/"
    ));
    let none = Wanted::default();
    is(&item(&tree, &none, "preempt-rt"), Verdict::Fail, "PREEMPT_DYNAMIC", "linux-image-rt");
    is(
        &item(&tree, &none, "isolcpus"),
        Verdict::Warn,
        "CPUs 2-3",
        "isolcpus=managed_irq,domain,2-3 |' /etc/default/grub",
    );
    is(&item(&tree, &none, "rt-throttling"), Verdict::Unknown, "no kernel.sched_rt_runtime_us", "");
    is(&item(&tree, &none, "cgroup-controllers"), Verdict::Fail, "cgroup v1 without cpuset, memory", "");
}

#[test]
fn a_cluster_node_has_more_to_be_told() {
    let tree =
        tuned().file("/var/lib/kubelet/config.yaml", "cpuManagerPolicy: none\ntopologyManagerPolicy: restricted\n");
    let none = Wanted::default();
    is(&item(&tree, &none, "kubelet-cpu-manager"), Verdict::Fail, "none", "cpuManagerPolicy: static");
    is(&item(&tree, &none, "kubelet-topology"), Verdict::Ok, "restricted", "");
    is(&item(&tree, &none, "kubelet-reserved"), Verdict::Warn, "none", "reservedSystemCPUs: \"0-1\"");
    is(&item(&tree, &none, "runtime-handler"), Verdict::Unknown, "neither", "");
    let table = "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.rtrun]\nruntime_type = \"x\"\n";
    let tree = tree.file("/etc/containerd/config.toml", table);
    is(&item(&tree, &none, "runtime-handler"), Verdict::Ok, "rtrun", "");
    is(&item(&tree, &none, "annotations-passed"), Verdict::Fail, "passes none", "pod_annotations = [\"org.rtrun.*\"]");
    let passing = tree.file("/etc/containerd/config.toml", format!("{table}pod_annotations = [\"org.rtrun.*\"]\n"));
    is(&item(&passing, &none, "annotations-passed"), Verdict::Ok, "passes", "");
    let ids: Vec<_> = items(&passing, &none, Profile::Node).iter().map(|item| item.id).collect();
    assert!(!ids.contains(&"kubelet-cpu-manager"));
}

/// Whatever this machine is, each item has an answer.
#[test]
fn this_machine_is_checked_whole() {
    let items = run(&Host::default(), &Wanted::default(), Profile::Kubernetes).unwrap();
    assert!(items.len() >= 25, "{}", items.len());
    assert!(items.iter().all(|item| !item.found.is_empty() && !item.why.is_empty()));
    assert!(items.iter().all(|item| item.verdict < Verdict::Warn || item.remedy.is_some()), "a flaw without remedy");
}
