use super::Error;
use crate::spec::Rlimit;
use nix::errno::Errno;
use nix::unistd::Pid;
use rtrun_hooks::nearest;

/// All limits of `getrlimit(2)`.
const NAMES: [(&str, u32); 16] = [
    ("RLIMIT_AS", libc::RLIMIT_AS),
    ("RLIMIT_CORE", libc::RLIMIT_CORE),
    ("RLIMIT_CPU", libc::RLIMIT_CPU),
    ("RLIMIT_DATA", libc::RLIMIT_DATA),
    ("RLIMIT_FSIZE", libc::RLIMIT_FSIZE),
    ("RLIMIT_LOCKS", libc::RLIMIT_LOCKS),
    ("RLIMIT_MEMLOCK", libc::RLIMIT_MEMLOCK),
    ("RLIMIT_MSGQUEUE", libc::RLIMIT_MSGQUEUE),
    ("RLIMIT_NICE", libc::RLIMIT_NICE),
    ("RLIMIT_NOFILE", libc::RLIMIT_NOFILE),
    ("RLIMIT_NPROC", libc::RLIMIT_NPROC),
    ("RLIMIT_RSS", libc::RLIMIT_RSS),
    ("RLIMIT_RTPRIO", libc::RLIMIT_RTPRIO),
    ("RLIMIT_RTTIME", libc::RLIMIT_RTTIME),
    ("RLIMIT_SIGPENDING", libc::RLIMIT_SIGPENDING),
    ("RLIMIT_STACK", libc::RLIMIT_STACK),
];

/// The limits to set, ready for the kernel.
#[derive(Clone, Debug, Default)]
pub struct Rlimits(Vec<(&'static str, u32, libc::rlimit64)>);

impl Rlimits {
    /// Checks names and values.
    ///
    /// # Errors
    /// [`Error::Field`]: an unknown name (with the nearest known), the same limit twice, a soft limit above the hard.
    pub fn plan(limits: &[Rlimit]) -> Result<Rlimits, Error> {
        let mut planned: Vec<(&'static str, u32, libc::rlimit64)> = Vec::with_capacity(limits.len());
        for Rlimit { kind, soft, hard } in limits {
            let Some((name, number)) = NAMES.into_iter().find(|(name, _)| name == kind) else {
                let nearest = nearest(kind, NAMES.iter().map(|(name, _)| *name));
                return Err(problem(format!("unknown limit {kind:?}; the nearest is {nearest}")));
            };
            if planned.iter().any(|(other, ..)| *other == name) {
                return Err(problem(format!("{name} is given twice")));
            }
            if soft > hard {
                return Err(problem(format!("{name}: soft {soft} is above hard {hard}")));
            }
            planned.push((name, number, libc::rlimit64 { rlim_cur: *soft, rlim_max: *hard }));
        }
        Ok(Rlimits(planned))
    }

    /// Sets the limits of a process; from outside, since inside a user namespace no hard limit can be raised.
    ///
    /// # Errors
    /// [`Error::Rlimit`] names the first one refused.
    pub fn apply(&self, pid: Pid) -> Result<(), Error> {
        for (name, number, limit) in &self.0 {
            if let Err(errno) = prlimit(pid, *number, Some(limit)) {
                let current = prlimit(pid, *number, None).map_or(0, |old| old.rlim_max);
                return Err(Error::Rlimit { name, soft: limit.rlim_cur, hard: limit.rlim_max, current, errno });
            }
        }
        Ok(())
    }
}

/// Soft and hard limit of a process; `u64::MAX` is none.
///
/// # Errors
/// [`Error::Field`] for an unknown name, [`Error::GetRlimit`].
pub fn get_limit(pid: Pid, name: &str) -> Result<(u64, u64), Error> {
    let Some((name, number)) = NAMES.into_iter().find(|(known, _)| *known == name) else {
        return Err(problem(format!("unknown limit {name:?}")));
    };
    let limit = prlimit(pid, number, None).map_err(|errno| Error::GetRlimit { name, pid: pid.as_raw(), errno })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

fn prlimit(pid: Pid, number: u32, new: Option<&libc::rlimit64>) -> Result<libc::rlimit64, Errno> {
    let mut old = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: new is null or points to a live structure, old is live.
    Errno::result(unsafe { libc::syscall(libc::SYS_prlimit64, pid.as_raw(), number, new, &mut old) })?;
    Ok(old)
}

fn problem(problem: String) -> Error {
    Error::Field { field: "process.rlimits", problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(kind: &str, soft: u64, hard: u64) -> Rlimit {
        Rlimit { kind: kind.into(), soft, hard }
    }

    #[test]
    fn wrong_limits_are_named() {
        for (limits, part) in [
            (vec![limit("RLIMIT_NOFILES", 1, 1)], "unknown limit \"RLIMIT_NOFILES\"; the nearest is RLIMIT_NOFILE"),
            (vec![limit("RLIMIT_CPU", 1, 1), limit("RLIMIT_CPU", 2, 2)], "RLIMIT_CPU is given twice"),
            (vec![limit("RLIMIT_CORE", 2, 1)], "RLIMIT_CORE: soft 2 is above hard 1"),
        ] {
            let error = Rlimits::plan(&limits).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_lowered_soft_limit_is_in_force() {
        let before = prlimit(Pid::from_raw(0), libc::RLIMIT_CORE, None).unwrap();
        Rlimits::plan(&[limit("RLIMIT_CORE", 0, before.rlim_max)]).unwrap().apply(Pid::from_raw(0)).unwrap();
        assert_eq!(prlimit(Pid::from_raw(0), libc::RLIMIT_CORE, None).unwrap().rlim_cur, 0);
    }
}
