//! The cgroup code on this machine's hierarchies. Needs root; every test names its own cgroups and removes them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use rtrun::cgroup::{Cgroup, Entry, Error, Manager};
use rtrun::spec::{Resources, Spec, parse_resources};
use std::path::Path;

/// Prints why and returns false where the test can't run.
fn root() -> bool {
    let root = nix::unistd::geteuid().is_root() && Path::new("/sys/fs/cgroup/cgroup.procs").exists()
        || Path::new("/sys/fs/cgroup/freezer").exists();
    if !root {
        println!("skipped: needs root and a writable /sys/fs/cgroup");
    }
    root
}

fn plan(name: &str) -> Cgroup {
    let mut spec = Spec::default();
    spec.linux.cgroups_path = Some(format!("/rtrun-test-{}/{name}", std::process::id()));
    Cgroup::plan(&spec, name, Manager::Cgroupfs, false).unwrap()
}

fn resources(json: &str) -> Resources {
    parse_resources(json.as_bytes(), "test").unwrap()
}

fn v1(cgroup: &Cgroup) -> bool {
    if cgroup.is_unified() {
        println!("skipped: needs cgroup v1");
    }
    !cgroup.is_unified()
}

/// A child in the cgroup that runs `work` and exits with what it returns. A v2 tree is entered by `cgroup.procs`: these
/// tests have no clone3.
fn child(cgroup: &Cgroup, entry: &Entry, work: impl FnOnce() -> i32) -> Pid {
    let v2 = cgroup.hierarchies().find(|hierarchy| hierarchy.name().is_empty()).map(|h| h.directory());
    // SAFETY: the child makes system calls and ends by _exit.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let joined =
                entry.join().is_ok() && v2.is_none_or(|dir| std::fs::write(dir.join("cgroup.procs"), "0").is_ok());
            let code = if joined { work() } else { 99 };
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(code) }
        }
    }
}

fn sleep_forever() -> i32 {
    std::thread::sleep(std::time::Duration::from_secs(60));
    0
}

/// Removes the parent that [`plan`] names, once the last test's child of it is gone.
fn clean(cgroup: &Cgroup) {
    cgroup.remove().unwrap();
    for hierarchy in cgroup.hierarchies() {
        assert!(!hierarchy.directory().exists(), "{}", hierarchy.directory().display());
        let _ = std::fs::remove_dir(hierarchy.directory().parent().unwrap());
    }
}

fn knob(cgroup: &Cgroup, controller: &str, file: &str) -> String {
    let found = cgroup.hierarchies().find(|h| h.name().split(',').any(|name| name == controller)).unwrap();
    std::fs::read_to_string(found.directory().join(file)).unwrap().trim().to_owned()
}

#[test]
fn a_process_enters_every_hierarchy_and_is_killed() {
    if !root() {
        return;
    }
    let cgroup = plan("kill");
    let entry = cgroup.create(None, None).unwrap();
    let pid = child(&cgroup, &entry, sleep_forever);
    while cgroup.processes().unwrap() != [pid] {
        std::thread::yield_now();
    }
    let busy = cgroup.create(None, None);
    assert!(matches!(busy, Err(Error::InUse { count: 1, .. })), "{busy:?}");
    cgroup.kill(Signal::SIGKILL).unwrap();
    assert!(matches!(waitpid(pid, None).unwrap(), WaitStatus::Signaled(_, Signal::SIGKILL, _)));
    clean(&cgroup);
    cgroup.remove().unwrap();
}

