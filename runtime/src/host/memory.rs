//! Memory: what can make a page of a real-time process go missing for a while.

use super::kernel::chosen;
use super::{Error, Host};

/// What the kernel may do with pages.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Memory {
    /// Transparent huge pages: `always`, `madvise` or `never`; `None` without them.
    pub transparent_huge_pages: Option<String>,
    /// Devices and files that pages are swapped to.
    pub swaps: Vec<String>,
    /// 0 to 200 (`vm.swappiness`).
    pub swappiness: Option<i64>,
    /// Whether pages are moved between NUMA nodes on their own (`kernel.numa_balancing`).
    pub numa_balancing: bool,
    /// Whether same pages are merged (KSM).
    pub same_page_merging: bool,
}

impl Memory {
    /// Reads it.
    ///
    /// # Errors
    /// Those of [`Host::text`] and [`Host::number`].
    pub fn read(host: &Host) -> Result<Memory, Error> {
        let huge = host.text("/sys/kernel/mm/transparent_hugepage/enabled")?;
        let swaps = host.text("/proc/swaps")?.unwrap_or_default();
        Ok(Memory {
            transparent_huge_pages: huge.as_deref().and_then(|text| chosen(text, '[', ']')).map(str::to_owned),
            swaps: swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect(),
            swappiness: host.number("/proc/sys/vm/swappiness")?,
            numa_balancing: host.number("/proc/sys/kernel/numa_balancing")?.is_some_and(|mode| mode != 0),
            same_page_merging: host.number("/sys/kernel/mm/ksm/run")? == Some(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Tree;
    use super::*;

    #[test]
    fn pages() {
        let tree = Tree::new()
            .files("/sys/kernel/mm/transparent_hugepage/enabled = [always] madvise never\n/proc/sys/vm/swappiness = 60")
            .file("/proc/swaps", "Filename Type Size Used Priority\n/dev/vdb partition 8 0 -2\n");
        let memory = Memory::read(&tree.host()).unwrap();
        assert_eq!(memory.transparent_huge_pages.as_deref(), Some("always"));
        assert_eq!((memory.swaps, memory.swappiness), (vec!["/dev/vdb".to_owned()], Some(60)));
    }
}
