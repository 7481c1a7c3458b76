//! Scheduling domains: whether the host can make the partition that is asked for, and whether SCHED_DEADLINE's conditions
//! hold in it (`Documentation/scheduler/sched-deadline.rst`, §5 and §6; `cgroup-v2.rst`, `cpuset.cpus.partition`).

use super::{Builder, Error};
use crate::host::{Host, cpu::Cpus};
use crate::report::{Proof, Step, What};
use crate::spec::{Scheduler, SchedulerPolicy};
use rtrun_hooks::CpuSet;
use rtrun_hooks::annotation::Partition;

/// The files that make the partition.
pub(super) fn partition(plan: &mut Builder, cpus: &CpuSet) -> Result<(), Error> {
    let partition = plan.profile.partition;
    if partition == Partition::Member {
        return Ok(());
    }
    let asked = plan.profile.asked("cpus.partition").to_owned();
    let impossible =
        |problem: String, remedy| Error::Impossible { asked: format!("{asked}={partition}"), problem, remedy };
    let files = plan.cgroup.partition_files(partition, cpus);
    if files.is_empty() {
        let remedy = "enable it (CONFIG_CPUSETS), and let the caller's cgroup manager make cgroups";
        return Err(impossible("there is no cpuset controller for the container's cgroup".into(), remedy));
    }
    if let Some(file) = plan.cgroup.balanced_root() {
        let remedy = "write 0 to it, and give the node's other CPUs a cpuset of their own; or use cgroup v2";
        let problem =
            format!("{} is 1: all CPUs are one scheduling domain, whatever a cpuset below it says", file.display());
        return Err(impossible(problem, remedy));
    }
    for (path, value) in files {
        let proof = match path.extension() {
            Some(end) if end == "partition" => Proof::Text(path.clone()),
            Some(end) if end == "exclusive" => Proof::None,
            _ => Proof::Text(path.clone()),
        };
        plan.steps.push(Step::file(What::Partition, &path, value, &asked).proven(proof));
    }
    Ok(())
}

/// SCHED_DEADLINE is admitted by root domain: the task's CPUs must be all of one, and its bandwidth must fit in.
pub(super) fn deadline(plan: &Builder, host: &Host, scheduler: &Scheduler) -> Result<(), Error> {
    if scheduler.policy != SchedulerPolicy::SchedDeadline {
        return Ok(());
    }
    let asked = plan.profile.asked("sched.policy").to_owned();
    let impossible =
        |problem: String, remedy| Error::Impossible { asked: format!("{asked}=SCHED_DEADLINE"), problem, remedy };
    let make_root = "ask for org.rtrun.cpus.partition=root, which makes these CPUs a root domain of their own";
    let cpus = plan.profile.cpus.as_ref();
    let domain = match (plan.profile.partition, cpus) {
        (Partition::Isolated, _) => {
            return Err(impossible("isolated CPUs are in no root domain of their own".into(), make_root));
        }
        (Partition::Root, Some(cpus)) => cpus.clone(),
        _ => common_domain(plan, host)?,
    };
    if let Some(cpus) = cpus.filter(|cpus| !domain.is_subset(cpus)) {
        let problem = format!(
            "CPUs {cpus} are not the whole root domain, which is CPUs {domain}: sched_setattr(2) would be EPERM"
        );
        return Err(impossible(problem, make_root));
    }
    let (runtime, period) = (scheduler.runtime.unwrap_or(0), scheduler.period.or(scheduler.deadline).unwrap_or(1));
    let Some(most) = bandwidth(host)? else { return Ok(()) };
    let share = runtime as f64 / period.max(1) as f64;
    let room = most * domain.len() as f64;
    if share > room {
        let problem = format!(
            "runtime/period is {:.1} % of a CPU, and admission control leaves {:.1} % of CPUs {domain}: sched_setattr(2) would be EBUSY",
            100.0 * share,
            100.0 * room
        );
        return Err(impossible(problem, "ask for less, or raise kernel.sched_rt_runtime_us"));
    }
    Ok(())
}

/// The CPUs that are balanced together outside of any partition: those online, less those isolated at boot or taken by
/// partitions.
fn common_domain(plan: &Builder, host: &Host) -> Result<CpuSet, Error> {
    let cpus = Cpus::read(host)?;
    let free = match plan.cgroup.free_cpus() {
        Some(path) => host.list(path)?.unwrap_or_else(|| cpus.online.clone()),
        None => cpus.online.clone(),
    };
    Ok(free.and(&cpus.online).without(&cpus.isolated))
}

/// The part of a CPU's time that real-time and deadline tasks may have; `None` is all of it, unchecked.
fn bandwidth(host: &Host) -> Result<Option<f64>, Error> {
    let number = |name: &str| host.number(format!("/proc/sys/kernel/{name}"));
    match (number("sched_rt_runtime_us")?, number("sched_rt_period_us")?) {
        (Some(runtime), Some(period)) if runtime >= 0 && period > 0 => Ok(Some(runtime as f64 / period as f64)),
        _ => Ok(None),
    }
}
