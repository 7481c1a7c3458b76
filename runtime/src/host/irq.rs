//! Interrupts: where they may fire, where they do, how often they have (`Documentation/core-api/irq/irq-affinity.rst`,
//! `/proc/interrupts`).

use super::{Error, Host};
use crate::sched::CpuSet;
use std::path::Path;

/// One interrupt that has a number.
#[derive(Clone, Debug)]
pub struct Irq {
    /// Its number.
    pub number: u32,
    /// Who has asked for it: the last words of its line in `/proc/interrupts`; empty when nobody has.
    pub action: String,
    /// Where it may fire.
    pub affinity: CpuSet,
    /// Where it does; the same as `affinity` on kernels that don't tell.
    pub effective: CpuSet,
    /// How often it has fired, a CPU each.
    pub counts: Vec<(u32, u64)>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Irqs {
    /// By number.
    pub irqs: Vec<Irq>,
    /// Mask for interrupts asked for later (`/proc/irq/default_smp_affinity`), in the kernel's hexadecimal words.
    pub default_affinity: Option<String>,
    /// Whether irqbalance runs, by its socket (`irqbalance(1)`).
    pub irqbalance: bool,
}

impl Irqs {
    /// Reads them; one that goes away meanwhile is left out.
    ///
    /// # Errors
    /// Those of [`Host::text`] and [`Host::list`].
    pub fn read(host: &Host) -> Result<Irqs, Error> {
        let table = counters(host)?;
        let mut irqs = Vec::new();
        for name in host.names("/proc/irq")? {
            let Ok(number) = name.parse::<u32>() else { continue };
            let mask = |file: &str| host.list(Path::new("/proc/irq").join(&name).join(file));
            let Some(affinity) = mask("smp_affinity_list")? else { continue };
            let effective = mask("effective_affinity_list")?.filter(|set| !set.is_empty());
            let line = table.iter().find(|line| line.name == name);
            irqs.push(Irq {
                number,
                action: line.map(|line| line.action.clone()).unwrap_or_default(),
                counts: line.map(|line| line.counts.clone()).unwrap_or_default(),
                effective: effective.unwrap_or_else(|| affinity.clone()),
                affinity,
            });
        }
        Ok(Irqs { irqs, default_affinity: host.text("/proc/irq/default_smp_affinity")?, irqbalance: irqbalance(host)? })
    }

    /// Those in use that fire on one of these CPUs.
    pub fn on<'a>(&'a self, cpus: &'a CpuSet) -> impl Iterator<Item = &'a Irq> {
        let hits = |irq: &&Irq| !irq.action.is_empty() && irq.effective.iter().any(|cpu| cpus.contains(cpu));
        self.irqs.iter().filter(hits)
    }
}

/// A line of `/proc/interrupts`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// `24`, or `LOC`, `NMI`, `RES`, … for those of the CPU itself.
    pub name: String,
    /// How often, a CPU each.
    pub counts: Vec<(u32, u64)>,
    /// What stands behind the counts: chip, line and handlers for numbered ones, a description for the others.
    pub action: String,
}

/// `/proc/interrupts`, line by line.
///
/// # Errors
/// Those of [`Host::text`].
pub fn counters(host: &Host) -> Result<Vec<Line>, Error> {
    let text = host.text("/proc/interrupts")?.unwrap_or_default();
    let mut lines = text.lines();
    let cpus: Vec<u32> = lines
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("CPU")?.parse().ok())
        .collect();
    Ok(lines.filter_map(|line| parse_line(line, &cpus)).collect())
}

fn parse_line(line: &str, cpus: &[u32]) -> Option<Line> {
    let (name, rest) = line.split_once(':')?;
    let mut counts = Vec::with_capacity(cpus.len());
    let mut words = rest.split_whitespace().peekable();
    // ERR and MIS have one number for all CPUs.
    for &cpu in cpus {
        let Some(count) = words.peek().and_then(|word| word.parse().ok()) else { break };
        counts.push((cpu, count));
        words.next();
    }
    let words: Vec<&str> = words.collect();
    Some(Line { name: name.trim().to_owned(), counts, action: words.join(" ") })
}

/// Its socket is `/run/irqbalance/irqbalance<PID>.sock`, or abstract with that name in older versions.
fn irqbalance(host: &Host) -> Result<bool, Error> {
    if host.names("/run/irqbalance")?.iter().any(|name| name.ends_with(".sock")) {
        return Ok(true);
    }
    Ok(host.text("/proc/net/unix")?.is_some_and(|sockets| sockets.lines().any(|line| line.contains("@irqbalance"))))
}

#[cfg(test)]
mod tests {
    use super::super::fake::Tree;
    use super::*;

    const INTERRUPTS: &str = "           CPU0       CPU2
  0:         33          0   IO-APIC   2-edge      timer
 24:         10          7   PCI-MSIX-0000:00:01.0   0-edge      virtio0-config
LOC:    9000000    8000000   Local timer interrupts
ERR:          4
";

    #[test]
    fn lines_and_affinities() {
        let tree = Tree::new().file("/proc/interrupts", INTERRUPTS).files(
            "/proc/irq/24/smp_affinity_list = 0,2
             /proc/irq/24/effective_affinity_list = 2
             /proc/irq/9/smp_affinity_list = 0-2
             /proc/irq/default_smp_affinity = 5
             /proc/net/unix = 0000: 00000002 00000000 00010000 0001 01 17 @irqbalance812.sock",
        );
        let irqs = Irqs::read(&tree.host()).unwrap();
        assert!(irqs.irqbalance);
        let on: Vec<_> = irqs.on(&CpuSet::parse("2").unwrap()).map(|irq| (irq.number, irq.counts.clone())).collect();
        assert_eq!(on, [(24, vec![(0, 10), (2, 7)])], "9 is nobody's");
        let table = counters(&tree.host()).unwrap();
        assert_eq!(table[2].counts, [(0, 9_000_000), (2, 8_000_000)]);
        assert_eq!((table[2].action.as_str(), table[3].counts.len()), ("Local timer interrupts", 1));
    }
}
