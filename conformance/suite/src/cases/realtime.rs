//! The org.rtrun annotations that a container can be asked about by itself: policy, CPUs, memory, verification, report.

use serde_json::{Value, json};

use crate::harness::case::{OrFail, mentions, must, same, skip};
use crate::harness::kernel::{sched_attr, status_field};
use crate::harness::{Case, Container, Need, Verdict, case, cgroup, host};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("fifo-has-the-threaded-interrupts-priority", |c| {
        budget(c, &[("sched.policy", "FIFO")])?;
        let attr = sched_attr(c.up()?)?;
        same("policy and priority", (attr.policy, attr.priority), (1, 50))
    }),
    case("rr-with-a-priority", |c| {
        budget(c, &[("sched.policy", "SCHED_RR"), ("sched.priority", "7")])?;
        let attr = sched_attr(c.up()?)?;
        same("policy and priority", (attr.policy, attr.priority), (2, 7))
    }),
    case("batch-idle-and-nice", |c| {
        for (pairs, policy, nice) in [
            (&[("sched.policy", "BATCH"), ("sched.nice", "4")][..], 3, 4),
            (&[("sched.policy", "IDLE")], 5, 0),
            (&[("sched.nice", "9")], 0, 9),
        ] {
            ask(c, pairs)?;
            let attr = sched_attr(c.up()?)?;
            same(format!("policy and nice of {pairs:?}"), (attr.policy, attr.nice), (policy, nice))?;
            c.finish()?;
        }
        Ok(())
    }),
    case("reset-on-fork", |c| {
        budget(c, &[("sched.policy", "FIFO"), ("sched.reset-on-fork", "true")])?;
        same("flag", sched_attr(c.up()?)?.flags & 1, 1)
    }),
    case("priorities-of-the-kernel-need-force", |c| {
        ask(c, &[("sched.policy", "FIFO"), ("sched.priority", "95")])?;
        mentions("message", &c.create_refused()?, &["org.rtrun.sched.priority.force=true"])?;
        budget(c, &[("sched.policy", "FIFO"), ("sched.priority", "95"), ("sched.priority.force", "true")])?;
        same("priority", sched_attr(c.up()?)?.priority, 95)
    }),
    case("deadline-on-the-whole-root-domain", |c| {
        ask(c, &[("sched.policy", "DEADLINE"), ("sched.runtime", "1ms"), ("sched.period", "100ms")])?;
        let attr = sched_attr(c.up_script("exec sleep 1000")?)?;
        same("bandwidth", (attr.policy, attr.runtime, attr.period), (6, 1_000_000, 100_000_000))
    }),
    case("deadline-on-a-plain-subset-is-refused-by-name", |c| {
        Need::Cpus(2).check()?;
        ask(c, &[("sched.policy", "DEADLINE"), ("sched.runtime", "1ms"), ("sched.period", "100ms"), ("cpus", "0")])?;
        let message = c.create_refused()?;
        mentions("message", &message, &["are not the whole root domain"])?;
        mentions("message", &message, &["org.rtrun.cpus.partition=root"])
    }),
    case("deadline-beyond-admission-is-refused-by-name", |c| {
        if host::read("/proc/sys/kernel/sched_rt_runtime_us").starts_with('-') {
            return skip("admission control is off here");
        }
        let deadline = [("sched.policy", "DEADLINE"), ("sched.runtime", "100ms"), ("sched.period", "100ms")];
        ask(c, &[&deadline[..], &[("cpus", "0"), ("cpus.partition", "root")]].concat())?;
        mentions("message", &c.create_refused()?, &["admission control leaves"])
    }),
    case("policy-is-not-there-before-start", |c| {
        budget(c, &[("sched.policy", "FIFO")])?;
        c.script("exec sleep 1000");
        let pid = c.create()?;
        same("policy when created", sched_attr(pid)?.policy, 0)?;
        c.start()?;
        same("policy when started", sched_attr(pid)?.policy, 1)
    }),
    case("exec-has-the-policy-only-if-asked", |c| {
        budget(c, &[("sched.policy", "FIFO"), ("sched.priority", "7")])?;
        c.up()?;
        let policy = "set -- $(cat /proc/self/stat); shift 40; echo $1";
        let plain = c.exec_with(&[], &["sh", "-c", policy])?.succeeded()?;
        same("policy of exec", plain.stdout.trim(), "0")?;
        let asked = c.exec_with(&["--sched"], &["sh", "-c", policy])?.succeeded()?;
        same("policy of exec --sched", asked.stdout.trim(), "1")
    }),
    case("cpus-in-the-cpuset-and-in-force", |c| {
        Need::Controller("cpuset").check()?;
        Need::Cpus(2).check()?;
        ask(c, &[("cpus", "1")])?;
        let pid = c.up()?;
        same("Cpus_allowed_list", status_field(pid, "Cpus_allowed_list")?.as_str(), "1")?;
        same("cpuset.cpus", c.cgroup_file("cpuset", "cpuset.cpus", "cpuset.cpus")?.as_str(), "1")
    }),
    case("missing-cpu-is-refused", |c| {
        ask(c, &[("cpus", "4000")])?;
        mentions("message", &c.create_refused()?, &["no CPU 4000 here; online are"])
    }),
    case("quota-is-lifted", |c| {
        Need::Controller("cpu").check()?;
        ask(c, &[("cpu.quota", "disable")])?;
        c.set("/linux/resources/cpu", json!({"quota": 20_000, "period": 50_000}));
        c.up()?;
        let text = c.cgroup_file("cpu", "cpu.cfs_quota_us", "cpu.max")?;
        must(text == "-1" || text.starts_with("max"), format_args!("quota is {text}"))
    }),
    case("locked-memory-and-no-swap", |c| {
        Need::Controller("memory").check()?;
        ask(c, &[("memory.lock", "64Ki")])?;
        let pid = c.up()?;
        let limits = host::read_whole(format!("/proc/{pid}/limits"))?;
        let line = limits.lines().find(|line| line.starts_with("Max locked memory")).or_fail("locked memory")?;
        mentions("RLIMIT_MEMLOCK", &line.split_whitespace().collect::<Vec<_>>().join(" "), &["65536 65536 bytes"])?;
        same("swap", c.cgroup_file("memory", "memory.swappiness", "memory.swap.max")?.as_str(), "0")
    }),
    case("prefault-is-harmless", |c| {
        ask(c, &[("memory.prefault", "true")])?;
        c.sh_is("echo ran", "ran")
    }),
    case("fields-complete-annotations", |c| {
        Need::Cpus(2).check()?;
        budget(c, &[("sched.priority", "12"), ("cpus", "1")])?;
        c.set("/process/scheduler", json!({"policy": "SCHED_FIFO", "priority": 12}));
        c.set("/linux/resources/cpu", json!({"cpus": "1"}));
        same("priority", sched_attr(c.up()?)?.priority, 12)
    }),
    case("contradiction-shows-both", |c| {
        ask(c, &[("sched.policy", "RR")])?;
        c.set("/process/scheduler", json!({"policy": "SCHED_FIFO", "priority": 12}));
        let message = c.create_refused()?;
        mentions("message", &message, &["process.scheduler.policy=SCHED_FIFO contradicts org.rtrun.sched.policy=RR"])
    }),
    case("misspelt-key-is-refused-with-the-nearest", |c| {
        ask(c, &[("sched.polcy", "FIFO")])?;
        mentions("message", &c.create_refused()?, &["did you mean \\\"org.rtrun.sched.policy\\\""])
    }),
    case("illegal-value-is-refused-with-the-legal", |c| {
        ask(c, &[("sched.policy", "DEADLINE"), ("sched.runtime", "500")])?;
        let message = c.create_refused()?;
        mentions("message", &message, &["org.rtrun.sched.runtime: \\\"500\\\": has no unit; write 500us"])
    }),
    case("cri-o-s-annotations-are-read", |c| {
        Need::Controller("cpu").check()?;
        ask(c, &[])?;
        c.set("/annotations", json!({"cpu-quota.crio.io": "disable"}));
        c.set("/linux/resources/cpu", json!({"quota": 20_000, "period": 50_000}));
        c.up()?;
        let text = c.cgroup_file("cpu", "cpu.cfs_quota_us", "cpu.max")?;
        must(text == "-1" || text.starts_with("max"), format_args!("quota is {text}"))
    }),
    case("a-pod-s-sandbox-is-left-alone", |c| {
        ask(c, &[("sched.policy", "FIFO"), ("cpus.exclusive", "true"), ("cpus", "0")])?;
        c.set("/annotations/io.kubernetes.cri.container-type", json!("sandbox"));
        same("policy", sched_attr(c.up()?)?.policy, 0)
    }),
    case("strict-ends-what-is-not-as-asked", |c| {
        tampered(c, "strict")?;
        let output = c.rt(&["start", &c.id])?.refused()?;
        mentions("message", &output.stderr, &["affinity: asked for 0-1 (org.rtrun.cpus), the kernel has 0"])?;
        c.wait_for("stopped")?;
        c.delete()?;
        c.nothing_left()
    }),
    case("warn-starts-it-and-says-so", |c| {
        tampered(c, "warn")?;
        let output = c.rt(&["start", &c.id])?.succeeded()?;
        mentions("warning", &output.stderr, &["affinity: asked for 0-1 (org.rtrun.cpus), the kernel has 0"])?;
        same("holds", inspect(c)?["holds"].as_bool(), Some(false))
    }),
    case("off-reads-nothing-back", |c| {
        tampered(c, "off")?;
        let output = c.rt(&["start", &c.id])?.succeeded()?;
        same("output", output.stderr.as_str(), "")?;
        must(inspect(c)?["holds"].is_null(), "nothing is read back")
    }),
    case("inspect-shows-asked-and-found", |c| {
        Need::Cpus(2).check()?;
        budget(c, &[("sched.policy", "FIFO"), ("cpus", "1")])?;
        c.up()?;
        let report = inspect(c)?;
        same("holds", report["holds"].as_bool(), Some(true))?;
        let steps = report["steps"].as_array().or_fail("steps")?;
        let policy = steps.iter().find(|step| step["target"] == "policy").or_fail("policy")?;
        same("asked by", policy["asked"].as_str(), Some("org.rtrun.sched.policy"))?;
        same("found", policy["outcome"]["found"].as_str(), Some("SCHED_FIFO priority 50"))?;
        must(report["phases"].as_array().is_some_and(|phases| !phases.is_empty()), "time of the start, by phase")?;
        mentions("table", &c.rt(&["inspect", &c.id])?.succeeded()?.stdout, &["READ BACK"])
    }),
    case("inspect-of-a-plain-container", |c| {
        needs_annotations(c)?;
        c.up()?;
        mentions("text", &c.rt(&["inspect", &c.id])?.succeeded()?.stdout, &["asked for nothing beyond its limits"])
    }),
    case("plan-changes-nothing", |c| {
        Need::Controller("cpuset").check()?;
        budget(c, &[("sched.policy", "FIFO"), ("cpus", "0"), ("cpus.exclusive", "true")])?;
        c.write_config()?;
        let bundle = c.bundle.display().to_string();
        let output = c.rt(&["plan", "--format", "json", "--id", &c.id, &bundle])?.succeeded()?;
        let plan: Value = serde_json::from_str(&output.stdout).or_fail("plan")?;
        let kinds: Vec<&str> =
            plan["steps"].as_array().or_fail("steps")?.iter().filter_map(|s| s["what"].as_str()).collect();
        must(kinds.first() == Some(&"cgroup") && kinds.last() == Some(&"scheduler"), format_args!("steps {kinds:?}"))?;
        must(kinds.contains(&"lease"), format_args!("steps {kinds:?}"))?;
        c.nothing_left()
    }),
    case("annotations-are-listed", |c| {
        needs_annotations(c)?;
        let output = c.rt(&["annotations", "--format", "json"])?.succeeded()?;
        let all: Value = serde_json::from_str(&output.stdout).or_fail("annotations")?;
        let keys = all["annotations"].as_array().or_fail("annotations")?;
        must(keys.len() > 20 && keys.iter().all(|key| key["meaning"].is_string()), format_args!("{} keys", keys.len()))
    }),
];

