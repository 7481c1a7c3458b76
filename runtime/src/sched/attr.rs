use super::Error;
use crate::spec::{Scheduler, SchedulerPolicy};
use nix::errno::Errno;
use nix::unistd::Pid;
use std::fmt;

const RESET_ON_FORK: u64 = 0x01;
const RECLAIM: u64 = 0x02;
const DL_OVERRUN: u64 = 0x04;
const KEEP_POLICY: u64 = 0x08;
const KEEP_PARAMS: u64 = 0x10;
const UTIL_CLAMP_MIN: u64 = 0x20;
const UTIL_CLAMP_MAX: u64 = 0x40;

const FLAGS: [(&str, u64); 7] = [
    ("RESET_ON_FORK", RESET_ON_FORK),
    ("RECLAIM", RECLAIM),
    ("DL_OVERRUN", DL_OVERRUN),
    ("KEEP_POLICY", KEEP_POLICY),
    ("KEEP_PARAMS", KEEP_PARAMS),
    ("UTIL_CLAMP_MIN", UTIL_CLAMP_MIN),
    ("UTIL_CLAMP_MAX", UTIL_CLAMP_MAX),
];

const OTHER: u32 = 0;
const FIFO: u32 = 1;
const RR: u32 = 2;
const BATCH: u32 = 3;
const IDLE: u32 = 5;
const DEADLINE: u32 = 6;

/// Shortest runtime that the kernel keeps account of, in nanoseconds (`DL_SCALE`).
const LEAST_RUNTIME: u64 = 1024;

/// `struct sched_attr` of `sched_setattr(2)`, with the utilisation clamps of Linux 5.3.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    /// Nanoseconds, as the next two.
    runtime: u64,
    deadline: u64,
    period: u64,
    util_min: u32,
    util_max: u32,
}

impl SchedAttr {
    /// Checks ranges and contradictions, so that the kernel's bare EINVAL is left for what only it knows.
    ///
    /// `nice` is kept for the policies that use it and ignored for the real-time ones, as the kernel does. The
    /// `UTIL_CLAMP` flags come without a value in the specification and give the clamp back to the system's default.
    ///
    /// # Errors
    /// [`Error::Field`].
    pub fn plan(s: &Scheduler) -> Result<SchedAttr, Error> {
        let mut flags = 0;
        for name in &s.flags {
            let bare = name.strip_prefix("SCHED_FLAG_").unwrap_or(name);
            let known = FLAGS.iter().find(|(flag, _)| *flag == bare);
            flags |= known
                .ok_or_else(|| problem("flags", format!("unknown flag {name:?}; known are {}", flag_names(!0))))?
                .1;
        }
        let attr = SchedAttr {
            size: size_of::<SchedAttr>() as u32,
            policy: policy(s.policy)?,
            flags,
            nice: s.nice.unwrap_or(0),
            priority: s.priority.unwrap_or(0),
            runtime: s.runtime.unwrap_or(0),
            deadline: s.deadline.unwrap_or(0),
            period: s.period.unwrap_or(0),
            util_min: u32::MAX,
            util_max: u32::MAX,
        };
        attr.check_priority()?;
        attr.check_deadline()?;
        Ok(attr)
    }

    /// Gives the policy to a process (its thread of that id).
    ///
    /// # Errors
    /// [`Error::SetAttr`], with what the kernel's EPERM, EBUSY or EINVAL stands for on this host.
    pub fn set(&self, pid: Pid) -> Result<(), Error> {
        // SAFETY: the structure is live and says its size.
        let result = unsafe { libc::syscall(libc::SYS_sched_setattr, pid.as_raw(), self, 0) };
        Errno::result(result).map(drop).map_err(|errno| Error::SetAttr {
            asked: self.to_string(),
            pid: pid.as_raw(),
            errno,
            why: super::refusal::explain(self.policy, errno, pid),
        })
    }

