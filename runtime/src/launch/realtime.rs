//! The real-time part of a launch: leases and settings of the node beside the init's coming up, its policy at start, and
//! the proof of all of it before the user's program begins.

use super::Error;
use crate::cgroup::Cgroup;
use crate::host::Host;
use crate::plan::Plan;
use crate::profile::Profile;
use crate::report::{Baseline, Outcome, Step, Stopwatch, What, read_back};
use crate::sched::{self, SchedAttr};
use crate::state::{Container, Init};
use nix::unistd::Pid;
use rtrun_hooks::annotation::{Partition, Verify};
use rtrun_hooks::clock::{self, Gate, Passage, Shared};
use rtrun_hooks::ledger::{self, Claim, Effect, Ledger, Owner};
use rtrun_hooks::{Target, Value};

/// Takes the leases, changes the node's settings, and makes the partition; while the init comes up. What the kernel
/// refuses is the caller's failure unless `verify` is `warn`.
pub(crate) fn engage(
    container: &mut Container,
    plan: &Plan,
    cgroup: &Cgroup,
    init: Init,
    warn: &mut dyn FnMut(String),
) -> Result<(), Error> {
    let owner = owner(container.id(), init);
    let mut steps = Vec::new();
    if !plan.claims.is_empty() {
        let report = Ledger::system().book(&owner, &plan.claims).map_err(Box::new)?;
        let ours = report.outcomes.into_iter().filter(|outcome| concerns(&plan.claims, &outcome.target));
        steps.extend(ours.map(|outcome| settled(outcome, &plan.profile)));
    }
    let Profile { partition, verify, .. } = plan.profile;
    if let (Some(cpus), true) = (&plan.profile.cpus, partition != Partition::Member) {
        match cgroup.set_partition(partition, cpus) {
            Err(error) if verify == Verify::Warn => warn(error.to_string()),
            done => done?,
        }
    }
    let passage = wait_for_clock(&plan.profile)?;
    let failed: Vec<String> = steps.iter().filter(|step| !holds(step)).map(Step::to_string).collect();
    let Some(realtime) = &mut container.state.realtime else { return Ok(()) };
    // The plan has the container's own budget, and it is read back at start.
    steps.retain(|step| realtime.steps.iter().all(|planned| planned.target != step.target));
    insert(&mut realtime.steps, steps);
    for (step, passage) in realtime.steps.iter_mut().filter(|step| step.what == What::Clock).zip(passage) {
        if !passage.good {
            warn(format!("{}: {passage}", step.asked));
        }
        step.outcome = Some(Outcome { found: Some(passage.to_string()), holds: true, note: None });
    }
    judge(verify, &failed, warn)
}

/// Gives the parked init its CPUs and its policy, and reads everything back. After its hooks and in its final cgroup: set-up
/// at real-time priority would disturb the neighbours. All of it survives execve(2).
pub(crate) fn begin(
    container: &mut Container,
    pid: Pid,
    mut watch: Stopwatch,
    warn: &mut dyn FnMut(String),
) -> Result<(), Error> {
    let state = &mut container.state;
    if let Some(priority) = &state.io_priority {
        sched::set_io_priority(priority, pid)?;
    }
    let Some(realtime) = &mut state.realtime else { return Ok(()) };
    // Whoever called rtrun may have been confined to fewer CPUs, which the init has inherited.
    if let Some(cpus) = &realtime.cpus {
        sched::set_affinity(pid, cpus)?;
    }
    if let Some(scheduler) = &state.scheduler {
        SchedAttr::plan(scheduler)?.set(pid)?;
    }
    watch.end("schedule");
    if realtime.verify != Verify::Off {
        read_back(&mut realtime.steps, pid, state.scheduler.as_ref());
    }
    watch.end("verify");
    realtime.phases.append(&mut watch.phases);
    let failed: Vec<String> = realtime.differences().map(Step::to_string).collect();
    let verify = realtime.verify;
    realtime.baseline = Some(Baseline::take(&Host::default(), pid.as_raw(), realtime.cpus.as_ref()));
    container.save()?;
    judge(verify, &failed, warn)
}

