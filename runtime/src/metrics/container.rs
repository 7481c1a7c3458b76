use super::Exposition;
use super::family::*;
use super::thread::Thread;
use crate::cgroup::{Cgroup, Stats};
use crate::check::Wanted;
use crate::host::Host;
use crate::report::{Baseline, Realtime, faults, interrupts};
use crate::sched::CpuSet;
use crate::state::{Container, Status};
use nix::unistd::Pid;

const STATUSES: [Status; 5] = [Status::Creating, Status::Created, Status::Running, Status::Paused, Status::Stopped];

/// Adds a container's samples. What has ended meanwhile, or can't be had on this host, is left out.
pub fn container(host: &Host, container: &Container, to: &mut Exposition) {
    let id = container.id();
    // What can't be told is no sample.
    let Ok(status) = container.status() else { return };
    let cpus = asked_cpus(container);
    let list = cpus.as_ref().map(CpuSet::to_string).unwrap_or_default();
    to.add(CONTAINER_INFO, &[id, &container.state.bundle.display().to_string(), &list], 1.0);
    for one in STATUSES {
        to.add(CONTAINER_STATUS, &[id, &one.to_string()], f64::from(u8::from(one == status)));
    }
    to.add(CONTAINER_CREATED, &[id], container.state.created as f64);
    let realtime = container.state.realtime.as_deref();
    if let Some(realtime) = realtime {
        start(id, realtime, to);
    }
    let Some(cgroup) = container.cgroup().filter(|_| status != Status::Stopped) else { return };
    if let Ok(stats) = cgroup.stats() {
        resources(id, &stats, to);
    }
    budget(id, cgroup, to);
    let processes = cgroup.processes().unwrap_or_default();
    threads(host, id, &processes, cpus.as_ref(), to);
    if let Some(base) = realtime.and_then(|realtime| realtime.baseline.as_ref()) {
        since(host, id, &processes, base, to);
    }
}

/// How the start went.
fn start(id: &str, realtime: &Realtime, to: &mut Exposition) {
    for phase in &realtime.phases {
        to.add(START_PHASE, &[id, &phase.name], phase.nanoseconds as f64 / 1e9);
    }
    to.maybe(VERIFIED, &[id], realtime.holds().map(|holds| f64::from(u8::from(holds))));
    to.maybe(DIFFERENCES, &[id], realtime.holds().map(|_| realtime.differences().count() as f64));
    to.maybe(LATENCY_BUDGET, &[id], realtime.latency_budget.map(|nanoseconds| nanoseconds as f64 / 1e9));
}

/// Its own CPUs, or those that the configuration of a plain container names.
fn asked_cpus(container: &Container) -> Option<CpuSet> {
    if let Some(cpus) = container.state.realtime.as_ref().and_then(|realtime| realtime.cpus.clone()) {
        return Some(cpus);
    }
    Wanted::of(&container.config().ok()?).ok()?.cpus
}

fn resources(id: &str, stats: &Stats, to: &mut Exposition) {
    let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
    let throttling = &stats.cpu.throttling;
    to.add(CPU, &[id], seconds(stats.cpu.usage.total));
    to.add(CPU_PERIODS, &[id], throttling.periods as f64);
    to.add(CPU_THROTTLED_PERIODS, &[id], throttling.throttled_periods as f64);
    to.add(CPU_THROTTLED, &[id], seconds(throttling.throttled_time));
    let memory = &stats.memory;
    to.add(MEMORY, &[id], memory.usage.usage as f64);
    to.maybe(MEMORY_PEAK, &[id], Some(memory.usage.max as f64).filter(|peak| *peak > 0.0));
    // v1's word for "no limit" is the greatest multiple of a page.
    let limited = memory.usage.limit > 0 && memory.usage.limit < 1 << 62;
    to.maybe(MEMORY_LIMIT, &[id], limited.then_some(memory.usage.limit as f64));
    to.add(SWAP, &[id], memory.swap.usage.saturating_sub(memory.usage.usage) as f64);
    to.add(TASKS, &[id], stats.pids.current as f64);
}

fn budget(id: &str, cgroup: &Cgroup, to: &mut Exposition) {
    if let Some((runtime, period)) = cgroup.realtime_budget() {
        to.add(RT_RUNTIME, &[id], runtime as f64 / 1e6);
        to.add(RT_PERIOD, &[id], period as f64 / 1e6);
    }
}

fn threads(host: &Host, id: &str, processes: &[Pid], cpus: Option<&CpuSet>, to: &mut Exposition) {
    let mut real_time = 0.0;
    for pid in processes.iter().map(|pid| pid.as_raw()) {
        for tid in host.names(format!("/proc/{pid}/task")).unwrap_or_default() {
            let Some((tid, thread)) = tid.parse().ok().and_then(|tid| Some((tid, Thread::read(host, pid, tid)?)))
            else {
                continue;
            };
            real_time += thread.real_time_run().unwrap_or(0.0);
            thread.add(to, id, pid, tid, cpus);
        }
    }
    to.add(RT_RUN, &[id], real_time);
}

/// Adds what has happened since the counters were taken down.
fn since(host: &Host, id: &str, processes: &[Pid], base: &Baseline, to: &mut Exposition) {
    let sum = |(minor, major): (u64, u64), pid: &Pid| {
        let (more_minor, more_major) = faults(host, pid.as_raw()).unwrap_or_default();
        (minor + more_minor, major + more_major)
    };
    let (minor, major) = processes.iter().fold((0, 0), sum);
    to.add(FAULTS, &[id, "minor"], minor.saturating_sub(base.minor_faults) as f64);
    to.add(FAULTS, &[id, "major"], major.saturating_sub(base.major_faults) as f64);
    let cpus: CpuSet = base.interrupts.keys().copied().collect();
    for (cpu, now) in interrupts(host, &cpus) {
        let then = base.interrupts.get(&cpu).copied().unwrap_or_default();
        for ((source, now), (_, then)) in now.sources().into_iter().zip(then.sources()) {
            to.add(INTERRUPTS, &[id, &cpu.to_string(), source], now.saturating_sub(then) as f64);
        }
    }
}