    /// Reads what the kernel has in force for a process.
    ///
    /// # Errors
    /// [`Error::GetAttr`].
    pub fn read(pid: Pid) -> Result<SchedAttr, Error> {
        let mut attr = SchedAttr::default();
        let size = size_of::<SchedAttr>() as u32;
        // SAFETY: the structure is live and as large as said.
        let result = unsafe { libc::syscall(libc::SYS_sched_getattr, pid.as_raw(), &raw mut attr, size, 0) };
        Errno::result(result).map_err(|errno| Error::GetAttr { pid: pid.as_raw(), errno })?;
        Ok(attr)
    }

    /// Compares what was asked for (`self`) with what is in force, in the figures that the policy has.
    ///
    /// # Errors
    /// The first difference, in words.
    pub fn matches(&self, other: &SchedAttr) -> Result<(), String> {
        let same = |what: &str, asked: String, found: String| {
            if asked == found { Ok(()) } else { Err(format!("{what}: asked for {asked}, the kernel has {found}")) }
        };
        if self.flags & KEEP_POLICY == 0 {
            same("policy", policy_name(self.policy).into(), policy_name(other.policy).into())?;
        }
        if self.flags & KEEP_PARAMS == 0 {
            match self.policy {
                FIFO | RR => same("priority", self.priority.to_string(), other.priority.to_string())?,
                DEADLINE => same("bandwidth", self.bandwidth(), other.bandwidth())?,
                // The kernel leaves the caller's, which means nothing under this policy.
                IDLE => {}
                _ => same("nice", self.nice.to_string(), other.nice.to_string())?,
            }
        }
        let kept = if self.policy == DEADLINE { RESET_ON_FORK | RECLAIM | DL_OVERRUN } else { RESET_ON_FORK };
        same("flags", flag_names(self.flags & kept), flag_names(other.flags & kept))
    }

    fn bandwidth(&self) -> String {
        // The kernel stores the deadline as the period where none is given.
        let period = if self.period == 0 { self.deadline } else { self.period };
        format!("runtime {} deadline {} period {period} ns", self.runtime, self.deadline)
    }

    fn check_priority(&self) -> Result<(), Error> {
        let name = policy_name(self.policy);
        match self.policy {
            FIFO | RR if !(1..=99).contains(&self.priority) && self.flags & KEEP_PARAMS == 0 => {
                Err(problem("priority", format!("{name} needs 1 to 99, not {}", self.priority)))
            }
            FIFO | RR => Ok(()),
            _ if self.priority != 0 => Err(problem(
                "priority",
                format!("{} contradicts {name}; only SCHED_FIFO and SCHED_RR have one", self.priority),
            )),
            OTHER | BATCH if !(-20..=19).contains(&self.nice) => {
                Err(problem("nice", format!("{} is not -20 to 19", self.nice)))
            }
            IDLE if self.nice != 0 => Err(problem(
                "nice",
                format!("{} contradicts {name}; only SCHED_OTHER and SCHED_BATCH have one", self.nice),
            )),
            _ => Ok(()),
        }
    }

    fn check_deadline(&self) -> Result<(), Error> {
        let name = policy_name(self.policy);
        if self.policy != DEADLINE {
            for (field, value) in [("runtime", self.runtime), ("deadline", self.deadline), ("period", self.period)] {
                if value != 0 {
                    return Err(problem(field, format!("{value} contradicts {name}; only SCHED_DEADLINE has one")));
                }
            }
            let stray = self.flags & (RECLAIM | DL_OVERRUN);
            return match stray {
                0 => Ok(()),
                _ => {
                    Err(problem("flags", format!("{} contradicts {name}; for SCHED_DEADLINE only", flag_names(stray))))
                }
            };
        }
        if self.flags & KEEP_PARAMS != 0 {
            return Ok(());
        }
        let period = if self.period == 0 { self.deadline } else { self.period };
        if self.runtime < LEAST_RUNTIME {
            return Err(problem("runtime", format!("{} ns is below the least, {LEAST_RUNTIME} ns", self.runtime)));
        }
        if self.runtime > self.deadline || self.deadline > period || period >= 1 << 63 {
            let problem_text = format!("{}: runtime ≤ deadline ≤ period < 2^63 is needed", self.bandwidth());
            return Err(problem("deadline", problem_text));
        }
        Ok(())
    }
}