#[test]
fn limits_reach_the_kernel() {
    if !root() || !v1(&plan("limits")) {
        return;
    }
    let cgroup = plan("limits");
    let asked = resources(
        r#"{"memory":{"limit":33554432,"swap":67108864,"kernel":1},"pids":{"limit":17},
            "cpu":{"shares":512,"quota":50000,"period":200000,"burst":10000,"cpus":"0","mems":"0"}}"#,
    );
    drop(cgroup.create(Some(&asked), None).unwrap());
    assert_eq!(knob(&cgroup, "memory", "memory.limit_in_bytes"), "33554432");
    assert_eq!(knob(&cgroup, "pids", "pids.max"), "17");
    assert_eq!(knob(&cgroup, "cpu", "cpu.cfs_quota_us"), "50000");
    assert_eq!(knob(&cgroup, "cpu", "cpu.cfs_burst_us"), "10000");
    assert_eq!(knob(&cgroup, "cpuset", "cpuset.cpus"), "0");
    // Both limits up, then both down: the kernel wants another order each time.
    for (limit, swap) in [(134_217_728, 134_217_728), (16_777_216, 16_777_216)] {
        cgroup.apply(&resources(&format!(r#"{{"memory":{{"limit":{limit},"swap":{swap}}}}}"#))).unwrap();
        assert_eq!(knob(&cgroup, "memory", "memory.limit_in_bytes"), limit.to_string());
        assert_eq!(knob(&cgroup, "memory", "memory.memsw.limit_in_bytes"), swap.to_string());
    }
    clean(&cgroup);
}

#[test]
fn what_is_missing_is_named_and_leaves_nothing() {
    if !root() {
        return;
    }
    let cgroup = plan("missing");
    let error = cgroup.create(Some(&resources(r#"{"rdma":{"mlx5_9":{"hcaHandles":1}}}"#)), None).unwrap_err();
    assert!(error.to_string().starts_with("linux.resources.rdma[mlx5_9]"), "{error}");
    assert!(cgroup.hierarchies().all(|hierarchy| !hierarchy.directory().exists()));
    let error = cgroup.create(Some(&resources(r#"{"cpu":{"cpus":"4095"}}"#)), None).unwrap_err();
    assert!(error.to_string().starts_with("linux.resources.cpu.cpus: writing \"4095\""), "{error}");
    assert!(cgroup.hierarchies().all(|hierarchy| !hierarchy.directory().exists()));
}

#[test]
fn device_rules_hold() {
    if !root() {
        return;
    }
    let cgroup = plan("devices");
    let open = |path: &str| std::fs::File::open(path).is_ok();
    let entry = cgroup.create(Some(&resources(r#"{"devices":[{"allow":false,"access":"rwm"}]}"#)), None).unwrap();
    let code = |work: &dyn Fn() -> bool| match waitpid(child(&cgroup, &entry, || i32::from(!work())), None).unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(&|| open("/dev/null") && open("/dev/urandom")), 0);
    assert_eq!(code(&|| !open("/dev/kmsg")), 0, "kmsg must be refused");
    cgroup.apply(&resources(r#"{"devices":[{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]}"#)).unwrap();
    assert_eq!(code(&|| open("/dev/kmsg") && open("/dev/null")), 0, "kmsg must be allowed now");
    cgroup.apply(&resources(r#"{"devices":[{"allow":false}]}"#)).unwrap();
    assert_eq!(code(&|| !open("/dev/kmsg") && open("/dev/null")), 0, "kmsg must be refused again");
    clean(&cgroup);
}

#[test]
fn frozen_tasks_stand_still() {
    if !root() {
        return;
    }
    let cgroup = plan("freeze");
    let entry = cgroup.create(None, None).unwrap();
    let pid = child(&cgroup, &entry, sleep_forever);
    while cgroup.processes().unwrap().is_empty() {
        std::thread::yield_now();
    }
    assert!(!cgroup.frozen().unwrap());
    cgroup.freeze().unwrap();
    assert!(cgroup.frozen().unwrap());
    cgroup.thaw().unwrap();
    assert!(!cgroup.frozen().unwrap());
    cgroup.freeze().unwrap();
    cgroup.kill(Signal::SIGKILL).unwrap();
    cgroup.thaw().unwrap();
    waitpid(pid, None).unwrap();
    clean(&cgroup);
}

#[test]
fn realtime_budget_is_held_by_the_ancestors() {
    let cgroup = plan("realtime");
    if !root() || !v1(&cgroup) {
        return;
    }
    drop(cgroup.create(None, None).unwrap());
    let cpu = cgroup.hierarchies().find(|h| h.name().split(',').any(|name| name == "cpu")).unwrap().directory();
    if !cpu.join("cpu.rt_runtime_us").exists() {
        println!("skipped: kernel without RT_GROUP_SCHED");
    } else {
        cgroup.allow_realtime(1000).unwrap();
        let read = |dir: &Path| std::fs::read_to_string(dir.join("cpu.rt_runtime_us")).unwrap();
        assert_eq!(read(&cpu), "1000\n");
        assert_eq!(read(cpu.parent().unwrap()), "1000\n");
        let error = cgroup.allow_realtime(2_000_000).unwrap_err().to_string();
        assert!(error.starts_with("real-time budget of 2000000 us"), "{error}");
    }
    clean(&cgroup);
}

#[test]
fn figures_are_read() {
    if !root() {
        return;
    }
    let cgroup = plan("stats");
    let entry = cgroup.create(Some(&resources(r#"{"memory":{"limit":33554432},"pids":{"limit":5}}"#)), None).unwrap();
    let pid = child(&cgroup, &entry, sleep_forever);
    while cgroup.processes().unwrap().is_empty() {
        std::thread::yield_now();
    }
    let stats = cgroup.stats().unwrap();
    assert_eq!((stats.pids.current, stats.pids.limit, stats.memory.usage.limit), (1, 5, 33_554_432));
    assert!(stats.memory.raw.len() > 5 && !stats.cpuset.cpus.is_empty());
    cgroup.kill(Signal::SIGKILL).unwrap();
    waitpid(pid, None).unwrap();
    clean(&cgroup);
    assert!(matches!(cgroup.stats(), Err(Error::Absent(_))));
}

#[test]
fn limits_reach_a_v2_kernel() {
    let cgroup = plan("limits2");
    if !root() || !cgroup.is_unified() {
        println!("skipped: needs root and pure cgroup v2");
        return;
    }
    let asked = resources(
        r#"{"memory":{"limit":33554432,"swap":67108864,"reservation":16777216},"pids":{"limit":17},
            "cpu":{"shares":512,"quota":50000,"period":200000,"cpus":"0","mems":"0"},
            "unified":{"memory.high":"30000000","cpuset.cpus.partition":"member"}}"#,
    );
    drop(cgroup.create(Some(&asked), None).unwrap());
    let read = |file| std::fs::read_to_string(cgroup.hierarchies().next().unwrap().directory().join(file)).unwrap();
    assert_eq!((read("memory.max").trim(), read("memory.low").trim()), ("33554432", "16777216"));
    assert_eq!((read("cpu.max").trim(), read("cpu.weight").trim()), ("50000 200000", "59"));
    assert_eq!((read("pids.max").trim(), read("cpuset.cpus").trim()), ("17", "0"));
    assert_eq!(read("memory.swap.max").trim(), "33554432");
    cgroup.apply(&resources(r#"{"pids":{"limit":-1},"cpu":{"idle":1}}"#)).unwrap();
    assert_eq!((read("pids.max").trim(), read("cpu.idle").trim()), ("max", "1"));
    let error = cgroup.apply(&resources(r#"{"unified":{"nonsense.max":"1"}}"#)).unwrap_err().to_string();
    assert!(error.starts_with("linux.resources.unified[nonsense.max]: no nonsense.max in"), "{error}");
    assert!(cgroup.stats().unwrap().memory.usage.limit == 33_554_432);
    clean(&cgroup);
}

/// As [`child`], but outside the cgroup: systemd moves it.
fn waiting_child() -> Pid {
    // SAFETY: the child makes system calls and ends by _exit.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            sleep_forever();
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(0) }
        }
    }
}

#[test]
fn systemd_makes_a_scope_with_our_limits() {
    if !root() || !Path::new("/run/systemd/system").exists() {
        println!("skipped: needs root and systemd");
        return;
    }
    let id = format!("t{}", std::process::id());
    let mut spec = Spec::default();
    spec.linux.cgroups_path = Some(format!("rtruntest-a.slice:rtrun:{id}"));
    let cgroup = Cgroup::plan(&spec, &id, Manager::Systemd, false).unwrap();
    assert!(cgroup.needs_init_first());
    let path = format!("rtruntest.slice/rtruntest-a.slice/rtrun-{id}.scope");
    assert_eq!(cgroup.hierarchies().next().unwrap().path(), Path::new(&path));
    let asked = resources(
        r#"{"memory":{"limit":33554432},"pids":{"limit":17},"cpu":{"shares":512,"quota":15001,"period":100000,"cpus":"0"},
            "devices":[{"allow":false},{"allow":true,"type":"c","major":10,"access":"rw"}]}"#,
    );
    let init = waiting_child();
    drop(cgroup.create(Some(&asked), Some(init)).unwrap());
    // A real init enters v1 hierarchies by its [`Entry`].
    for hierarchy in cgroup.hierarchies().filter(|hierarchy| !hierarchy.name().is_empty()) {
        std::fs::write(hierarchy.directory().join("tasks"), init.to_string()).unwrap();
    }
    assert_eq!(cgroup.processes().unwrap(), [init]);
    let show = |property: &str| {
        let unit = format!("rtrun-{id}.scope");
        let output = std::process::Command::new("systemctl").args(["show", "--value", "-p", property, &unit]).output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
    };
    assert_eq!((show("ActiveState").as_str(), show("TasksMax").as_str()), ("active", "17"));
    assert_eq!((show("Delegate").as_str(), show("DevicePolicy").as_str()), ("yes", "strict"));
    // systemd has no cpuset on v1; the file is written all the same.
    let cpus = if cgroup.is_unified() { "0" } else { "" };
    assert_eq!((show("AllowedCPUs").as_str(), show("CPUQuotaPerSecUSec").as_str()), (cpus, "160ms"));
    cgroup.apply(&resources(r#"{"pids":{"limit":30}}"#)).unwrap();
    assert_eq!(show("TasksMax"), "30");
    let again = cgroup.create(None, Some(init)).unwrap_err().to_string();
    assert!(again.contains("UnitExists"), "{again}");
    cgroup.kill(Signal::SIGKILL).unwrap();
    waitpid(init, None).unwrap();
    cgroup.remove().unwrap();
    assert!(cgroup.hierarchies().all(|hierarchy| !hierarchy.directory().exists()));
    cgroup.remove().unwrap();
}
