//! Interrupts on CPUs that must be quiet.

use super::{Check, Context, Outcome, check, named, ok, unknown, warn};
use crate::host::Error;
use crate::host::irq::Irqs;
use crate::sched::CpuSet;

pub(super) const CHECKS: &[Check] = &[
    check("irq-placement", placement, "an interrupt runs before any task, or as a thread at priority 50"),
    check("irq-default", default_mask, "interrupts that drivers ask for later go by this mask"),
    check("irqbalance", irqbalance, "it moves interrupts to any CPU that it is not told to leave alone"),
];

fn placement(context: &Context) -> Result<Option<Outcome>, Error> {
    let quiet = context.quiet();
    if quiet.is_empty() {
        return Ok(Some(unknown("no CPU is set aside or asked for")));
    }
    let irqs = Irqs::read(context.host)?;
    let there: Vec<_> = irqs.on(&quiet).map(|irq| irq.number.to_string()).collect();
    if there.is_empty() {
        return Ok(Some(ok(format!("none on {}", named(&quiet)))));
    }
    let found = format!("{} on {}: {}", there.len(), named(&quiet), there.join(", "));
    if context.wanted.annotations.irq_affinity.is_some() {
        return Ok(Some(ok(format!("{found}; rtrun moves those that can be moved"))));
    }
    let others = rest(context, &quiet);
    Ok(Some(match others.is_empty() {
        true => warn(found, "leave at least one CPU to the interrupts"),
        false => warn(
            found,
            format!(
                "for i in {}; do echo {others} > /proc/irq/$i/smp_affinity_list; done; or org.rtrun.irq.affinity=housekeeping",
                there.join(" ")
            ),
        ),
    }))
}

fn default_mask(context: &Context) -> Result<Option<Outcome>, Error> {
    let quiet = context.quiet();
    let Some(text) = context.host.text("/proc/irq/default_smp_affinity")? else { return Ok(None) };
    let Ok(mask) = CpuSet::parse_mask(&text) else { return Ok(Some(unknown(format!("{text:?} is no mask")))) };
    let mask = mask.and(&context.cpus.online);
    let over = mask.and(&quiet);
    let others = rest(context, &quiet);
    Ok(Some(if over.is_empty() || others.is_empty() {
        ok(mask.to_string())
    } else {
        warn(
            format!("{mask}, with the quiet {}", named(&over)),
            format!(
                "echo {} > /proc/irq/default_smp_affinity; lasting: {}",
                others.to_mask(),
                context.boot(&format!("irqaffinity={others}"))
            ),
        )
    }))
}

fn irqbalance(context: &Context) -> Result<Option<Outcome>, Error> {
    let quiet = context.quiet();
    let runs = Irqs::read(context.host)?.irqbalance;
    Ok(Some(match (runs, quiet.is_empty()) {
        (false, _) => ok("does not run"),
        (true, true) => unknown("runs; no CPU is set aside or asked for"),
        (true, false) => warn(
            "runs",
            format!(
                "echo 'IRQBALANCE_BANNED_CPULIST={quiet}' >> /etc/default/irqbalance && systemctl restart irqbalance"
            ),
        ),
    }))
}

fn rest(context: &Context, quiet: &CpuSet) -> CpuSet {
    context.cpus.online.without(quiet)
}
