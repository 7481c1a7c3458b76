//! What this machine has; each function skips the case with a reason where it lacks something.

use std::fs;
use std::path::Path;

use super::case::{OrFail, Verdict, skip};
use super::{cgroup, kernel, rootfs};

/// Needs `controller` in a mounted hierarchy.
pub fn needs_controller(controller: &str) -> Verdict {
    if cgroup::has(controller) { Ok(()) } else { skip(format!("no {controller} cgroup controller here")) }
}

/// Needs the v1 hierarchy of `controller`.
pub fn needs_v1(controller: &str) -> Verdict {
    let v1 = cgroup::hierarchies().iter().any(|one| one.controllers.iter().any(|name| name == controller));
    if v1 { Ok(()) } else { skip(format!("no v1 {controller} hierarchy here")) }
}

/// Needs every controller on the v2 tree.
pub fn needs_v2() -> Verdict {
    if cgroup::pure_v2() { Ok(()) } else { skip("cgroup v1 or hybrid layout here") }
}

/// Needs the namespace `kind`, as named in /proc/self/ns.
pub fn needs_namespace(kind: &str) -> Verdict {
    needs_file(&format!("/proc/self/ns/{kind}"))
}

/// Needs a file of the kernel's.
pub fn needs_file(path: &str) -> Verdict {
    if Path::new(path).exists() { Ok(()) } else { skip(format!("no {path} here")) }
}

/// Needs capability `number` of capabilities(7), called `name`.
pub fn needs_capability(name: &str, number: u32) -> Verdict {
    let mask = kernel::status_field(std::process::id() as i32, "CapEff")?;
    let mask = u64::from_str_radix(&mask, 16).unwrap_or(0);
    if mask >> number & 1 == 1 { Ok(()) } else { skip(format!("the suite itself lacks {name}")) }
}

/// Needs at least `count` CPUs.
pub fn needs_cpus(count: usize) -> Verdict {
    let have = std::thread::available_parallelism().map_or(1, |n| n.get());
    if have >= count { Ok(()) } else { skip(format!("{have} CPU here, needs {count}")) }
}

/// Needs the probe: the suite's own binary, statically linked.
pub fn needs_probe() -> Verdict {
    let linked = std::env::current_exe().is_ok_and(|exe| rootfs::is_static(&exe));
    if linked {
        Ok(())
    } else {
        skip("the suite is linked dynamically: build it with RUSTFLAGS='-C target-feature=+crt-static' and --target")
    }
}

/// Whether real-time group scheduling is on: FIFO and RR need a budget in the cgroup.
pub fn rt_group_sched() -> bool {
    cgroup::hierarchies()
        .iter()
        .filter(|one| one.controllers.iter().any(|name| name == "cpu"))
        .any(|one| one.mount.join("cpu.rt_runtime_us").exists())
}

/// A small file of the kernel's that must be there.
pub fn read_whole(path: impl AsRef<Path>) -> Verdict<String> {
    fs::read_to_string(&path).or_fail(path.as_ref().display())
}

/// The first line of a small file of the kernel's.
pub fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_string()
}
