//! The org.rtrun annotations that concern the whole node: leases, budgets, interrupts, idle states, partitions, the clock.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::realtime::{ask, budget, inspect};
use crate::harness::call::{Output, eventually};
use crate::harness::case::{OrFail, mentions, must, same, skip};
use crate::harness::kernel::sched_attr;
use crate::harness::{Case, Container, Need, Verdict, case, cgroup, host};

const LAB: &str = "for the lab: pure cgroup v2 with remote partitions";

/// See the file's head.
pub const CASES: &[Case] = &[
    case("exclusive-cpus-are-nobody-else-s", |c| {
        lease(c)?;
        c.up()?;
        let refused = second(c)?.refused()?;
        mentions("message", &refused.stderr, &["CPUs 0 is held exclusively", "CPUs 0 are held exclusively"])?;
        mentions("message", &refused.stderr, &[&c.id])?;
        must(!c.root().join(format!("{}-b", c.id)).exists(), "nothing is left of the second")?;
        c.finish()?;
        second(c)?.succeeded().map(drop)
    }),
    case("lease-ends-with-its-container", |c| {
        lease(c)?;
        let pid = c.up()?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).or_fail("kill")?;
        c.wait_for("stopped")?;
        second(c)?.succeeded().map(drop)
    }),
    case("refusal-leaves-the-lease-free", |c| {
        lease(c)?;
        c.set("/process/args", json!(["/no/such/program"]));
        c.create_refused()?;
        second(c)?.succeeded().map(drop)
    }),
    case("devices-are-given-and-leased", |c| {
        Need::File("/dev/kmsg").check()?;
        ask(c, &[("devices", "/dev/kmsg+ro")])?;
        c.up()?;
        same("node", c.exec_sh("test -c /dev/kmsg && echo there")?.as_str(), "there")?;
        mentions("message", &second(c)?.refused()?.stderr, &["held exclusively by container"])
    }),
    case("budget-is-given-to-the-chain-and-back", |c| {
        needs_budget()?;
        let parent = cgroup_parent(c, "cpu")?;
        c.set("/linux/cgroupsPath", json!(format!("/{0}-parent/{0}", c.id)));
        ask(c, &[("sched.policy", "FIFO"), ("sched.runtime", "3ms"), ("sched.period", "100ms")])?;
        let pid = c.up()?;
        same("policy", sched_attr(pid)?.policy, 1)?;
        let runtime = |dir: &Path| host::read(dir.join("cpu.rt_runtime_us"));
        same("budget", c.cgroup_file("cpu", "cpu.rt_runtime_us", "")?.as_str(), "3000")?;
        same("period", c.cgroup_file("cpu", "cpu.rt_period_us", "")?.as_str(), "100000")?;
        same("the parent's, of its own period", runtime(&parent).as_str(), "30000")?;
        c.finish()?;
        let left = runtime(&parent);
        remove_parents(c);
        same("the parent's afterwards", left.as_str(), "0")
    }),
    case("budget-has-a-default", |c| {
        needs_budget()?;
        ask(c, &[("sched.policy", "FIFO")])?;
        same("policy", sched_attr(c.up()?)?.policy, 1)?;
        let runtime: i64 = c.cgroup_file("cpu", "cpu.rt_runtime_us", "")?.parse().or_fail("budget")?;
        must(runtime > 0, format_args!("budget is {runtime}"))
    }),
    case("budget-beyond-the-root-s-is-refused-by-name", |c| {
        needs_budget()?;
        let root = cgroup::hierarchies().into_iter().find(|one| one.controllers.iter().any(|name| name == "cpu"));
        let most: i64 = host::read(root.or_fail("cpu")?.mount.join("cpu.rt_runtime_us")).parse().or_fail("budget")?;
        if most < 0 {
            return skip("the root's budget is without limit here");
        }
        let beyond = format!("{}us", most + 1000);
        ask(c, &[("sched.policy", "FIFO"), ("sched.runtime", &beyond), ("sched.period", "1s")])?;
        mentions("message", &c.create_refused()?, &["kernel.sched_rt_runtime_us"])
    }),
    case("idle-states-are-bounded-and-free-again", |c| {
        let file = "/sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us";
        Need::File(file).check()?;
        let before = host::read(file);
        ask(c, &[("cpus", "0"), ("cpu.max-latency", "20us")])?;
        c.up()?;
        same("bound", host::read(file).as_str(), "20")?;
        c.finish()?;
        same("bound afterwards", host::read(file), before)
    }),
    case("governor-that-is-not-there-is-refused", |c| {
        ask(c, &[("cpus", "0"), ("cpu.governor", "nosuch")])?;
        mentions("message", &c.create_refused()?, &["no frequency scaling", "has the governors"])
    }),
    case("interrupts-leave-and-come-back", |c| {
        Need::Cpus(2).check()?;
        let before = masks();
        ask(c, &[("cpus", "1"), ("irq.affinity", "housekeeping")])?;
        c.up()?;
        let report = inspect(c)?;
        let movable: Vec<String> = report["steps"].as_array().or_fail("steps")?.iter().filter_map(moved).collect();
        let during = masks();
        for irq in &movable {
            same(format!("CPUs of IRQ {irq}"), during.get(irq).map(|mask| mask.contains('1')), Some(false))?;
        }
        c.finish()?;
        same("masks afterwards", masks(), before)?;
        if movable.is_empty() { skip("no interrupt here can be moved") } else { Ok(()) }
    }),
    case("interrupts-of-no-such-card-are-refused", |c| {
        ask(c, &[("cpus", "0"), ("irq.devices", "ffff:ff:1f.7")])?;
        mentions("message", &c.create_refused()?, &["ffff:ff:1f.7"])
    }),
    case("clock-that-is-not-locked-is-waited-for-and-refused", |c| {
        needs_a_free_clock()?;
        ask(c, &[("clock.require", "locked"), ("clock.timeout", "1s")])?;
        let message = c.create_refused()?;
        mentions("message", &message, &["the clock was not LOCKED within 1s"])?;
        mentions("message", &message, &["org.rtrun.clock.on-timeout=warn"])
    }),
    case("clock-that-is-not-locked-can-be-a-warning", |c| {
        needs_a_free_clock()?;
        ask(c, &[("clock.require", "locked"), ("clock.timeout", "0s"), ("clock.on-timeout", "warn")])?;
        c.script("exec sleep 1000");
        let output = c.create_with(&[])?.succeeded()?;
        mentions("warning", &output.stderr, &["the clock is not good"])?;
        c.start()?;
        let found = |step: &serde_json::Value| (step["what"] == "clock").then(|| step["outcome"]["found"].clone());
        let report = inspect(c)?;
        let clock = report["steps"].as_array().and_then(|steps| steps.iter().find_map(found)).or_fail("clock")?;
        mentions("report", clock.as_str().unwrap_or_default(), &["FREERUN"])
    }),
    // Beside each other, so each on a CPU of its own.
    case("isolated-partition", |c| {
        nested(c)?;
        let policy = [("sched.policy", "FIFO"), ("cpus.exclusive", "true")];
        budget(c, &[&policy[..], &[("cpus", "3"), ("cpus.partition", "isolated")]].concat())?;
        in_partition(c, "isolated")
    })
    .note(LAB),
    case("root-partition-and-deadline-in-it", |c| {
        nested(c)?;
        let deadline = [("sched.policy", "DEADLINE"), ("sched.runtime", "1ms"), ("sched.period", "100ms")];
        ask(c, &[&deadline[..], &[("cpus", "1"), ("cpus.partition", "root")]].concat())?;
        in_partition(c, "root")
    })
    .note(LAB),
    case("partition-of-a-balanced-v1-host-is-refused-by-name", |c| {
        Need::V1("cpuset").check()?;
        let root = cgroup::hierarchies().into_iter().find(|one| one.controllers.iter().any(|name| name == "cpuset"));
        let file = root.or_fail("cpuset")?.mount.join("cpuset.sched_load_balance");
        if host::read(&file) != "1" {
            return skip(format!("{} is not 1", file.display()));
        }
        ask(c, &[("cpus", "0"), ("cpus.partition", "isolated")])?;
        mentions("message", &c.create_refused()?, &["all CPUs are one scheduling domain"])
    }),
];

