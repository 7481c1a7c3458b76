//! The scheduler's node-wide knobs.

use super::{Check, Context, Outcome, check, fail, named, ok, unknown, warn};
use crate::host::Error;
use crate::sched::CpuSet;

pub(super) const CHECKS: &[Check] = &[
    check(
        "rt-throttling",
        throttling,
        "a real-time task that uses up its share of each period is stopped for the rest of it",
    ),
    check(
        "fair-server",
        fair_server,
        "since Linux 6.12 ordinary tasks get this share of a CPU before SCHED_FIFO and SCHED_RR",
    ),
    check("rt-group-sched", group, "with it, SCHED_FIFO needs a budget in the cgroup; cgroup v2 can't give one"),
    check("timer-migration", timers, "timers of idle CPUs are run by busy ones, also by those that should be quiet"),
    check("watchdog", watchdog, "the lockup detectors wake on each CPU that they watch"),
    check("workqueues", workqueues, "kernel work that is bound to no CPU runs on any in this mask"),
];

fn throttling(context: &Context) -> Result<Option<Outcome>, Error> {
    if !context.wanted.is_real_time() {
        return Ok(None);
    }
    let (Some(runtime), Some(period)) = (context.limits.rt_runtime_us, context.limits.rt_period_us) else {
        return Ok(Some(unknown("this kernel has no kernel.sched_rt_runtime_us")));
    };
    let found = format!("{runtime} of {period} µs");
    // The throttle of all real-time tasks is gone since 6.12 but for groups; admission of deadlines still goes by it.
    let throttles = context.kernel.version < (6, 12) || context.kernel.rt_group_sched == Some(true);
    Ok(Some(match runtime {
        0 => fail(found, "sysctl -w kernel.sched_rt_runtime_us=950000"),
        -1 => ok("no limit"),
        _ if runtime >= period => ok(found),
        _ if !throttles => ok(format!("{found}, for the admission of SCHED_DEADLINE only")),
        _ if context.kernel.rt_group_sched == Some(true) => {
            ok(format!("{found}: what cgroups are given budgets from; the root group itself is throttled at it"))
        }
        _ => warn(found, "sysctl -w kernel.sched_rt_runtime_us=-1"),
    }))
}

fn fair_server(context: &Context) -> Result<Option<Outcome>, Error> {
    if !context.wanted.is_real_time() || context.kernel.version < (6, 12) {
        return Ok(None);
    }
    Ok(Some(match context.limits.fair_server {
        None => unknown("debugfs is not mounted, or not to be read: mount -t debugfs debugfs /sys/kernel/debug"),
        Some(server) if server.runtime.is_zero() => ok("off"),
        Some(server) => {
            let found = format!("{} of {} ms", server.runtime.as_micros() as f64 / 1e3, server.period.as_millis());
            let cpus: Vec<_> = context.timed().iter().map(|cpu| cpu.to_string()).collect();
            let knob = "/sys/kernel/debug/sched/fair_server/cpu$c/runtime";
            warn(found, format!("for c in {}; do echo 0 > {knob}; done", cpus.join(" ")))
        }
    }))
}

fn group(context: &Context) -> Result<Option<Outcome>, Error> {
    if !context.wanted.is_real_time() {
        return Ok(None);
    }
    Ok(Some(match (context.kernel.rt_group_sched, context.cgroups.v1("cpu").is_some()) {
        (Some(false), _) => ok("off"),
        (None, _) => unknown("no configuration of this kernel in /boot tells"),
        (Some(true), true) => ok("on, cgroup v1: rtrun gives the container a budget and takes it back"),
        (Some(true), false) => {
            let remedy = match context.kernel.version >= (6, 16) {
                true => context.boot("rt_group_sched=0"),
                false => {
                    "boot a kernel built without CONFIG_RT_GROUP_SCHED (Debian's are), or with cgroup v1".to_owned()
                }
            };
            fail("on, with cgroup v2: SCHED_FIFO and SCHED_RR are refused in every container", remedy)
        }
    }))
}

fn timers(context: &Context) -> Result<Option<Outcome>, Error> {
    Ok(Some(match context.limits.timer_migration {
        false => ok("off"),
        true => warn("on", "sysctl -w kernel.timer_migration=0"),
    }))
}

fn watchdog(context: &Context) -> Result<Option<Outcome>, Error> {
    if context.limits.nmi_watchdog {
        return Ok(Some(warn("the NMI watchdog is on", "sysctl -w kernel.nmi_watchdog=0")));
    }
    let quiet = context.quiet();
    let watched = context.limits.watchdog.and(&quiet);
    let rest = context.cpus.online.without(&quiet);
    Ok(Some(match watched.is_empty() || rest.is_empty() {
        true => ok("not on CPUs that should be quiet"),
        false => warn(format!("on {}", named(&watched)), format!("sysctl -w kernel.watchdog_cpumask={rest}")),
    }))
}

fn workqueues(context: &Context) -> Result<Option<Outcome>, Error> {
    let Some(text) = &context.limits.workqueues else { return Ok(None) };
    let Ok(mask) = CpuSet::parse_mask(text) else { return Ok(Some(unknown(format!("{text:?} is no mask")))) };
    let mask = mask.and(&context.cpus.online);
    let quiet = context.quiet();
    let (over, rest) = (mask.and(&quiet), context.cpus.online.without(&quiet));
    Ok(Some(match over.is_empty() || rest.is_empty() {
        true => ok(mask.to_string()),
        false => warn(
            format!("{mask}, with the quiet {}", named(&over)),
            format!("echo {} > /sys/devices/virtual/workqueue/cpumask", rest.to_mask()),
        ),
    }))
}
