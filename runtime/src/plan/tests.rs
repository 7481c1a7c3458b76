use super::*;
use crate::host::fake::Tree;
use crate::spec;
use serde_json::{Value, json};

/// Four CPUs, two cores of two threads, two nodes; 2 and 3 tickless.
const HOST: &str = "/sys/devices/system/cpu/online = 0-3
    /sys/devices/system/cpu/possible = 0-3
    /sys/devices/system/cpu/nohz_full = 2-3
    /sys/devices/system/cpu/smt/active = 1
    /sys/devices/system/cpu/cpu0/topology/thread_siblings_list = 0-1
    /sys/devices/system/cpu/cpu1/topology/thread_siblings_list = 0-1
    /sys/devices/system/node/online = 0-1
    /sys/devices/system/node/node0/cpulist = 0-1
    /sys/devices/system/node/node1/cpulist = 2-3
    /proc/sys/kernel/sched_rt_runtime_us = 950000
    /proc/sys/kernel/sched_rt_period_us = 1000000";

fn plan(resources: Value, annotations: &[(&str, &str)], more: &str) -> Result<(Plan, Spec), Error> {
    planned(resources, annotations, more, &["cpuset", "memory"])
}

/// On v1 hierarchies of these controllers, or on v2 for none.
fn planned(
    resources: Value,
    annotations: &[(&str, &str)],
    more: &str,
    controllers: &[&str],
) -> Result<(Plan, Spec), Error> {
    let annotations: serde_json::Map<String, Value> =
        annotations.iter().map(|(key, value)| (format!("org.rtrun.{key}"), json!(value))).collect();
    let config = json!({
        "ociVersion": "1.3.0", "process": {"cwd": "/", "args": ["true"]}, "annotations": annotations,
        "linux": {"resources": resources}
    });
    let mut spec = spec::parse(config.to_string().as_bytes(), "test").unwrap();
    let tree = Tree::new().files(HOST).files(more);
    let host = tree.host();
    let mountpoints: Vec<(&str, PathBuf)> = match controllers {
        [] => vec![("", host.path("/sys/fs/cgroup"))],
        names => names.iter().map(|name| (*name, host.path(format!("/sys/fs/cgroup/{name}")))).collect(),
    };
    let hierarchies: Vec<(&str, &Path)> = mountpoints.iter().map(|(name, path)| (*name, path.as_path())).collect();
    let cgroup = Cgroup::fake(&hierarchies);
    Plan::for_container(&mut spec, &cgroup, &tree.host()).map(|plan| (plan.unwrap(), spec))
}

fn problem(annotations: &[(&str, &str)], more: &str) -> String {
    plan(json!({}), annotations, more).unwrap_err().to_string()
}

/// What a step is, and its target and value.
fn shown(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{}: {} = {}", step.what, step.target, step.value)).collect()
}

#[test]
fn a_policy_is_the_last_step() {
    let (plan, _) = plan(json!({}), &[("sched.policy", "FIFO"), ("sched.priority", "7")], "").unwrap();
    assert_eq!(shown(&plan), ["scheduler: policy = SCHED_FIFO priority 7"]);
    assert_eq!(plan.steps[0].asked, "org.rtrun.sched.policy");
    assert!(plan.claims.is_empty() && !plan.realtime().booked);
}

#[test]
fn locked_memory_is_a_limit_without_swap() {
    let lock = &[("memory.lock", "1Mi")];
    let (plan, spec) =
        plan(json!({"memory": {"limit": 4_194_304, "swap": 8_388_608}}), lock, "").unwrap_or_else(|error| {
            // Disabled cgroups refuse every limit: that is the launch's own answer.
            panic!("{error}")
        });
    assert_eq!(shown(&plan).last().unwrap(), "limit: RLIMIT_MEMLOCK = 1048576");
    assert_eq!(spec.process.unwrap().rlimits[0].soft, 1 << 20);
    assert_eq!(spec.linux.resources.unwrap().memory.unwrap().swap, Some(4_194_304));
}

#[test]
fn what_a_neighbour_shares_is_told() {
    let asked = &[("sched.policy", "FIFO"), ("cpus", "0"), ("cpus.exclusive", "true")];
    let (plan, _) = plan(json!({}), asked, "").unwrap();
    assert_eq!(plan.warnings.len(), 2, "{:?}", plan.warnings);
    assert!(plan.warnings[0].starts_with("CPU 1 is the other thread of CPU 0's core"), "{:?}", plan.warnings);
    assert!(plan.warnings[1].starts_with("CPUs 0 belong to NUMA node 0"), "{:?}", plan.warnings);
    assert_eq!(plan.notes, ["CPUs 0 at boot: isolcpus none of them, nohz_full none of them, rcu_nocbs none of them"]);
    assert!(shown(&plan).contains(&"lease: CPUs 0 = exclusively".to_owned()));
}

