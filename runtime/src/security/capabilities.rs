//! The five capability sets, `capabilities(7)`.

use crate::spec::Capabilities;
use nix::errno::Errno;
use std::str::FromStr;

/// Why the sets could not be put in force.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `prctl(PR_CAPBSET_DROP)` was refused.
    #[error(
        "process.capabilities.bounding: dropping {name}: {errno} (needs CAP_SETPCAP in the container's user namespace)"
    )]
    DropBounding {
        /// Which capability.
        name: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// `capget(2)` was refused.
    #[error("reading the capabilities of the container's process: {0}")]
    Get(Errno),
    /// `capset(2)` was refused.
    #[error(
        "process.capabilities: capset of permitted {permitted:#x}, effective {effective:#x}, inheritable {inheritable:#x}: {errno}"
    )]
    Set {
        /// Mask tried.
        permitted: u64,
        /// Mask tried.
        effective: u64,
        /// Mask tried.
        inheritable: u64,
        /// What the kernel said.
        errno: Errno,
    },
    /// `prctl(PR_CAP_AMBIENT)` was refused.
    #[error("process.capabilities.ambient: {step}: {errno}")]
    Ambient {
        /// Clear, or the capability raised.
        step: String,
        /// What the kernel said.
        errno: Errno,
    },
}

/// The sets as masks, bit n for capability number n.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CapabilitySets {
    /// What no execve may add.
    pub bounding: u64,
    /// What is checked.
    pub effective: u64,
    /// What effective may be raised to.
    pub permitted: u64,
    /// What a file's inheritable set is masked with.
    pub inheritable: u64,
    /// What execve of an ordinary file keeps.
    pub ambient: u64,
}

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`; two of them hold 64 bits.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`.
const VERSION_3: u32 = 0x2008_0522;

impl CapabilitySets {
    /// Masks of the named capabilities, and a warning for each that can't be granted: unknown names, ambient ones that are
    /// not permitted and inheritable as well, effective ones that are not permitted, inheritable ones beyond the bounding
    /// set. The specification forbids failing on them (`config.md`, Linux Process).
    pub fn plan(c: &Capabilities) -> (Self, Vec<String>) {
        let mut warnings = Vec::new();
        let mut set = |names: &[String]| names.iter().fold(0, |mask, name| mask | bit(name, &mut warnings));
        let asked = CapabilitySets {
            bounding: set(&c.bounding),
            effective: set(&c.effective),
            permitted: set(&c.permitted),
            inheritable: set(&c.inheritable),
            ambient: set(&c.ambient),
        };
        let sets = asked.within(asked.permitted, asked.bounding);
        let mut refused = |set: &str, mask: u64, why: &str| {
            if mask != 0 {
                let names = names(mask).collect::<Vec<_>>().join(", ");
                warnings.push(format!("process.capabilities.{set}: not granted: {names}: {why}"));
            }
        };
        refused("effective", asked.effective & !sets.effective, "not in the permitted set");
        refused("inheritable", asked.inheritable & !sets.inheritable, "not in the bounding set");
        refused("ambient", asked.ambient & !sets.ambient, "not both permitted and inheritable");
        (sets, warnings)
    }

    /// A warning for each capability asked for that the caller itself doesn't hold, and so can't give. For containers
    /// without a new user namespace; a new one brings them all.
    ///
    /// # Errors
    /// [`Error::Get`].
    pub fn beyond_the_callers(&self) -> Result<Vec<String>, Error> {
        let held = get()?;
        let asked = self.permitted | self.effective;
        Ok(names(asked & !held.permitted)
            .map(|name| format!("process.capabilities: {name} is not granted: rtrun itself doesn't hold it"))
            .collect())
    }

    /// Drops everything else from the bounding set, for good. Needs CAP_SETPCAP, so it comes before the change of user.
    ///
    /// # Errors
    /// [`Error::DropBounding`].
    pub fn drop_bounding(&self) -> Result<(), Error> {
        for number in (0..64u32).filter(|number| self.bounding & 1 << number == 0) {
            let drop = prctl(libc::PR_CAPBSET_DROP, number as libc::c_ulong, 0);
            // One that isn't there need not be dropped; asking only after a refusal spares a call each in the usual case.
            let still_there = || prctl(libc::PR_CAPBSET_READ, number as libc::c_ulong, 0);
            match drop.or_else(|errno| match errno {
                Errno::EINVAL => Err(errno),
                _ => still_there().and_then(|there| if there == 1 { Err(errno) } else { Ok(there) }),
            }) {
                Ok(_) => {}
                // The kernel's last capability is behind us.
                Err(Errno::EINVAL) => break,
                Err(errno) => return Err(Error::DropBounding { name: name(number), errno }),
            }
        }
        Ok(())
    }