/// CPU 0 for one container alone.
fn lease(c: &mut Container) -> Verdict {
    Need::Controller("cpuset").check()?;
    ask(c, &[("cpus", "0"), ("cpus.exclusive", "true")])
}

/// A second container of the same wishes, in a cgroup of its own.
fn second(c: &mut Container) -> Verdict<Output> {
    let id = format!("{}-b", c.id);
    c.set("/linux/cgroupsPath", json!(format!("/{id}")));
    c.script("exec sleep 1000");
    c.write_config()?;
    let bundle = c.bundle.display().to_string();
    c.rt(&["create", "--bundle", &bundle, &id])
}

fn needs_budget() -> Verdict {
    if host::rt_group_sched() { Ok(()) } else { skip("this kernel gives no real-time budget to cgroups") }
}

/// Makes the cgroup that the container's will be in, so that it is there afterwards.
fn cgroup_parent(c: &Container, controller: &str) -> Verdict<PathBuf> {
    let root = cgroup::hierarchies().into_iter().find(|one| one.controllers.iter().any(|name| name == controller));
    let parent = root.or_fail(controller)?.mount.join(format!("{}-parent", c.id));
    fs::create_dir(&parent).or_fail(parent.display())?;
    Ok(parent)
}

fn remove_parents(c: &Container) {
    for hierarchy in cgroup::hierarchies() {
        let _ = fs::remove_dir(hierarchy.mount.join(format!("{}-parent", c.id)));
    }
}

