//! The system clock: what it counts by, and how well it is disciplined.

use super::{Error, Host};
use nix::errno::Errno;
use std::time::Duration;

/// The counter behind the clocks (`Documentation/ABI/testing/sysfs-devices-clocksource`).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Clocksource {
    /// In use: `tsc`, `arch_sys_counter`, `kvm-clock`, `hpet`, …
    pub current: String,
    /// That could be.
    pub available: Vec<String>,
}

impl Clocksource {
    /// Reads it.
    ///
    /// # Errors
    /// Those of [`Host::text`].
    pub fn read(host: &Host) -> Result<Clocksource, Error> {
        let file = |name: &str| host.text(format!("/sys/devices/system/clocksource/clocksource0/{name}_clocksource"));
        let available = file("available")?.unwrap_or_default();
        Ok(Clocksource {
            current: file("current")?.unwrap_or_default(),
            available: available.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// Whether reading it costs a system call, or an exit to the hypervisor: only counters that the CPU itself has are
    /// read in user space.
    pub fn is_slow(&self) -> bool {
        !["tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page"].contains(&self.current.as_str())
    }
}

/// The kernel's opinion of CLOCK_REALTIME (`adjtimex(2)`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Discipline {
    /// Whether a daemon keeps it (no `STA_UNSYNC`, no `TIME_ERROR`).
    pub synchronised: bool,
    /// What remains to be slewed, signed nanoseconds.
    pub offset_ns: i64,
    /// Bound of the error.
    pub max_error: Duration,
    /// Estimated error.
    pub estimated_error: Duration,
    /// TAI − UTC in seconds; 0 when nobody has told the kernel.
    pub tai_offset: i32,
}

/// Asks the running kernel; changes nothing.
///
/// # Errors
/// [`Error::Call`].
pub fn discipline() -> Result<Discipline, Error> {
    // SAFETY: zeros are a valid timex, and mode 0 only reads.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure outlives the call.
    let state = unsafe { libc::adjtimex(&mut timex) };
    let state = Errno::result(state).map_err(|errno| Error::Call { call: "adjtimex", errno })?;
    let microseconds = |value: libc::c_long| Duration::from_micros(u64::try_from(value).unwrap_or(0));
    let scale = if timex.status & libc::STA_NANO != 0 { 1 } else { 1000 };
    Ok(Discipline {
        synchronised: state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0,
        #[allow(clippy::unnecessary_cast, reason = "c_long has 32 bits on some targets")]
        offset_ns: timex.offset as i64 * scale,
        max_error: microseconds(timex.maxerror),
        estimated_error: microseconds(timex.esterror),
        tai_offset: timex.tai,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fake::Tree;
    use super::*;

    #[test]
    fn counters() {
        let at = "/sys/devices/system/clocksource/clocksource0";
        let tree = Tree::new().files(&format!(
            "{at}/current_clocksource = hpet
             {at}/available_clocksource = tsc hpet acpi_pm"
        ));
        let source = Clocksource::read(&tree.host()).unwrap();
        assert!(source.is_slow());
        assert_eq!(source.available.len(), 3);
    }

    #[test]
    fn the_kernel_answers() {
        let found = discipline().unwrap();
        assert!(found.max_error >= found.estimated_error || !found.synchronised, "{found:?}");
    }
}
