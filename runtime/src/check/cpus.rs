//! CPUs: isolation, ticks, callbacks, siblings, frequency, sleep.

use super::{Check, Context, Outcome, check, fail, named, ok, unknown, warn};
use crate::host::Error;
use crate::host::cpu::{self, ResumeLatency};
use crate::sched::CpuSet;
use rtrun_hooks::annotation::Partition;
use std::time::Duration;

pub(super) const CHECKS: &[Check] = &[
    check("cpus", online, "a container can only be put on CPUs that are there"),
    check("isolcpus", isolated, "the scheduler's balancing moves other tasks onto CPUs that are not isolated"),
    check("nohz-full", nohz_full, "the tick interrupts a busy CPU up to 1000 times a second"),
    check("rcu-nocbs", rcu_nocbs, "RCU callbacks of other tasks run on CPUs that are not relieved of them"),
    check("smt", smt, "two threads of a core share its units and caches: the sibling's load is latency"),
    check("numa", numa, "memory of another node is slower, by its distance"),
    check("governor", governor, "a CPU that has clocked down takes time to be fast again"),
    check("c-states", c_states, "a CPU that sleeps deeply takes that long to wake up"),
];

/// What waking up may cost without a word.
const TOLERATED_WAKEUP: Duration = Duration::from_micros(10);

fn online(context: &Context) -> Result<Option<Outcome>, Error> {
    let online = &context.cpus.online;
    let Some(asked) = &context.wanted.cpus else { return Ok(Some(ok(format!("online are {online}")))) };
    let missing = asked.without(online);
    if missing.is_empty() {
        return Ok(Some(ok(format!("asked for {asked}, online are {online}"))));
    }
    let dead = missing.without(&context.cpus.possible);
    let remedy = if dead.is_empty() {
        let one = missing.iter().map(|cpu| format!("echo 1 > /sys/devices/system/cpu/cpu{cpu}/online"));
        one.collect::<Vec<_>>().join("; ")
    } else {
        format!("ask for CPUs among {online}")
    };
    Ok(Some(fail(format!("asked for {asked}: no {} here; online are {online}", named(&missing)), remedy)))
}

fn isolated(context: &Context) -> Result<Option<Outcome>, Error> {
    if !context.wanted.is_real_time() {
        return Ok(None);
    }
    let partitions = context.cgroups.unified && context.cgroups.has("cpuset") && context.kernel.version >= (6, 1);
    let found = match context.cpus.isolated.is_empty() {
        true => "none at boot".to_owned(),
        false => format!("{} at boot", context.cpus.isolated),
    };
    let missing = match &context.wanted.cpus {
        Some(asked) => asked.without(&context.cpus.isolated),
        None if context.cpus.isolated.is_empty() => context.proposal()?,
        None => CpuSet::default(),
    };
    if missing.is_empty() {
        return Ok(Some(ok(found)));
    }
    // A partition of the cpuset isolates at run time what the boot has not.
    let asks_partition = matches!(context.wanted.partition, Some(Partition::Isolated | Partition::Root));
    if partitions && (asks_partition || context.wanted.cpus.is_none()) {
        let remedy = "org.rtrun.cpus.partition=isolated isolates them while the container lives";
        return Ok(Some(ok(format!("{found}; {remedy}"))));
    }
    let remedy = match partitions {
        true => "annotate the container with org.rtrun.cpus.partition=isolated".to_owned(),
        false => context.boot(&format!("isolcpus=managed_irq,domain,{missing}")),
    };
    Ok(Some(warn(format!("{found}; not isolated: {}", named(&missing)), remedy)))
}

fn nohz_full(context: &Context) -> Result<Option<Outcome>, Error> {
    relieved(context, &context.cpus.nohz_full, "nohz_full")
}

fn rcu_nocbs(context: &Context) -> Result<Option<Outcome>, Error> {
    relieved(context, &context.cpus.rcu_nocbs, "rcu_nocbs")
}

/// Whether the CPUs that must be quiet are in a set that only the boot can make.
fn relieved(context: &Context, set: &CpuSet, parameter: &str) -> Result<Option<Outcome>, Error> {
    if !context.wanted.is_real_time() {
        return Ok(None);
    }
    let quiet = context.quiet();
    let missing = if quiet.is_empty() { context.proposal()? } else { quiet.without(set) };
    let found = if set.is_empty() { "none".to_owned() } else { set.to_string() };
    Ok(Some(match missing.is_empty() {
        true => ok(found),
        false => warn(found, context.boot(&format!("{parameter}={}", missing.or(set)))),
    }))
}

