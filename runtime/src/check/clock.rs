//! Clocks.

use super::{Check, Context, Outcome, check, fail, ok, unknown, warn};
use crate::host::Error;
use crate::host::clock::{Clocksource, discipline};
use rtrun_hooks::annotation::ClockState;

pub(super) const CHECKS: &[Check] = &[
    check(
        "clocksource",
        clocksource,
        "a clock that is not read in user space costs a system call or worse at each look",
    ),
    check("clock-state", state, "timestamps and schedules on several machines agree only as well as their clocks"),
];

fn clocksource(context: &Context) -> Result<Option<Outcome>, Error> {
    let source = Clocksource::read(context.host)?;
    if source.current.is_empty() {
        return Ok(Some(unknown("this kernel doesn't tell")));
    }
    if !source.is_slow() {
        return Ok(Some(ok(source.current)));
    }
    let fast = ["tsc", "arch_sys_counter"].iter().find(|fast| source.available.iter().any(|name| name == *fast));
    let remedy = match fast {
        Some(fast) => format!("echo {fast} > /sys/devices/system/clocksource/clocksource0/current_clocksource"),
        None => "the kernel has found the TSC unstable (see dmesg); a BIOS update, or tsc=reliable if it is known to be good".into(),
    };
    Ok(Some(warn(source.current, remedy)))
}

fn state(context: &Context) -> Result<Option<Outcome>, Error> {
    let found = discipline()?;
    let bound = found.max_error;
    let text = format!(
        "{}, offset {} ns, error at most {} µs",
        if found.synchronised { "synchronised" } else { "not synchronised" },
        found.offset_ns,
        bound.as_micros()
    );
    let remedy = "apt-get install chrony && chronyc waitsync 30";
    Ok(Some(match context.wanted.clock {
        Some((ClockState::Locked | ClockState::Holdover, _)) if !found.synchronised => fail(text, remedy),
        Some((_, Some(limit))) if found.synchronised && found.offset_ns.unsigned_abs() > limit.as_nanos() as u64 => {
            fail(format!("{text}; asked for at most {} ns", limit.as_nanos()), remedy)
        }
        _ if found.synchronised => ok(text),
        _ => warn(text, remedy),
    }))
}