    /// Sets permitted, effective and inheritable at once, then the ambient ones. Comes after the change of user, which
    /// `PR_SET_KEEPCAPS` must have survived. What the caller doesn't hold is left out, as the specification asks.
    ///
    /// # Errors
    /// [`Error::Set`], [`Error::Ambient`].
    pub fn apply(&self) -> Result<(), Error> {
        let mut sets = *self;
        if let Err(refused) = set(&sets) {
            // Only now is it worth a call, which the container's filter may forbid, to ask what there is to give.
            let held = get().map_err(|_| refused)?;
            sets = self.within(held.permitted, held.permitted | held.inheritable);
            set(&sets)?;
        }
        let ambient = |operation, number: u32| {
            prctl(libc::PR_CAP_AMBIENT, operation as libc::c_ulong, number as libc::c_ulong).map_err(|errno| {
                let clear = operation == libc::PR_CAP_AMBIENT_CLEAR_ALL;
                Error::Ambient {
                    step: if clear { "clearing".into() } else { format!("raising {}", name(number)) },
                    errno,
                }
            })
        };
        ambient(libc::PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
        for number in bits(sets.ambient) {
            ambient(libc::PR_CAP_AMBIENT_RAISE, number)?;
        }
        Ok(())
    }

    /// The sets that the kernel's rules allow to one who may have `permitted` and inherit `inheritable`.
    fn within(&self, permitted: u64, inheritable: u64) -> CapabilitySets {
        let permitted = self.permitted & permitted;
        let inheritable = self.inheritable & inheritable;
        CapabilitySets {
            bounding: self.bounding,
            effective: self.effective & permitted,
            permitted,
            inheritable,
            ambient: self.ambient & permitted & inheritable,
        }
    }
}

fn bit(name: &str, warnings: &mut Vec<String>) -> u64 {
    if let Ok(capability) = caps::Capability::from_str(name) {
        return capability.bitmask();
    }
    let warning = format!("process.capabilities: unknown capability {name:?} is passed over");
    if !warnings.contains(&warning) {
        warnings.push(warning);
    }
    0
}

fn bits(mask: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |number| mask & 1 << number != 0)
}

fn names(mask: u64) -> impl Iterator<Item = String> {
    bits(mask).map(name)
}

fn name(number: u32) -> String {
    let known = caps::all().into_iter().find(|capability| u32::from(capability.index()) == number);
    known.map_or_else(|| format!("capability {number}"), |capability| capability.to_string())
}

fn get() -> Result<CapabilitySets, Error> {
    let header = Header { version: VERSION_3, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: header and both data structures are live and of the layout that version 3 has.
    let result = unsafe { libc::syscall(libc::SYS_capget, &header, data.as_mut_ptr()) };
    Errno::result(result).map_err(Error::Get)?;
    let joined = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Ok(CapabilitySets {
        effective: joined(data[0].effective, data[1].effective),
        permitted: joined(data[0].permitted, data[1].permitted),
        inheritable: joined(data[0].inheritable, data[1].inheritable),
        ..CapabilitySets::default()
    })
}

fn set(sets: &CapabilitySets) -> Result<(), Error> {
    let header = Header { version: VERSION_3, pid: 0 };
    let half = |shift: u32| Data {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: header and both data structures are live and of the layout that version 3 has.
    let result = unsafe { libc::syscall(libc::SYS_capset, &header, data.as_ptr()) };
    Errno::result(result).map(drop).map_err(|errno| Error::Set {
        permitted: sets.permitted,
        effective: sets.effective,
        inheritable: sets.inheritable,
        errno,
    })
}

fn prctl(option: libc::c_int, second: libc::c_ulong, third: libc::c_ulong) -> Result<libc::c_int, Errno> {
    // SAFETY: the options used here take plain numbers only.
    Errno::result(unsafe { libc::prctl(option, second, third, 0 as libc::c_ulong, 0 as libc::c_ulong) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_cannot_be_granted_is_a_warning() {
        let c = Capabilities {
            bounding: names_of(&["CAP_CHOWN", "CAP_KILL", "CAP_FROM_THE_FUTURE"]),
            permitted: names_of(&["CAP_CHOWN", "CAP_FROM_THE_FUTURE"]),
            effective: names_of(&["CAP_CHOWN", "CAP_KILL"]),
            inheritable: names_of(&["CAP_CHOWN", "CAP_SYS_TIME"]),
            ambient: names_of(&["CAP_CHOWN", "CAP_KILL"]),
        };
        let (sets, warnings) = CapabilitySets::plan(&c);
        assert_eq!((sets.bounding, sets.permitted), (0x21, 1));
        assert_eq!((sets.effective, sets.inheritable, sets.ambient), (1, 1, 1));
        assert_eq!(
            warnings,
            [
                "process.capabilities: unknown capability \"CAP_FROM_THE_FUTURE\" is passed over",
                "process.capabilities.effective: not granted: CAP_KILL: not in the permitted set",
                "process.capabilities.inheritable: not granted: CAP_SYS_TIME: not in the bounding set",
                "process.capabilities.ambient: not granted: CAP_KILL: not both permitted and inheritable",
            ]
        );
    }

    #[test]
    fn the_kernel_has_the_sets_afterwards() {
        let held = get().unwrap();
        if held.permitted & 0x101 != 0x101 {
            eprintln!("skip: needs CAP_CHOWN and CAP_SETPCAP");
            return;
        }
        // Capabilities are a thread's own.
        std::thread::spawn(|| {
            let sets = CapabilitySets { bounding: 1, effective: 1, permitted: 1, inheritable: 1, ambient: 1 };
            sets.drop_bounding().unwrap();
            sets.apply().unwrap();
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                assert!(status.contains(&format!("{set}:\t0000000000000001")), "{set} in {status}");
            }
            // Dropping what is gone needs no CAP_SETPCAP.
            sets.drop_bounding().unwrap();
        })
        .join()
        .unwrap();
    }

    #[test]
    fn what_the_caller_lacks_is_left_out() {
        std::thread::spawn(|| {
            let none = CapabilitySets::default();
            none.apply().unwrap();
            let all = CapabilitySets { effective: 1, permitted: 1, inheritable: 1, ambient: 1, bounding: 1 };
            assert_eq!(all.beyond_the_callers().unwrap().len(), 1);
            all.apply().unwrap();
            assert_eq!(get().unwrap().permitted, 0);
        })
        .join()
        .unwrap();
    }
}
