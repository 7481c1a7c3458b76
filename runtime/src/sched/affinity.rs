use super::Error;
use nix::errno::Errno;
use nix::unistd::Pid;
use std::fmt;
use std::str::FromStr;

/// The kernel's own largest `CONFIG_NR_CPUS`.
const MOST: u32 = 8192;
const ONLINE: &str = "/sys/devices/system/cpu/online";

/// A set of CPUs (or NUMA nodes), in the kernel's list format and as the mask that system calls take.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CpuSet {
    /// Bit n of the whole for CPU n; no zero words at the end.
    words: Vec<u64>,
}

impl CpuSet {
    /// Reads a list: `0-3,7`, blanks around allowed, also the kernel's `0-31:2/4` (2 of each 4).
    ///
    /// # Errors
    /// [`Error::List`].
    pub fn parse(text: &str) -> Result<CpuSet, Error> {
        let problem = |problem: String| Error::List { text: text.to_owned(), problem };
        let number = |digits: &str| {
            let value = u32::from_str(digits.trim()).ok().filter(|value| *value < MOST);
            value.ok_or_else(|| problem(format!("{digits:?} is not a number below {MOST}")))
        };
        let mut set = CpuSet::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (range, stride) = part.split_once(':').map_or((part, None), |(range, stride)| (range, Some(stride)));
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(problem(format!("{range:?} runs backwards")));
            }
            let (used, group) = match stride.map(|stride| stride.split_once('/')) {
                None => (1, 1),
                Some(Some((used, group))) => (number(used)?, number(group)?),
                Some(None) => return Err(problem(format!("{part:?} lacks its /group"))),
            };
            if used == 0 || used > group {
                return Err(problem(format!("{part:?} uses {used} of {group}")));
            }
            (first..=last).filter(|cpu| (cpu - first) % group < used).for_each(|cpu| set.insert(cpu));
        }
        Ok(set)
    }

    /// The CPUs online on this host.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::List`].
    pub fn online() -> Result<CpuSet, Error> {
        let text = std::fs::read_to_string(ONLINE).map_err(|source| Error::Read { path: ONLINE, source })?;
        CpuSet::parse(text.trim())
    }

    /// Confirms that the host has all these CPUs: `sched_setaffinity(2)` would leave missing ones out in silence.
    ///
    /// # Errors
    /// [`Error::NoSuchCpu`], and those of [`CpuSet::online`].
    fn check_online(&self) -> Result<(), Error> {
        let online = CpuSet::online()?;
        let missing: CpuSet = self.iter().filter(|cpu| !online.contains(*cpu)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::NoSuchCpu { asked: self.to_string(), missing: missing.to_string(), online: online.to_string() })
    }

    /// Confines a process (its thread of that id) to these CPUs, all of which must exist.
    ///
    /// # Errors
    /// [`Error::NoSuchCpu`], [`Error::SetAffinity`].
    pub fn set_affinity(&self, pid: Pid) -> Result<(), Error> {
        self.check_online()?;
        let mask = self.words();
        // SAFETY: the mask is live and as long as said.
        let result =
            unsafe { libc::syscall(libc::SYS_sched_setaffinity, pid.as_raw(), size_of_val(mask), mask.as_ptr()) };
        Errno::result(result).map(drop).map_err(|errno| Error::SetAffinity {
            pid: pid.as_raw(),
            cpus: self.to_string(),
            errno,
        })
    }

    /// The CPUs that a process may use.
    ///
    /// # Errors
    /// [`Error::GetAffinity`].
    pub fn get_affinity(pid: Pid) -> Result<CpuSet, Error> {
        let mut words = [0u64; MOST as usize / 64];
        // SAFETY: the buffer is live and as long as said.
        let result = unsafe {
            libc::syscall(libc::SYS_sched_getaffinity, pid.as_raw(), size_of_val(&words), words.as_mut_ptr())
        };
        Errno::result(result).map_err(|errno| Error::GetAffinity { pid: pid.as_raw(), errno })?;
        let last = words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        Ok(CpuSet { words: words[..last].to_vec() })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether this one is in.
    pub fn contains(&self, cpu: u32) -> bool {
        self.words.get(cpu as usize / 64).is_some_and(|word| word & 1 << (cpu % 64) != 0)
    }

    /// Those in, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.words.len() as u32 * 64).filter(|cpu| self.contains(*cpu))
    }

    /// The mask, 64 to a word, lowest first.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    fn insert(&mut self, cpu: u32) {
        let word = cpu as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (cpu % 64);
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> CpuSet {
        let mut set = CpuSet::default();
        cpus.into_iter().for_each(|cpu| set.insert(cpu));
        set
    }
}

/// The kernel's list format, `0-3,7`.
impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut separator = "";
        for first in self.iter().filter(|cpu| *cpu == 0 || !self.contains(cpu - 1)) {
            let last = (first..).take_while(|cpu| self.contains(*cpu)).last().unwrap_or(first);
            write!(f, "{separator}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        for (text, canonical) in [
            ("0-3,7", "0-3,7"),
            (" 3,1,2 ", "1-3"),
            ("", ""),
            ("63-64", "63-64"),
            ("0-7:2/4", "0-1,4-5"),
            ("8191", "8191"),
        ] {
            assert_eq!(CpuSet::parse(text).unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn broken_lists_say_what_is_wrong() {
        for (text, part) in [
            ("3-1", "runs backwards"),
            ("a", "\"a\" is not a number"),
            ("8192", "below 8192"),
            ("1-", "\"\" is not"),
            ("0-3:0/2", "uses 0 of 2"),
            ("0-3:2", "lacks its /group"),
            ("-1", "\"\" is not"),
        ] {
            let error = CpuSet::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn affinity_is_set_and_read_back() {
        let before = CpuSet::get_affinity(Pid::from_raw(0)).unwrap();
        let one: CpuSet = before.iter().take(1).collect();
        one.set_affinity(Pid::from_raw(0)).unwrap();
        assert_eq!(CpuSet::get_affinity(Pid::from_raw(0)).unwrap(), one);
        before.set_affinity(Pid::from_raw(0)).unwrap();
    }

    #[test]
    fn a_missing_cpu_is_named_with_those_that_exist() {
        let online = CpuSet::online().unwrap();
        let error = CpuSet::parse("0,8190").unwrap().set_affinity(Pid::from_raw(0)).unwrap_err().to_string();
        assert_eq!(error, format!("CPUs 0,8190: no CPU 8190 here; online are {online}"));
    }
}