/// Gives back what the container had of the node; before its cgroup goes, for a budget is lowered from the leaves up. One
/// whose init was never recorded has given it back by ending.
pub(crate) fn release(container: &Container) -> Result<(), Error> {
    if !container.state.realtime.as_ref().is_some_and(|realtime| realtime.booked) {
        return Ok(());
    }
    let ledger = Ledger::system();
    match container.state.init {
        Some(init) => ledger.release(&owner(container.id(), init)),
        None => ledger.reconcile(),
    }
    .map(drop)
    .map_err(|error| Error::Ledger(Box::new(error)))
}

/// Gives the CPUs of the container's partition back to the others; after its cgroup is gone.
pub(crate) fn dissolve(container: &Container) {
    let Some(realtime) = &container.state.realtime else { return };
    if let (Some(cgroup), Some(cpus), true) =
        (container.cgroup(), &realtime.cpus, realtime.partition != Partition::Member)
    {
        cgroup.give_back_partition(cpus);
    }
}

/// The clock's gate; a clock that is not good in time is an error unless a warning is enough.
fn wait_for_clock(profile: &Profile) -> Result<Option<Passage>, Error> {
    let clock = &profile.annotations.clock;
    let Some(gate) = Gate::asked(clock) else { return Ok(None) };
    let sources = clock::open_all(&clock.sources, &clock::no_cards).map_err(Box::new)?;
    Ok(Some(gate.wait(&sources, &Shared::system()).map_err(Box::new)?))
}

fn owner(id: &str, init: Init) -> Owner {
    Owner { id: id.to_owned(), pid: init.pid, start_time: init.start_time }
}

/// What becomes of steps that do not hold.
fn judge(verify: Verify, failed: &[String], warn: &mut dyn FnMut(String)) -> Result<(), Error> {
    match verify {
        Verify::Warn => failed.iter().for_each(|step| warn(step.clone())),
        _ if failed.is_empty() => {}
        _ => return Err(Error::NotInEffect(failed.join("; "))),
    }
    Ok(())
}

fn holds(step: &Step) -> bool {
    step.outcome.as_ref().is_none_or(|outcome| outcome.holds)
}

/// Whether one of these claims is about a setting: the ledger reports those of all containers.
fn concerns(claims: &[Claim], target: &Target) -> bool {
    claims.iter().any(|claim| claim.concerns(target))
}

/// A setting of the node as a step that has its outcome.
fn settled(outcome: ledger::Outcome, profile: &Profile) -> Step {
    let away = profile.annotations.irq_affinity.is_some();
    let asked = profile.asked(match &outcome.target {
        Target::Irq(_) | Target::DefaultAffinity | Target::Irqbalance if away => "irq.affinity",
        Target::Irq(_) | Target::DefaultAffinity | Target::Irqbalance | Target::IrqThread { .. } => "irq.devices",
        Target::Governor(_) => "cpu.governor",
        Target::ResumeLatency(_) => "cpu.max-latency",
        Target::RtRuntime(_) => "sched.policy",
    });
    let (holds, note) = match &outcome.effect {
        Effect::Kept | Effect::Set | Effect::Restored => (true, None),
        Effect::Pending if outcome.target == Target::Irqbalance => {
            (true, Some("heeds it from its next round on".to_owned()))
        }
        Effect::Pending => (true, Some("moves with its next interrupt".to_owned())),
        Effect::Unmovable { errno } => (true, Some(format!("the kernel lets nobody move it ({errno})"))),
        Effect::Refused { errno, why } => (false, Some(format!("{errno}: {why}"))),
        Effect::Absent => (false, Some("this host has no such setting".to_owned())),
    };
    let found = outcome.found.as_ref().map(Value::to_string);
    let mut step = Step::new(What::Node, outcome.target.to_string(), outcome.wanted.to_string(), asked);
    step.outcome = Some(Outcome { found, holds, note });
    step
}

/// The leases are held by now. The rest goes after the last planned step of the node, where the reader looks for them.
fn insert(steps: &mut Vec<Step>, more: Vec<Step>) {
    for lease in steps.iter_mut().filter(|step| step.what == What::Lease) {
        lease.outcome = Some(Outcome { found: Some("held".to_owned()), holds: true, note: None });
    }
    let at = steps.iter().rposition(|step| step.what <= What::Node).map_or(0, |last| last + 1);
    steps.splice(at..at, more);
}
