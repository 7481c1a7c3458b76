//! Control groups.

use super::{Check, Context, Outcome, check, fail, ok, warn};
use crate::host::Error;
use rtrun_hooks::annotation::Partition;

pub(super) const CHECKS: &[Check] = &[
    check("cgroup-controllers", controllers, "CPUs, memory and devices of a container are kept by cgroup controllers"),
    check(
        "cpuset-partition",
        partition,
        "an isolated partition keeps the scheduler's balancing off the container's CPUs",
    ),
];

fn controllers(context: &Context) -> Result<Option<Outcome>, Error> {
    let cgroups = &context.cgroups;
    let needed: &[&str] =
        if cgroups.unified { &["cpuset", "cpu", "memory", "pids"] } else { &["cpuset", "cpu", "memory", "devices"] };
    let missing: Vec<&str> = needed.iter().copied().filter(|name| !cgroups.has(name)).collect();
    let kind = cgroups.kind();
    if missing.is_empty() {
        return Ok(Some(ok(format!("{kind} with {}", needed.join(", ")))));
    }
    let found = format!("{kind} without {}", missing.join(", "));
    // The memory controller is off by default on some distributions for small boards.
    let remedy = match missing.contains(&"memory") {
        true => context.boot("cgroup_enable=memory"),
        false => "boot without cgroup_disable=, with a kernel that has these controllers".to_owned(),
    };
    Ok(Some(if missing.contains(&"cpuset") && context.wanted.is_real_time() {
        fail(found, remedy)
    } else {
        warn(found, remedy)
    }))
}

fn partition(context: &Context) -> Result<Option<Outcome>, Error> {
    let asked = match context.wanted.partition {
        Some(Partition::Member) => return Ok(None),
        None if !context.wanted.is_real_time() || context.wanted.cpus.is_some() => return Ok(None),
        asked => asked,
    };
    let version = context.kernel.version;
    Ok(Some(match (context.cgroups.unified, asked) {
        (true, _) if version >= (6, 7) => ok("remote partitions, anywhere in the tree (Linux 6.7)"),
        (true, Some(Partition::Root)) => ok("partitions below a partition only"),
        (true, _) if version >= (6, 1) => warn(
            "isolated partitions below a partition only",
            "boot Linux 6.7 or later for partitions anywhere in the tree",
        ),
        (true, _) => {
            fail("no isolated partitions before Linux 6.1", "boot Linux 6.7 or later, or isolate CPUs with isolcpus=")
        }
        (false, _) => warn(
            "cgroup v1 has exclusive CPUs and no balancing instead of partitions",
            context.boot("systemd.unified_cgroup_hierarchy=1"),
        ),
    }))
}
