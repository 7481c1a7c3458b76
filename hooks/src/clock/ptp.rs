//! A PTP hardware clock, compared with the system clock (`Documentation/driver-api/ptp.rst`, `linux/ptp_clock.h`). The card's
//! clock doesn't tell whether ptp4l follows a master; what is seen is whether the system clock follows the card's.

use super::{Error, Sample, Source, State, adjtimex};
use crate::host::errno;
use nix::errno::Errno;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// A system clock this near to the card's follows it: phc2sys keeps it a thousand times nearer.
const FOLLOWS_NS: u64 = 1_000_000;
/// TAI − UTC since 2017, for kernels that nobody has told.
const TAI_OFFSET: i64 = 37;
const SAMPLES: usize = 10;
const MOST_SAMPLES: usize = 25;

/// `struct ptp_clock_time`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Time {
    sec: i64,
    nsec: u32,
    reserved: u32,
}

impl Time {
    fn ns(self) -> i128 {
        i128::from(self.sec) * 1_000_000_000 + i128::from(self.nsec)
    }
}

/// `struct ptp_sys_offset_precise`.
#[repr(C)]
#[derive(Default)]
struct Precise {
    device: Time,
    realtime: Time,
    monotonic_raw: Time,
    reserved: [u32; 4],
}

/// `struct ptp_sys_offset_extended`: system clock, card, system clock.
#[repr(C)]
#[derive(Default)]
struct Extended {
    samples: u32,
    reserved: [u32; 3],
    times: [[Time; 3]; MOST_SAMPLES],
}

/// `struct ptp_sys_offset`: system clock and card in turn, system clock at the end.
#[repr(C)]
struct Offset {
    samples: u32,
    reserved: [u32; 3],
    times: [Time; 2 * MOST_SAMPLES + 1],
}

mod ioctl {
    use super::{Extended, Offset, Precise};
    nix::ioctl_readwrite!(precise, b'=', 8, Precise);
    nix::ioctl_readwrite!(extended, b'=', 9, Extended);
    nix::ioctl_write_ptr!(offset, b'=', 5, Offset);
}

/// One comparison: system clock less card, and how long it took, nanoseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Difference {
    ns: i128,
    width: i128,
}

impl Difference {
    fn of(before: Time, card: Time, after: Time) -> Difference {
        let (before, after) = (before.ns(), after.ns());
        Difference { ns: (before + after) / 2 - card.ns(), width: after - before }
    }
}

/// A `/dev/ptpN`.
pub(super) struct Ptp {
    path: PathBuf,
    file: File,
}

impl Ptp {
    /// Opens the node, and asks it once.
    pub(super) fn open(path: &Path) -> Result<Ptp, Error> {
        let problem = |problem: String| Error::Ptp { path: path.to_owned(), problem };
        let file = File::open(path).map_err(|error| match errno(error) {
            Errno::ENOENT => {
                problem("ENOENT: no such clock; ls /dev/ptp*, and ethtool -T tells which is a card's".into())
            }
            errno => problem(format!("opening: {errno}")),
        })?;
        let ptp = Ptp { path: path.to_owned(), file };
        match ptp.difference() {
            Err(Errno::ENOTTY | Errno::EINVAL) => Err(problem("it is no PTP clock".into())),
            _ => Ok(ptp),
        }
    }

    /// The best that the driver can do: a snapshot of both clocks by hardware, else the quickest of several comparisons.
    fn difference(&self) -> Result<Difference, Errno> {
        let next = |errno| matches!(errno, Errno::EOPNOTSUPP | Errno::ENOTTY | Errno::EINVAL);
        match self.precise() {
            Err(errno) if next(errno) => match self.extended() {
                Err(errno) if next(errno) => self.offset(),
                result => result,
            },
            result => result,
        }
    }

    fn precise(&self) -> Result<Difference, Errno> {
        let mut data = Precise::default();
        // SAFETY: the descriptor is open and the structure is the one that the request is made for.
        unsafe { ioctl::precise(self.file.as_raw_fd(), &mut data) }?;
        Ok(Difference { ns: data.realtime.ns() - data.device.ns(), width: 0 })
    }

