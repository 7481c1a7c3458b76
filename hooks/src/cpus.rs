//! Sets of CPUs, in the two formats of the kernel: lists (`0-3,7`) and hexadecimal masks (`ff,00000001`).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The kernel's own largest `CONFIG_NR_CPUS`.
const MOST: u32 = 8192;

/// A set of CPUs. Serialised as a list.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct CpuSet {
    /// Bit n of the whole for CPU n; no zero words at the end.
    words: Vec<u64>,
}

/// A text that is no set of CPUs.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no CPU list as the kernel writes them (\"0-3,7\"): {problem}")]
pub struct ListError {
    text: String,
    problem: String,
}

impl CpuSet {
    /// Reads a list: `0-3,7`, blanks around allowed, also the kernel's `0-31:2/4` (2 of each 4). Empty text is the empty set.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<CpuSet, ListError> {
        let problem = |problem: String| ListError { text: text.to_owned(), problem };
        let number = |digits: &str| {
            let value = digits.trim().parse::<u32>().ok().filter(|value| *value < MOST);
            value.ok_or_else(|| problem(format!("{digits:?} is not a number below {MOST}")))
        };
        let mut set = CpuSet::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (range, stride) = part.split_once(':').map_or((part, None), |(range, stride)| (range, Some(stride)));
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(problem(format!("{range:?} runs backwards")));
            }
            let (used, group) = match stride.map(|stride| stride.split_once('/')) {
                None => (1, 1),
                Some(Some((used, group))) => (number(used)?, number(group)?),
                Some(None) => return Err(problem(format!("{part:?} lacks its /group"))),
            };
            if used == 0 || used > group {
                return Err(problem(format!("{part:?} uses {used} of {group}")));
            }
            (first..=last).filter(|cpu| (cpu - first) % group < used).for_each(|cpu| set.insert(cpu));
        }
        Ok(set)
    }

    /// Reads a mask: groups of up to eight hexadecimal digits, highest first, with commas between.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_mask(text: &str) -> Result<CpuSet, ListError> {
        let problem = |problem: &str| ListError { text: text.to_owned(), problem: problem.to_owned() };
        let mut set = CpuSet::default();
        for (group, digits) in text.trim().rsplit(',').enumerate() {
            let bits = u32::from_str_radix(digits, 16).map_err(|_| problem("a mask has groups of 8 hex digits"))?;
            let first = group as u32 * 32;
            if bits != 0 && first >= MOST {
                return Err(problem("it is longer than the largest machine"));
            }
            (0..32).filter(|bit| bits & 1 << bit != 0).for_each(|bit| set.insert(first + bit));
        }
        Ok(set)
    }

    /// The mask as `/proc/irq/default_smp_affinity` takes it: in as few groups as can be, for the kernel refuses more than its
    /// own number of CPUs has.
    pub fn to_mask(&self) -> String {
        let mut groups: Vec<u32> = self.words.iter().flat_map(|word| [*word as u32, (word >> 32) as u32]).collect();
        while groups.len() > 1 && groups.last() == Some(&0) {
            groups.pop();
        }
        groups.iter().rev().map(|group| format!("{group:08x}")).collect::<Vec<_>>().join(",")
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How many are in.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether this one is in.
    pub fn contains(&self, cpu: u32) -> bool {
        self.words.get(cpu as usize / 64).is_some_and(|word| word & 1 << (cpu % 64) != 0)
    }

    /// Those in, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.words.len() as u32 * 64).filter(|cpu| self.contains(*cpu))
    }

    /// The mask, 64 to a word, lowest first.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Those in both.
    pub fn and(&self, other: &CpuSet) -> CpuSet {
        self.iter().filter(|cpu| other.contains(*cpu)).collect()
    }

    /// Those in either.
    pub fn or(&self, other: &CpuSet) -> CpuSet {
        self.iter().chain(other.iter()).collect()
    }

    /// Those in this one and not in the other.
    pub fn without(&self, other: &CpuSet) -> CpuSet {
        self.iter().filter(|cpu| !other.contains(*cpu)).collect()
    }

    /// Whether all of these are in the other.
    pub fn is_subset(&self, other: &CpuSet) -> bool {
        self.iter().all(|cpu| other.contains(cpu))
    }

    fn insert(&mut self, cpu: u32) {
        let word = cpu as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (cpu % 64);
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> CpuSet {
        let mut set = CpuSet::default();
        cpus.into_iter().for_each(|cpu| set.insert(cpu));
        set
    }
}

impl fmt::Display for CpuSet {
    /// In the kernel's list format.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cpus = self.iter().peekable();
        let mut comma = "";
        while let Some(first) = cpus.next() {
            let mut last = first;
            while cpus.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

impl FromStr for CpuSet {
    type Err = ListError;

    fn from_str(text: &str) -> Result<CpuSet, ListError> {
        CpuSet::parse(text)
    }
}

impl TryFrom<String> for CpuSet {
    type Error = ListError;

    fn try_from(text: String) -> Result<CpuSet, ListError> {
        CpuSet::parse(&text)
    }
}

impl From<CpuSet> for String {
    fn from(set: CpuSet) -> String {
        set.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> CpuSet {
        CpuSet::parse(text).unwrap()
    }

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        for (text, canonical) in [("0", "0"), ("3,1-2", "1-3"), (" 0-1 , 64\n", "0-1,64"), ("0-7:1/4", "0,4"), ("", "")]
        {
            assert_eq!(set(text).to_string(), canonical, "{text:?}");
        }
        for text in ["a", "1-", "2-1", "8192", "0-3:2", "0-3:3/2", "-1"] {
            assert!(CpuSet::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn masks_come_in_groups_of_32() {
        assert_eq!(CpuSet::parse_mask("00000001,80000003\n").unwrap(), set("0-1,31-32"));
        assert_eq!(CpuSet::parse_mask("3").unwrap(), set("0-1"));
        assert!(CpuSet::parse_mask("g").is_err());
        assert_eq!(set("0-1,32").to_mask(), "00000001,00000003");
        assert_eq!(set("3").to_mask(), "00000008");
    }

    #[test]
    fn equal_sets_are_equal_however_made() {
        assert_eq!(set("0,64").without(&set("64")), set("0"));
        assert_eq!(set("0-3").and(&set("2-70")), set("2-3"));
        assert_eq!(set("0").or(&set("2")).to_string(), "0,2");
        assert!(set("1").is_subset(&set("0-1")) && !set("2").is_subset(&set("0-1")));
        assert_eq!(set("0-1,64").len(), 3);
    }
}