impl fmt::Display for SchedAttr {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(policy_name(self.policy))?;
        match self.policy {
            FIFO | RR => write!(f, " priority {}", self.priority)?,
            DEADLINE => write!(f, " {}", self.bandwidth())?,
            IDLE => {}
            _ => write!(f, " nice {}", self.nice)?,
        }
        if self.flags != 0 {
            write!(f, " flags {}", flag_names(self.flags))?;
        }
        Ok(())
    }
}

fn policy(policy: SchedulerPolicy) -> Result<u32, Error> {
    match policy {
        SchedulerPolicy::SchedOther => Ok(OTHER),
        SchedulerPolicy::SchedFifo => Ok(FIFO),
        SchedulerPolicy::SchedRr => Ok(RR),
        SchedulerPolicy::SchedBatch => Ok(BATCH),
        SchedulerPolicy::SchedIdle => Ok(IDLE),
        SchedulerPolicy::SchedDeadline => Ok(DEADLINE),
        SchedulerPolicy::SchedIso => {
            Err(problem("policy", "SCHED_ISO is reserved in the kernel's headers and was never implemented".into()))
        }
    }
}

/// Name of a policy by its number in `linux/sched.h`.
pub fn policy_name(policy: u32) -> &'static str {
    match policy {
        OTHER => "SCHED_OTHER",
        FIFO => "SCHED_FIFO",
        RR => "SCHED_RR",
        BATCH => "SCHED_BATCH",
        IDLE => "SCHED_IDLE",
        DEADLINE => "SCHED_DEADLINE",
        7 => "SCHED_EXT",
        _ => "an unknown policy",
    }
}

fn flag_names(flags: u64) -> String {
    let names: Vec<_> = FLAGS.iter().filter(|(_, flag)| flags & flag != 0).map(|(name, _)| *name).collect();
    if names.is_empty() { "none".into() } else { names.join("|") }
}

