//! Reads each effect back from the kernel.

use super::{Outcome, Proof, Step};
use crate::sched::{self, SchedAttr};
use crate::spec::Scheduler;
use nix::unistd::Pid;
use rtrun_hooks::CpuSet;
use std::path::Path;

/// Reads back what can be, and notes the outcome in each step; `pid` is the container's init. Steps whose outcome is known
/// already, as what the ledger did, keep it.
pub fn read_back(steps: &mut [Step], pid: Pid, scheduler: Option<&Scheduler>) {
    for step in steps.iter_mut().filter(|step| step.outcome.is_none()) {
        step.outcome = outcome(step, pid, scheduler);
    }
}

fn outcome(step: &Step, pid: Pid, scheduler: Option<&Scheduler>) -> Option<Outcome> {
    let value = step.value.as_str();
    Some(match &step.proof {
        Proof::None => return None,
        Proof::Text(path) => compare(read(path), |found| found == value),
        Proof::Word(path) => compare(read(path), |found| found.split_whitespace().next() == Some(value)),
        Proof::List(path) => compare(read(path), |found| CpuSet::parse(found).ok() == CpuSet::parse(value).ok()),
        Proof::AtLeast(path) => compare(read(path), |found| at_least(found, value)),
        Proof::Affinity(cpus) => match sched::get_affinity(pid) {
            Ok(found) => Outcome { holds: found == *cpus, found: Some(found.to_string()), note: None },
            Err(error) => unreadable(&error),
        },
        Proof::Scheduler => policy(pid, scheduler?),
        Proof::Limit { name, value } => match sched::get_limit(pid, name) {
            Ok((soft, hard)) => {
                let found = if soft == u64::MAX { "unlimited".to_owned() } else { soft.to_string() };
                Outcome { found: Some(found), holds: soft == *value && hard == *value, note: None }
            }
            Err(error) => unreadable(&error),
        },
    })
}

fn policy(pid: Pid, scheduler: &Scheduler) -> Outcome {
    let found = SchedAttr::plan(scheduler).and_then(|asked| SchedAttr::read(pid).map(|found| (asked, found)));
    match found {
        Ok((asked, found)) => {
            let difference = asked.matches(&found).err();
            Outcome { found: Some(found.to_string()), holds: difference.is_none(), note: difference }
        }
        Err(error) => unreadable(&error),
    }
}

fn read(path: &Path) -> Result<String, std::io::Error> {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned())
}

fn compare(found: Result<String, std::io::Error>, holds: impl Fn(&str) -> bool) -> Outcome {
    match found {
        Ok(found) => Outcome { holds: holds(&found), found: Some(found), note: None },
        Err(error) => unreadable(&error),
    }
}

/// −1 is no limit.
fn at_least(found: &str, least: &str) -> bool {
    matches!((found.parse::<i64>(), least.parse::<i64>()), (Ok(found), Ok(least)) if found >= least || found == -1)
}

fn unreadable(error: &dyn std::error::Error) -> Outcome {
    Outcome { found: None, holds: false, note: Some(error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::super::What;
    use super::*;

    fn step(value: &str, proof: Proof) -> Step {
        Step::new(What::Cgroup, "t", value, "org.rtrun.cpus").proven(proof)
    }

    #[test]
    fn files_are_compared_as_what_they_are() {
        let path = std::env::temp_dir().join(format!("rtrun-readback-{}", std::process::id()));
        let holds = |text: &str, value: &str, proof: fn(std::path::PathBuf) -> Proof| {
            std::fs::write(&path, text).unwrap();
            let mut steps = [step(value, proof(path.clone()))];
            read_back(&mut steps, Pid::from_raw(0), None);
            steps[0].outcome.clone().unwrap().holds
        };
        assert!(holds("isolated\n", "isolated", Proof::Text));
        assert!(!holds("isolated invalid (Parent is not a partition root)\n", "isolated", Proof::Text));
        assert!(holds("max 100000\n", "max", Proof::Word) && !holds("1 100000\n", "max", Proof::Word));
        assert!(holds("0-1\n", "1,0", Proof::List) && !holds("0\n", "0-1", Proof::List));
        assert!(holds("200\n", "100", Proof::AtLeast) && holds("-1\n", "100", Proof::AtLeast));
        assert!(!holds("99\n", "100", Proof::AtLeast) && !holds("x\n", "100", Proof::AtLeast));
        std::fs::remove_file(&path).unwrap();
        let mut gone = [step("1", Proof::Text(path))];
        read_back(&mut gone, Pid::from_raw(0), None);
        assert_eq!(
            gone[0].to_string(),
            "t: asked for 1 (org.rtrun.cpus), and it can't be read back: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn a_process_is_asked_for_its_own() {
        let own = Pid::from_raw(0);
        let cpus = sched::get_affinity(own).unwrap();
        let more = cpus.or(&CpuSet::parse("8190").unwrap());
        let (soft, hard) = sched::get_limit(own, "RLIMIT_CORE").unwrap();
        let limit = |value| Proof::Limit { name: "RLIMIT_CORE".into(), value };
        let mut steps = [
            step("", Proof::Affinity(cpus)),
            step("", Proof::Affinity(more)),
            step("", limit(soft)),
            step("", limit(soft.wrapping_sub(1))),
            step("SCHED_FIFO priority 1", Proof::Scheduler),
        ];
        let fifo =
            Scheduler { policy: crate::spec::SchedulerPolicy::SchedFifo, priority: Some(1), ..Scheduler::default() };
        read_back(&mut steps, own, Some(&fifo));
        let holds: Vec<bool> = steps.iter().map(|step| step.outcome.as_ref().unwrap().holds).collect();
        assert_eq!(holds, [true, false, soft == hard, false, false]);
        assert!(
            steps[4].to_string().contains("policy: asked for SCHED_FIFO, the kernel has SCHED_OTHER"),
            "{}",
            steps[4]
        );
    }
}
