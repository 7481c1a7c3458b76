//! Pages that go missing for a while.

use super::{Check, Context, Outcome, check, ok, unknown, warn};
use crate::host::Error;
use crate::host::memory::Memory;

pub(super) const CHECKS: &[Check] = &[
    check("thp", huge_pages, "khugepaged stops a process to put its pages together"),
    check(
        "swap",
        swap,
        "a page that is swapped out comes back in milliseconds; memory.lock guards a container that asks",
    ),
    check(
        "page-migration",
        migration,
        "NUMA balancing and page merging unmap pages, so that the next use of one faults",
    ),
];

fn huge_pages(context: &Context) -> Result<Option<Outcome>, Error> {
    Ok(Some(match Memory::read(context.host)?.transparent_huge_pages.as_deref() {
        None => unknown("this kernel has none"),
        Some("always") => warn("always", "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"),
        Some(mode) => ok(mode),
    }))
}

fn swap(context: &Context) -> Result<Option<Outcome>, Error> {
    let memory = Memory::read(context.host)?;
    let swappiness = memory.swappiness.unwrap_or(60);
    Ok(Some(match memory.swaps.is_empty() {
        true => ok("none"),
        false if context.wanted.annotations.memory_lock.is_some() => {
            ok(format!("{}; rtrun lets the container lock its memory", memory.swaps.join(", ")))
        }
        false => warn(format!("{} (swappiness {swappiness})", memory.swaps.join(", ")), "swapoff -a"),
    }))
}

fn migration(context: &Context) -> Result<Option<Outcome>, Error> {
    let memory = Memory::read(context.host)?;
    let on = |set: bool, what: &'static str| set.then_some(what);
    let what: Vec<_> = [
        on(memory.numa_balancing, "NUMA balancing: sysctl -w kernel.numa_balancing=0"),
        on(memory.same_page_merging, "KSM: echo 2 > /sys/kernel/mm/ksm/run"),
    ]
    .into_iter()
    .flatten()
    .filter_map(|line| line.split_once(": "))
    .collect();
    let (names, remedies): (Vec<_>, Vec<_>) = what.into_iter().unzip();
    Ok(Some(if names.is_empty() {
        ok("off")
    } else {
        warn(format!("{} on", names.join(" and ")), remedies.join("; "))
    }))
}