#[test]
fn deadline_s_conditions_are_named() {
    let deadline = |more: &[(&'static str, &'static str)]| {
        let mut all = vec![("sched.policy", "DEADLINE"), ("sched.runtime", "1ms"), ("sched.period", "10ms")];
        all.extend_from_slice(more);
        all
    };
    let text = problem(&deadline(&[("cpus", "0")]), "");
    assert!(text.contains("CPUs 0 are not the whole root domain, which is CPUs 0-3"), "{text}");
    assert!(text.contains("org.rtrun.cpus.partition=root"), "{text}");
    let text = problem(&deadline(&[("cpus", "0"), ("cpus.partition", "isolated")]), "");
    assert!(text.contains("isolated CPUs are in no root domain"), "{text}");
    let greedy = [("sched.policy", "DEADLINE"), ("sched.runtime", "10ms"), ("sched.period", "10ms")];
    let text = problem(&greedy, "/proc/sys/kernel/sched_rt_runtime_us = 200000");
    assert!(text.contains("runtime/period is 100.0 % of a CPU, and admission control leaves 80.0 %"), "{text}");
    let (fits, _) = plan(json!({}), &deadline(&[]), "").unwrap();
    let policy = "scheduler: policy = SCHED_DEADLINE runtime 1000000 deadline 10000000 period 10000000 ns";
    assert_eq!(shown(&fits), [policy]);
}

#[test]
fn partitions_are_files_in_order_or_named_refusals() {
    let asked = &[("cpus", "0"), ("cpus.partition", "isolated")];
    let text = planned(json!({}), asked, "", &["memory"]).unwrap_err().to_string();
    assert!(text.starts_with("org.rtrun.cpus.partition=isolated: there is no cpuset controller"), "{text}");
    let text = problem(asked, "/sys/fs/cgroup/cpuset/cpuset.sched_load_balance = 1");
    assert!(text.contains("cpuset.sched_load_balance is 1: all CPUs are one scheduling domain"), "{text}");
    let (plan, spec) = planned(json!({}), asked, "", &[]).unwrap();
    let kinds: Vec<String> = plan.steps.iter().map(|step| format!("{} {}", step.what, step.value)).collect();
    let wanted = ["cgroup 0", "lease shared", "partition 0", "partition 0", "partition isolated", "scheduler 0"];
    assert_eq!(kinds, wanted);
    assert_eq!(spec.linux.resources.unwrap().cpu.unwrap().cpus.as_deref(), Some("0"));
    assert_eq!(plan.realtime().partition, Partition::Isolated);
}

#[test]
fn a_budget_is_named_or_half_of_what_is_left() {
    let files = "/sys/fs/cgroup/cpu/cpu.rt_runtime_us = 950000
        /sys/fs/cgroup/cpu/cpu.rt_period_us = 1000000
        /sys/fs/cgroup/cpu/other/cpu.rt_runtime_us = 150000
        /sys/fs/cgroup/cpu/other/cpu.rt_period_us = 1000000";
    let budget = |resources: Value, annotations: &[(&str, &str)], files: &str| {
        let (plan, spec) = planned(resources, annotations, files, &["cpu", "cpuset"])?;
        let Claim::RtRuntime { runtime_us, .. } = plan.claims[0] else { unreachable!("{:?}", plan.claims) };
        Ok::<_, Error>((runtime_us, spec.linux.resources.unwrap_or_default().cpu.unwrap_or_default()))
    };
    let fifo = &[("sched.policy", "FIFO")];
    assert_eq!(budget(json!({}), fifo, files).unwrap().0, 400_000);
    let named = &[("sched.policy", "RR"), ("sched.runtime", "10ms"), ("sched.period", "100ms")];
    let (runtime, cpu) = budget(json!({}), named, files).unwrap();
    assert_eq!((runtime, cpu.realtime_period), (10_000, Some(100_000)));
    let (runtime, cpu) = budget(json!({"cpu": {"realtimeRuntime": 5000}}), fifo, files).unwrap();
    assert_eq!((runtime, cpu.realtime_runtime), (5000, None));
    let error = budget(json!({}), fifo, &files.replace("150000", "950000")).unwrap_err().to_string();
    assert!(error.contains("RT_GROUP_SCHED: other cgroups have all of the real-time budget"), "{error}");
}

#[test]
fn a_governor_must_be_one_of_the_cpu_s() {
    let asked = &[("cpus", "0"), ("cpu.governor", "performance")];
    let text = problem(asked, "");
    assert!(text.starts_with("org.rtrun.cpu.governor=performance: CPU 0 has no frequency scaling"), "{text}");
    let files = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor = powersave
        /sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors = powersave schedutil";
    let text = problem(asked, files);
    assert!(text.contains("CPU 0 has the governors powersave, schedutil"), "{text}");
    let files = files.replace("schedutil", "performance");
    assert_eq!(plan(json!({}), asked, &files).unwrap().0.claims.len(), 2);
}

#[test]
fn a_missing_cpu_is_named() {
    assert!(problem(&[("cpus", "8190")], "").contains("no CPU 8190 here"));
}

#[test]
fn v2_with_group_scheduling_has_no_budget_to_give() {
    let files = "/proc/sys/kernel/osrelease = 6.12.0
        /boot/config-6.12.0 = CONFIG_RT_GROUP_SCHED=y
        /sys/fs/cgroup/cgroup.controllers = cpu";
    let error = planned(json!({}), &[("sched.policy", "RR")], files, &[]).unwrap_err().to_string();
    assert!(error.contains("this kernel has RT_GROUP_SCHED, and cgroup v2 has no budget to give"), "{error}");
}
