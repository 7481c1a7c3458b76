//! What this machine has, as far as a launch must know.

use std::fs;

use rtrun_hooks::CpuSet;

use crate::error::{Error, Result};

/// CPUs that are online, and of these the isolated ones.
#[derive(Clone, Debug)]
pub struct Cpus {
    /// `/sys/devices/system/cpu/online`
    pub online: CpuSet,
    /// `/sys/devices/system/cpu/isolated`
    pub isolated: CpuSet,
}

impl Cpus {
    /// Reads them.
    ///
    /// # Errors
    /// No sysfs.
    pub fn read() -> Result<Cpus> {
        Ok(Cpus { online: set("/sys/devices/system/cpu/online")?, isolated: set("/sys/devices/system/cpu/isolated")? })
    }

    /// `--cpus`: a list, whose CPUs must be online, or `auto[:N]`, which picks the last isolated ones that `taken` leaves,
    /// else the last ones: interrupts and daemons gather on the first.
    ///
    /// # Errors
    /// [`Error::Cpus`], with what there is.
    pub fn choose(&self, asked: &str, taken: &CpuSet) -> Result<CpuSet> {
        let refused = |problem: String| Error::Cpus {
            asked: asked.to_owned(),
            problem,
            online: self.online.to_string(),
            isolated: if self.isolated.is_empty() {
                String::new()
            } else {
                format!(", {} of them isolated", self.isolated)
            },
        };
        let wanted = match asked.strip_prefix("auto") {
            Some("") => 1,
            Some(count) => count
                .strip_prefix(':')
                .and_then(|count| count.parse().ok())
                .filter(|&count| count > 0)
                .ok_or_else(|| refused("auto, or auto:N for N CPUs".to_owned()))?,
            None => {
                let list = CpuSet::parse(asked).map_err(|error| refused(error.to_string()))?;
                let missing = list.without(&self.online);
                return match (list.is_empty(), missing.len()) {
                    (true, _) => Err(refused("no CPU is named".to_owned())),
                    (false, 0) => Ok(list),
                    (false, 1) => Err(refused(format!("CPU {missing} does not exist or is offline"))),
                    (false, _) => Err(refused(format!("CPUs {missing} do not exist or are offline"))),
                };
            }
        };
        let free = self.online.without(taken);
        let (isolated, other) = (free.and(&self.isolated), free.without(&self.isolated));
        let mut candidates: Vec<u32> = other.iter().collect();
        candidates.extend(isolated.iter());
        if candidates.len() < wanted {
            return Err(refused(format!("{} of them are free ({taken} belong to other agents)", candidates.len())));
        }
        let picked: Vec<String> = candidates.iter().rev().take(wanted).map(ToString::to_string).collect();
        CpuSet::parse(&picked.join(",")).map_err(|error| refused(error.to_string()))
    }
}

fn set(path: &'static str) -> Result<CpuSet> {
    let text = fs::read_to_string(path).map_err(Error::file("read", path.as_ref()))?;
    let malformed = |problem: String| Error::Malformed { path: path.into(), problem };
    if text.trim().is_empty() {
        return Ok(CpuSet::default());
    }
    CpuSet::parse(text.trim()).map_err(|error| malformed(error.to_string()))
}

/// MemTotal of `/proc/meminfo`, bytes.
///
/// # Errors
/// No procfs.
pub fn memory() -> Result<u64> {
    let path = "/proc/meminfo";
    let text = fs::read_to_string(path).map_err(Error::file("read", path.as_ref()))?;
    let kib =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| Error::Malformed { path: path.into(), problem: "no MemTotal".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(online: &str, isolated: &str) -> Cpus {
        let set = |text: &str| if text.is_empty() { CpuSet::default() } else { CpuSet::parse(text).unwrap() };
        Cpus { online: set(online), isolated: set(isolated) }
    }

    #[test]
    fn a_cpu_that_is_not_there_is_refused_with_those_that_are() {
        let error = cpus("0-1", "").choose("2,3", &CpuSet::default()).unwrap_err().to_string();
        assert!(error.contains("CPUs 2-3 do not exist") && error.contains("has CPUs 0-1;"), "{error}");
        let error = cpus("0-3", "2-3").choose("1,4", &CpuSet::default()).unwrap_err().to_string();
        assert!(error.contains("CPU 4 does not exist") && error.contains("2-3 of them isolated"), "{error}");
    }

    #[test]
    fn auto_prefers_isolated_cpus_then_the_last() {
        let taken = |list: &str| CpuSet::parse(list).unwrap();
        let pick = |asked: &str, taken: &CpuSet| cpus("0-3", "1").choose(asked, taken).map(|set| set.to_string());
        assert_eq!(pick("auto", &CpuSet::default()).unwrap(), "1");
        assert_eq!(pick("auto:2", &CpuSet::default()).unwrap(), "1,3");
        assert_eq!(pick("auto", &taken("1,3")).unwrap(), "2");
        assert!(pick("auto:4", &taken("0")).unwrap_err().to_string().contains("3 of them are free"));
        for asked in ["auto:", "auto:0", "auto:x", "autox"] {
            assert!(pick(asked, &CpuSet::default()).is_err(), "{asked}");
        }
    }
}