/// Sets annotations of ours.
pub(super) fn ask(c: &mut Container, pairs: &[(&str, &str)]) -> Verdict {
    needs_annotations(c)?;
    let full = |(key, value): &(&str, &str)| (format!("org.rtrun.{key}"), json!(value));
    c.set("/annotations", Value::Object(pairs.iter().map(full).collect()));
    Ok(())
}

/// The same with a small budget for kernels with RT_GROUP_SCHED, as cases run beside each other.
pub(super) fn budget(c: &mut Container, pairs: &[(&str, &str)]) -> Verdict {
    let small = [("sched.runtime", "5ms"), ("sched.period", "1s")];
    let more = if host::rt_group_sched() { &small[..] } else { &[] };
    ask(c, &[pairs, more].concat())
}

/// Annotations of ours are one runtime's own.
pub(super) fn needs_annotations(c: &Container) -> Verdict {
    if c.rt(&["annotations"])?.code == 0 { Ok(()) } else { skip("this runtime has no org.rtrun annotations") }
}

/// What `inspect` says.
pub(super) fn inspect(c: &Container) -> Verdict<Value> {
    let output = c.rt(&["inspect", "--format", "json", &c.id])?.succeeded()?;
    serde_json::from_str(&output.stdout).or_fail("inspect")
}

/// A created container that asks for two CPUs, from whose cpuset one is taken behind the runtime's back.
fn tampered(c: &mut Container, verify: &str) -> Verdict {
    Need::Controller("cpuset").check()?;
    Need::Cpus(2).check()?;
    ask(c, &[("cpus", "0-1"), ("verify", verify)])?;
    c.script("exec sleep 1000");
    let pid = c.create()?;
    let file = cgroup::of_process(pid, "cpuset").or_fail("cpuset")?.join("cpuset.cpus");
    std::fs::write(&file, "0").or_fail(file.display())
}