fn smt(context: &Context) -> Result<Option<Outcome>, Error> {
    if !context.cpus.smt_active {
        return Ok(Some(ok("off, or the cores have one thread each")));
    }
    let quiet = context.quiet();
    let mut shared = Vec::new();
    for cpu in quiet.iter() {
        let others = context.cpus.siblings(context.host, cpu)?.and(&context.cpus.online).without(&quiet);
        shared.extend(others.iter().map(|other| format!("{other} beside {cpu}")));
    }
    let off = "echo off > /sys/devices/system/cpu/smt/control";
    Ok(Some(match (quiet.is_empty(), shared.is_empty()) {
        (true, _) => warn("on; no CPU is set aside", off),
        (false, true) => ok(format!("on; all threads of the cores of {} are set aside", named(&quiet))),
        (false, false) => {
            let siblings = shared.join(", ");
            warn(
                format!("on; siblings are left to others: {siblings}"),
                format!("{off}, or set the siblings aside as well"),
            )
        }
    }))
}

fn numa(context: &Context) -> Result<Option<Outcome>, Error> {
    let Some(asked) = &context.wanted.cpus else { return Ok(None) };
    let nodes = cpu::nodes(context.host)?;
    let touched: Vec<_> = nodes.iter().filter(|node| !node.cpus.and(asked).is_empty()).map(|node| node.id).collect();
    Ok(match touched.as_slice() {
        [] => None,
        [one] => Some(ok(format!("{} are of node {one}", named(asked)))),
        several => Some(warn(
            format!("{} are of the nodes {several:?}", named(asked)),
            format!("ask for CPUs of one node, such as {}", nodes[0].cpus),
        )),
    })
}

fn governor(context: &Context) -> Result<Option<Outcome>, Error> {
    let asked = context.wanted.annotations.governor.as_deref();
    let wanted = asked.unwrap_or("performance");
    let (mut slow, mut scaled) = (CpuSet::default(), false);
    let mut name = String::new();
    for cpu in context.timed().iter() {
        let Some(frequency) = cpu::frequency(context.host, cpu)? else { continue };
        scaled = true;
        if !frequency.available.is_empty() && !frequency.available.iter().any(|known| known == wanted) {
            let found =
                format!("CPU {cpu} has no governor {wanted:?}; available are {}", frequency.available.join(", "));
            return Ok(Some(fail(found, "ask for one of these in org.rtrun.cpu.governor")));
        }
        if frequency.governor != wanted {
            slow = slow.or(&[cpu].into_iter().collect());
            name = frequency.governor;
        }
    }
    Ok(Some(match (scaled, slow.is_empty(), asked) {
        (false, _, None) => unknown("no frequency scaling here, as in most virtual machines"),
        (false, _, Some(asked)) => {
            fail(format!("{asked} is asked for; no frequency scaling here"), "leave org.rtrun.cpu.governor out")
        }
        (true, true, _) => ok(format!("{wanted} on {}", named(&context.timed()))),
        (true, false, Some(_)) => ok(format!("{name} on {}; rtrun sets {wanted}", named(&slow))),
        (true, false, None) => warn(
            format!("{name} on {}", named(&slow)),
            format!(
                "for c in {}; do echo performance > /sys/devices/system/cpu/cpu$c/cpufreq/scaling_governor; done",
                words(&slow)
            ),
        ),
    }))
}

fn c_states(context: &Context) -> Result<Option<Outcome>, Error> {
    let mut deepest: Option<(u32, cpu::IdleState)> = None;
    for cpu in context.timed().iter() {
        let state = cpu::worst_wakeup(context.host, cpu)?;
        if let Some(state) =
            state.filter(|state| deepest.as_ref().is_none_or(|(_, worst)| state.exit_latency > worst.exit_latency))
        {
            deepest = Some((cpu, state));
        }
    }
    let Some((cpu, state)) = deepest else {
        return Ok(Some(unknown("no idle states here, as in most virtual machines")));
    };
    let found = format!("CPU {cpu} may sleep in {}, {} µs to wake up", state.name, state.exit_latency.as_micros());
    if let Some(limit) = context.wanted.annotations.max_latency {
        let has_knob = cpu::resume_latency(context.host, cpu)?;
        return Ok(Some(match has_knob {
            Some(ResumeLatency::Any | ResumeLatency::AtMost(_)) => {
                ok(format!("{found}; rtrun sets {}", limit.pm_qos()))
            }
            None => fail(format!("{found}; no PM-QoS here"), "leave org.rtrun.cpu.max-latency out"),
        }));
    }
    if state.exit_latency <= TOLERATED_WAKEUP {
        return Ok(Some(ok(found)));
    }
    let cpus = words(&context.timed());
    Ok(Some(warn(
        found,
        format!("for c in {cpus}; do echo 10 > /sys/devices/system/cpu/cpu$c/power/pm_qos_resume_latency_us; done"),
    )))
}

fn words(cpus: &CpuSet) -> String {
    cpus.iter().map(|cpu| cpu.to_string()).collect::<Vec<_>>().join(" ")
}
