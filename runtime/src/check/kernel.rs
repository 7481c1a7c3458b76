//! The kernel itself.

use super::{Check, Context, Outcome, check, fail, ok, unknown, warn};
use crate::host::Error;
use crate::host::kernel::{Preemption, tick};

pub(super) const CHECKS: &[Check] = &[
    check("kernel", release, "mount_setattr(2) of Linux 5.12 is how a container's mounts are made"),
    check("preempt-rt", preempt_rt, "without it a driver or a lock may hold a real-time task up for milliseconds"),
    check("tick", hz, "the tick preempts a busy CPU and bounds what the scheduler can see"),
];

const LEAST: (u32, u32) = (5, 12);

fn release(context: &Context) -> Result<Option<Outcome>, Error> {
    let kernel = &context.kernel;
    let found = format!("Linux {}", kernel.release);
    Ok(Some(if kernel.version >= LEAST {
        ok(found)
    } else {
        fail(found, "apt-get install --only-upgrade linux-image-$(dpkg --print-architecture) && reboot")
    }))
}

fn preempt_rt(context: &Context) -> Result<Option<Outcome>, Error> {
    let kernel = &context.kernel;
    let model = kernel.dynamic_model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
    let found = format!("{}{model}", kernel.preemption.name());
    if kernel.preemption == Preemption::RealTime {
        return Ok(Some(ok(found)));
    }
    if !context.wanted.is_real_time() {
        return Ok(None);
    }
    Ok(Some(fail(found, "apt-get install linux-image-rt-$(dpkg --print-architecture) && reboot")))
}

fn hz(context: &Context) -> Result<Option<Outcome>, Error> {
    let tick = tick()?;
    let found =
        format!("{} Hz, a tick of {} ms", 1_000_000_000 / tick.as_nanos().max(1), tick.as_micros() as f64 / 1e3);
    Ok(match tick.as_millis() {
        _ if !context.wanted.is_real_time() => None,
        0..=4 => Some(ok(found)),
        5..=10 => Some(warn(found, "boot a kernel built with CONFIG_HZ_250 or CONFIG_HZ_1000")),
        _ => Some(unknown(found)),
    })
}