/// Each interrupt's mask, and the default.
fn masks() -> BTreeMap<String, String> {
    let entries = fs::read_dir("/proc/irq").into_iter().flatten().flatten();
    let mask = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path().join("smp_affinity_list")).ok()?;
        Some((entry.file_name().into_string().ok()?, text.trim().to_owned()))
    };
    let default = ("default".to_owned(), host::read("/proc/irq/default_smp_affinity"));
    entries.filter_map(mask).chain([default]).collect()
}

/// The number of an interrupt that the report says was moved.
fn moved(step: &serde_json::Value) -> Option<String> {
    let number = step["target"].as_str()?.strip_prefix("IRQ ")?.to_owned();
    let stays = step["outcome"]["note"].as_str().is_some_and(|note| note.contains("nobody"));
    (step["value"] == "CPUs 0" && !stays).then_some(number)
}

/// A clock that nobody disciplines: a virtual machine without chronyd.
fn needs_a_free_clock() -> Verdict {
    // SAFETY: timex is plain data, for which zero is valid; with modes 0 the call only reads.
    let state = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut timex)
    };
    if state == libc::TIME_ERROR { Ok(()) } else { skip("this machine's clock is synchronised") }
}

/// A host with remote partitions and four CPUs, and a cgroup that will be between the root's and the container's.
fn nested(c: &mut Container) -> Verdict {
    Need::V2.check()?;
    Need::File("/sys/devices/system/cpu/cpu3").check()?;
    c.set("/linux/cgroupsPath", json!(format!("/{0}-parent/{0}", c.id)));
    Ok(())
}

/// The partition is there while the container lives, and the parent has its CPUs again afterwards.
fn in_partition(c: &mut Container, kind: &'static str) -> Verdict {
    let wanted = sched_attr(c.up_script("exec sleep 1000")?)?.policy;
    must(wanted == 1 || wanted == 6, format_args!("policy {wanted} is a real-time one"))?;
    same("partition", c.cgroup_file("cpuset", "", "cpuset.cpus.partition")?.as_str(), kind)?;
    same("holds", inspect(c)?["holds"].as_bool(), Some(true))?;
    let parent = c.cgroup("cpuset")?.parent().map(Path::to_path_buf).or_fail("parent")?;
    c.finish()?;
    let given_back = || host::read(parent.join("cpuset.cpus.exclusive")).is_empty().then_some(());
    let result = eventually("the parent's CPUs given back", given_back);
    remove_parents(c);
    result
}