fn problem(field: &'static str, problem: String) -> Error {
    let field = match field {
        "policy" => "process.scheduler.policy",
        "nice" => "process.scheduler.nice",
        "priority" => "process.scheduler.priority",
        "flags" => "process.scheduler.flags",
        "runtime" => "process.scheduler.runtime",
        "deadline" => "process.scheduler.deadline",
        _ => "process.scheduler.period",
    };
    Error::Field { field, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheduler(policy: SchedulerPolicy) -> Scheduler {
        Scheduler { policy, ..Scheduler::default() }
    }

    #[test]
    fn contradictions_and_ranges_are_named() {
        use SchedulerPolicy::*;
        let deadline = |runtime, deadline, period| Scheduler {
            runtime: Some(runtime),
            deadline: Some(deadline),
            period: Some(period),
            ..scheduler(SchedDeadline)
        };
        for (s, part) in [
            (scheduler(SchedFifo), "process.scheduler.priority: SCHED_FIFO needs 1 to 99, not 0"),
            (Scheduler { priority: Some(100), ..scheduler(SchedRr) }, "SCHED_RR needs 1 to 99, not 100"),
            (Scheduler { priority: Some(1), ..scheduler(SchedOther) }, "priority: 1 contradicts SCHED_OTHER"),
            (Scheduler { nice: Some(20), ..scheduler(SchedBatch) }, "process.scheduler.nice: 20 is not -20 to 19"),
            (Scheduler { nice: Some(5), ..scheduler(SchedIdle) }, "process.scheduler.nice: 5 contradicts SCHED_IDLE"),
            (Scheduler { runtime: Some(1), ..scheduler(SchedOther) }, "runtime: 1 contradicts SCHED_OTHER"),
            (scheduler(SchedIso), "process.scheduler.policy: SCHED_ISO"),
            (deadline(1000, 1_000_000, 1_000_000), "process.scheduler.runtime: 1000 ns is below the least"),
            (deadline(2_000_000, 1_000_000, 1_000_000), "runtime ≤ deadline ≤ period"),
            (deadline(10_000, 2_000_000, 1_000_000), "runtime ≤ deadline ≤ period"),
            (
                Scheduler { flags: vec!["SCHED_FLAG_X".into()], ..scheduler(SchedOther) },
                "unknown flag \"SCHED_FLAG_X\"",
            ),
            (Scheduler { flags: vec!["RECLAIM".into()], ..scheduler(SchedOther) }, "RECLAIM contradicts SCHED_OTHER"),
        ] {
            let error = SchedAttr::plan(&s).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn both_spellings_of_a_flag_are_one() {
        let with = |flag: &str| {
            SchedAttr::plan(&Scheduler { flags: vec![flag.into()], ..scheduler(SchedulerPolicy::SchedOther) }).unwrap()
        };
        assert_eq!(with("SCHED_FLAG_RESET_ON_FORK"), with("RESET_ON_FORK"));
    }

    #[test]
    fn what_is_set_is_read_back() {
        std::thread::spawn(|| {
            let flags = vec!["SCHED_FLAG_RESET_ON_FORK".into()];
            let s = Scheduler { nice: Some(7), flags, ..scheduler(SchedulerPolicy::SchedBatch) };
            let asked = SchedAttr::plan(&s).unwrap();
            asked.set(Pid::from_raw(0)).unwrap();
            let found = SchedAttr::read(Pid::from_raw(0)).unwrap();
            asked.matches(&found).unwrap();
            let other = SchedAttr::plan(&Scheduler { nice: Some(8), ..s }).unwrap();
            assert_eq!(other.matches(&found).unwrap_err(), "nice: asked for 8, the kernel has 7");
        })
        .join()
        .unwrap();
    }

    #[test]
    fn the_callers_nice_is_no_difference_under_sched_idle() {
        std::thread::spawn(|| {
            let thread = Pid::from_raw(0);
            let nice = Scheduler { nice: Some(5), ..scheduler(SchedulerPolicy::SchedOther) };
            SchedAttr::plan(&nice).unwrap().set(thread).unwrap();
            let asked = SchedAttr::plan(&scheduler(SchedulerPolicy::SchedIdle)).unwrap();
            asked.set(thread).unwrap();
            asked.matches(&SchedAttr::read(thread).unwrap()).unwrap();
        })
        .join()
        .unwrap();
    }

    #[test]
    fn fifo_takes_effect_or_its_refusal_says_why() {
        std::thread::spawn(|| {
            let asked =
                SchedAttr::plan(&Scheduler { priority: Some(1), ..scheduler(SchedulerPolicy::SchedFifo) }).unwrap();
            match asked.set(Pid::from_raw(0)) {
                Ok(()) => asked.matches(&SchedAttr::read(Pid::from_raw(0)).unwrap()).unwrap(),
                Err(error) => assert!(error.to_string().contains("RT"), "{error}"),
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_refused_deadline_is_explained() {
        let s =
            Scheduler { runtime: Some(10_000), deadline: Some(20_000), ..scheduler(SchedulerPolicy::SchedDeadline) };
        std::thread::spawn(move || {
            let error = SchedAttr::plan(&s).unwrap().set(Pid::from_raw(0)).unwrap_err().to_string();
            assert!(error.contains("sched_deadline_period") || error.contains("CAP_SYS_NICE"), "{error}");
        })
        .join()
        .unwrap();
    }

    #[test]
    fn create_refuses_what_start_could_not_set() {
        use crate::spec::{ExecCpuAffinity, IoPriority, IoPriorityClass, Process};
        let scheduler = Some(scheduler(SchedulerPolicy::SchedFifo));
        let io_priority = Some(IoPriority { class: IoPriorityClass::IoprioClassRt, priority: -1 });
        let exec_cpu_affinity = Some(ExecCpuAffinity { initial: None, last: Some("3-1".into()) });
        for (process, part) in [
            (Process { scheduler, ..Process::default() }, "process.scheduler.priority"),
            (Process { io_priority, ..Process::default() }, "process.ioPriority.priority"),
            (Process { exec_cpu_affinity, ..Process::default() }, "runs backwards"),
        ] {
            let error = crate::sched::check(&process).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
