use super::{Error, absolute, in_range, known, limits, no_nul};
use crate::spec::names;
use crate::spec::{Process, Scheduler, SchedulerPolicy};
use std::path::Path;

/// Checks a process; `field` is where it stands in the document.
pub(super) fn check(process: &Process, field: &str) -> Result<(), Error> {
    if process.args.first().is_none_or(String::is_empty) {
        return Err(Error::Missing(format!("{field}.args")));
    }
    for arg in &process.args {
        no_nul(Path::new(arg), &format!("{field}.args"))?;
    }
    absolute(&process.cwd, &format!("{field}.cwd"))?;
    for (index, entry) in process.env.iter().enumerate() {
        env(entry, || format!("{field}.env[{index}]"))?;
    }
    rlimits(process, field)?;
    in_range(process.oom_score_adj.unwrap_or(0), -1000, 1000, || format!("{field}.oomScoreAdj"))?;
    in_range(process.user.umask.unwrap_or(0), 0, 0o777, || format!("{field}.user.umask"))?;
    if let Some(priority) = &process.io_priority {
        in_range(priority.priority, 0, 7, || format!("{field}.ioPriority.priority"))?;
    }
    if let Some(affinity) = &process.exec_cpu_affinity {
        limits::list(affinity.initial.as_deref().unwrap_or_default(), &format!("{field}.execCPUAffinity.initial"))?;
        limits::list(affinity.last.as_deref().unwrap_or_default(), &format!("{field}.execCPUAffinity.final"))?;
    }
    process.scheduler.as_ref().map_or(Ok(()), |scheduler| schedule(scheduler, field))
}

fn env(entry: &str, field: impl Fn() -> String) -> Result<(), Error> {
    no_nul(Path::new(entry), &field())?;
    match entry.find('=') {
        None | Some(0) => Err(Error::Env { field: field(), entry: entry.into() }),
        Some(_) => Ok(()),
    }
}

fn rlimits(process: &Process, field: &str) -> Result<(), Error> {
    for (index, limit) in process.rlimits.iter().enumerate() {
        known(&limit.kind, names::RLIMITS, &format!("{field}.rlimits[{index}].type"))?;
        if process.rlimits[..index].iter().any(|earlier| earlier.kind == limit.kind) {
            return Err(Error::Duplicate { field: format!("{field}.rlimits[{index}]"), name: limit.kind.clone() });
        }
        if limit.soft > limit.hard {
            return Err(Error::SoftAboveHard { kind: limit.kind.clone(), soft: limit.soft, hard: limit.hard });
        }
    }
    Ok(())
}

/// The conditions of `sched_setattr(2)`, which answers EINVAL to all of them alike.
fn schedule(scheduler: &Scheduler, field: &str) -> Result<(), Error> {
    for flag in &scheduler.flags {
        known(flag, names::SCHEDULER_FLAGS, &format!("{field}.scheduler.flags"))?;
    }
    let policy = scheduler.policy;
    let refuse = |why| Err(Error::Scheduler { policy: spelled(policy), why });
    let priority = scheduler.priority.unwrap_or(0);
    let deadline = [scheduler.runtime, scheduler.deadline, scheduler.period].map(Option::unwrap_or_default);
    if policy != SchedulerPolicy::SchedDeadline && deadline != [0; 3] {
        return refuse("runtime, deadline and period are for SCHED_DEADLINE only");
    }
    match policy {
        SchedulerPolicy::SchedIso => return refuse("the kernel has the name only, and no such policy"),
        SchedulerPolicy::SchedFifo | SchedulerPolicy::SchedRr => {
            return in_range(priority, 1, 99, || format!("{field}.scheduler.priority ({})", spelled(policy)));
        }
        _ if priority != 0 => return refuse("priority is for SCHED_FIFO and SCHED_RR only"),
        SchedulerPolicy::SchedOther | SchedulerPolicy::SchedBatch => {
            in_range(scheduler.nice.unwrap_or(0), -20, 19, || format!("{field}.scheduler.nice"))?;
        }
        SchedulerPolicy::SchedIdle => {}
        SchedulerPolicy::SchedDeadline => {
            let [runtime, relative, period] = deadline;
            let period = if period == 0 { relative } else { period };
            // DL_SCALE: the kernel's resolution of a runtime
            if runtime < 1024 {
                return refuse("runtime must be 1024 ns or more");
            }
            if runtime > relative || relative > period {
                return refuse("runtime ≤ deadline ≤ period must hold");
            }
        }
    }
    Ok(())
}

fn spelled(policy: SchedulerPolicy) -> String {
    serde_json::to_value(policy).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
