//! One thread, as procfs shows it (`proc_pid_stat(5)`, `proc_pid_status(5)`, `Documentation/scheduler/sched-stats.rst`).

use super::Exposition;
use super::family::{
    THREAD_INFO, THREAD_INVOLUNTARY, THREAD_MIGRATIONS, THREAD_NICE, THREAD_OUTSIDE, THREAD_PRIORITY, THREAD_RUN,
    THREAD_SLICES, THREAD_VOLUNTARY, THREAD_WAIT,
};
use crate::host::Host;
use crate::sched::{CpuSet, policy_name};

/// What is read of a thread.
pub(super) struct Thread {
    name: String,
    policy: u32,
    priority: u32,
    nice: i32,
    last_cpu: u32,
    allowed: Option<CpuSet>,
    run: Option<f64>,
    wait: Option<f64>,
    slices: Option<f64>,
    voluntary: Option<f64>,
    involuntary: Option<f64>,
    migrations: Option<f64>,
}

impl Thread {
    /// Reads it; `None` when it has ended meanwhile.
    pub(super) fn read(host: &Host, pid: i32, tid: i32) -> Option<Thread> {
        let file = |name: &str| host.text(format!("/proc/{pid}/task/{tid}/{name}")).ok().flatten();
        let stat = file("stat")?;
        let (name, fields) = fields(&stat)?;
        let status = file("status")?;
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let number = |name: &str| field(name)?.parse().ok();
        let schedstat = file("schedstat").unwrap_or_default();
        let mut times = schedstat.split_whitespace().map(|word| word.parse::<f64>().ok());
        let sched = file("sched").unwrap_or_default();
        let migrations = sched.lines().find_map(|line| line.strip_prefix("se.nr_migrations")?.split_once(':'));
        Some(Thread {
            name: name.to_owned(),
            // Fields 41, 40, 19 and 39 of the manual page, which counts from 1; these begin with the third.
            policy: fields.get(38)?.parse().ok()?,
            priority: fields.get(37)?.parse().ok()?,
            nice: fields.get(16)?.parse().ok()?,
            last_cpu: fields.get(36)?.parse().ok()?,
            allowed: field("Cpus_allowed_list").and_then(|list| CpuSet::parse(list).ok()),
            run: times.next().flatten().map(|time| time / 1e9),
            wait: times.next().flatten().map(|time| time / 1e9),
            slices: times.next().flatten(),
            voluntary: number("voluntary_ctxt_switches"),
            involuntary: number("nonvoluntary_ctxt_switches"),
            migrations: migrations.and_then(|(_, count)| count.trim().parse().ok()),
        })
    }

    /// Seconds on a CPU, of a thread with a real-time policy.
    pub(super) fn real_time_run(&self) -> Option<f64> {
        matches!(self.policy, 1 | 2 | 6).then_some(self.run).flatten()
    }

    /// Adds its samples; `asked` are its container's CPUs.
    pub(super) fn add(&self, to: &mut Exposition, container: &str, pid: i32, tid: i32, asked: Option<&CpuSet>) {
        let (pid, tid) = (pid.to_string(), tid.to_string());
        let labels = [container, &pid, &tid];
        to.add(THREAD_INFO, &[container, &pid, &tid, &self.name, policy_name(self.policy)], 1.0);
        to.add(THREAD_PRIORITY, &labels, self.priority.into());
        to.add(THREAD_NICE, &labels, self.nice.into());
        to.maybe(THREAD_RUN, &labels, self.run);
        to.maybe(THREAD_WAIT, &labels, self.wait);
        to.maybe(THREAD_SLICES, &labels, self.slices);
        to.maybe(THREAD_VOLUNTARY, &labels, self.voluntary);
        to.maybe(THREAD_INVOLUNTARY, &labels, self.involuntary);
        to.maybe(THREAD_MIGRATIONS, &labels, self.migrations);
        let outside = asked.map(|asked| {
            let may = self.allowed.as_ref().is_some_and(|allowed| !allowed.is_subset(asked));
            f64::from(u8::from(may || !asked.contains(self.last_cpu)))
        });
        to.maybe(THREAD_OUTSIDE, &labels, outside);
    }
}

/// The name, and the fields after it: the name may hold blanks and brackets.
fn fields(stat: &str) -> Option<(&str, Vec<&str>)> {
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    Some((stat.get(open + 1..close)?, stat.get(close + 1..)?.split_whitespace().collect()))
}

#[cfg(test)]
mod tests {
    use super::super::Syntax;
    use super::*;
    use crate::host::fake::Tree;

    const STAT: &str = "7 (a) b) S 1 7 7 0 -1 4194560 10 20 3 4 5 6 0 0 -51 0 1 0 99 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 \
                        17 3 50 1 0 0 0";

    #[test]
    fn a_thread_of_files() {
        let tree = Tree::new()
            .file("/proc/7/task/7/stat", STAT)
            .file("/proc/7/task/7/schedstat", "1500000000 2000000 9\n")
            .file("/proc/7/task/7/sched", "x\nse.nr_migrations                      :                    4\n")
            .file(
                "/proc/7/task/7/status",
                "Cpus_allowed_list:\t3\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n",
            );
        let thread = Thread::read(&tree.host(), 7, 7).unwrap();
        assert_eq!((thread.name.as_str(), thread.policy, thread.priority, thread.last_cpu), ("a) b", 1, 50, 3));
        assert_eq!(thread.real_time_run(), Some(1.5));
        let mut to = Exposition::default();
        thread.add(&mut to, "c", 7, 7, Some(&CpuSet::parse("2-3").unwrap()));
        thread.add(&mut to, "d", 7, 7, Some(&CpuSet::parse("2").unwrap()));
        let text = to.text(Syntax::OpenMetrics);
        for line in [
            "rtrun_thread_info{container=\"c\",pid=\"7\",tid=\"7\",name=\"a) b\",policy=\"SCHED_FIFO\"} 1",
            "rtrun_thread_wait_seconds_total{container=\"c\",pid=\"7\",tid=\"7\"} 0.002",
            "rtrun_thread_migrations_total{container=\"c\",pid=\"7\",tid=\"7\"} 4",
            "rtrun_thread_outside_cpus{container=\"c\",pid=\"7\",tid=\"7\"} 0",
            "rtrun_thread_outside_cpus{container=\"d\",pid=\"7\",tid=\"7\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(Thread::read(&tree.host(), 8, 8).is_none());
    }

    #[test]
    fn a_thread_of_this_machine() {
        let pid = std::process::id() as i32;
        let thread = Thread::read(&Host::default(), pid, pid).unwrap();
        assert!(thread.run.is_some_and(|run| run >= 0.0) || !Host::default().has("/proc/schedstat"));
    }
}