    fn extended(&self) -> Result<Difference, Errno> {
        let mut data = Extended { samples: SAMPLES as u32, ..Extended::default() };
        // SAFETY: as above.
        unsafe { ioctl::extended(self.file.as_raw_fd(), &mut data) }?;
        best(data.times[..SAMPLES].iter().map(|[before, card, after]| Difference::of(*before, *card, *after)))
    }

    fn offset(&self) -> Result<Difference, Errno> {
        let times = [Time::default(); 2 * MOST_SAMPLES + 1];
        let mut data = Offset { samples: SAMPLES as u32, reserved: [0; 3], times };
        // SAFETY: as above; although its number says "write", the kernel writes the times back.
        unsafe { ioctl::offset(self.file.as_raw_fd(), &raw mut data) }?;
        let times = &data.times[..2 * SAMPLES + 1];
        best((0..SAMPLES).map(|n| Difference::of(times[2 * n], times[2 * n + 1], times[2 * n + 2])))
    }
}

fn best(differences: impl Iterator<Item = Difference>) -> Result<Difference, Errno> {
    differences.min_by_key(|difference| difference.width).ok_or(Errno::EPROTO)
}

impl Source for Ptp {
    fn name(&self) -> String {
        format!("ptp:{}", self.path.display())
    }

    fn sample(&self) -> Result<Sample, String> {
        let difference = self.difference().map_err(|errno| format!("{}: {errno}", self.path.display()))?;
        Ok(judge(difference, adjtimex::tai_offset()))
    }
}

/// The card's clock is TAI under ptp4l, and UTC in a virtual machine's.
fn judge(difference: Difference, tai: i64) -> Sample {
    let tai = if tai == 0 { TAI_OFFSET } else { tai };
    let from_tai = difference.ns + i128::from(tai) * 1_000_000_000;
    let (ns, scale) = match from_tai.abs() < difference.ns.abs() {
        true => (from_tai, "TAI"),
        false => (difference.ns, "UTC"),
    };
    let bound = u64::try_from(ns.abs() + difference.width / 2).unwrap_or(u64::MAX);
    let follows = bound <= FOLLOWS_NS;
    Sample {
        state: if follows { State::Locked } else { State::Freerun },
        offset_ns: i64::try_from(ns).ok(),
        bound_ns: Some(bound),
        detail: match follows {
            true => format!("the system clock follows the card's, which has {scale}"),
            false => {
                format!("the system clock does not follow the card's, which seems to have {scale}; is phc2sys running?")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(sec: i64, nsec: u32) -> Time {
        Time { sec, nsec, reserved: 0 }
    }

    #[test]
    fn the_structures_are_the_kernels() {
        assert_eq!([size_of::<Precise>(), size_of::<Extended>(), size_of::<Offset>()], [64, 1216, 832]);
    }

    #[test]
    fn the_quickest_comparison_counts() {
        let slow = Difference::of(at(10, 0), at(10, 0), at(10, 1000));
        let quick = Difference::of(at(10, 0), at(10, 40), at(10, 100));
        assert_eq!(best([slow, quick].into_iter()), Ok(Difference { ns: 10, width: 100 }));
        assert!(best(std::iter::empty()).is_err());
    }

    #[test]
    fn tai_and_utc_are_both_the_time() {
        let sample = judge(Difference { ns: -36_999_999_900, width: 200 }, 37);
        assert_eq!((sample.state, sample.offset_ns, sample.bound_ns), (State::Locked, Some(100), Some(200)));
        let sample = judge(Difference { ns: -50, width: 0 }, 0);
        assert_eq!((sample.state, sample.bound_ns), (State::Locked, Some(50)));
        assert_eq!(judge(Difference { ns: 5_000_000, width: 0 }, 0).state, State::Freerun);
    }

    #[test]
    fn what_is_no_clock_is_said_to_be_none() {
        let error = |path: &str| Ptp::open(Path::new(path)).err().unwrap().to_string();
        assert!(error("/dev/ptp4711").starts_with("clock source ptp:/dev/ptp4711: ENOENT"));
        assert_eq!(error("/dev/null"), "clock source ptp:/dev/null: it is no PTP clock");
    }
}
