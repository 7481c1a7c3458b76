//! Which devices a container may open or make: the rules of config.json brought to a normal form, and v1's files.

use super::{Error, knob};
use crate::spec::{DeviceRule, DeviceType, Resources};
use nix::errno::Errno;
use std::fmt;
use std::path::Path;

/// Bits of the kernel's `BPF_DEVCG_ACC_*`.
pub(super) const MKNOD: u8 = 1;
pub(super) const READ: u8 = 2;
pub(super) const WRITE: u8 = 4;
const ALL: u8 = MKNOD | READ | WRITE;

/// Block or character: the two kinds that the kernel controls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Block,
    Char,
}

/// Devices that are treated otherwise than the policy's default. `None` stands for every number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Exception {
    pub kind: Kind,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    /// Bits of access that the exception is about.
    pub access: u8,
}

/// Every access is `allow`ed, or refused, but for the exceptions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Policy {
    pub allow: bool,
    pub exceptions: Vec<Exception>,
}

/// runc's and crun's: what every container has in /dev, and mknod of anything, which by itself opens nothing.
const DEFAULTS: [(Kind, Option<u32>, Option<u32>, u8); 10] = [
    (Kind::Char, None, None, MKNOD),
    (Kind::Block, None, None, MKNOD),
    (Kind::Char, Some(1), Some(3), ALL), // null
    (Kind::Char, Some(1), Some(5), ALL), // zero
    (Kind::Char, Some(1), Some(7), ALL), // full
    (Kind::Char, Some(1), Some(8), ALL), // random
    (Kind::Char, Some(1), Some(9), ALL), // urandom
    (Kind::Char, Some(5), Some(0), ALL), // tty
    (Kind::Char, Some(5), Some(2), ALL), // ptmx
    (Kind::Char, Some(136), None, ALL),  // pts/*
];

impl Policy {
    /// The policy of a container: nothing is allowed but what the rules, in order, and the [`DEFAULTS`] allow.
    pub(super) fn of(resources: Option<&Resources>) -> Result<Self, Error> {
        let mut policy = Self { allow: false, exceptions: Vec::new() };
        for (index, rule) in resources.map_or(&[][..], |resources| &resources.devices).iter().enumerate() {
            policy.apply(rule, index)?;
        }
        for (kind, major, minor, access) in DEFAULTS {
            // A default device under a wider ban stays banned: that was asked for.
            let _ = policy.add(true, Exception { kind, major, minor, access });
        }
        Ok(policy)
    }

    fn apply(&mut self, rule: &DeviceRule, index: usize) -> Result<(), Error> {
        let field = || format!("linux.resources.devices[{index}]");
        let number = |value: Option<i64>, name| match value {
            None | Some(-1) => Ok(None),
            Some(value) => u32::try_from(value)
                .map(Some)
                .map_err(|_| Error::unsupported(format!("{}.{name}", field()), format!("{value} is no device number"))),
        };
        let (major, minor) = (number(rule.major, "major")?, number(rule.minor, "minor")?);
        let access = access(rule.access.as_deref())
            .ok_or_else(|| Error::unsupported(format!("{}.access", field()), "only the letters r, w and m"))?;
        let kinds: &[Kind] = match rule.kind {
            None | Some(DeviceType::All) if major.is_none() && minor.is_none() && access == ALL => {
                *self = Self { allow: rule.allow, exceptions: Vec::new() };
                return Ok(());
            }
            None | Some(DeviceType::All) => &[Kind::Block, Kind::Char],
            Some(DeviceType::Block) => &[Kind::Block],
            Some(DeviceType::Char | DeviceType::Unbuffered) => &[Kind::Char],
            Some(DeviceType::Fifo) => return Err(Error::unsupported(field(), "a FIFO is no device")),
        };
        for &kind in kinds {
            self.add(rule.allow, Exception { kind, major, minor, access }).map_err(|()| {
                Error::unsupported(
                    field(),
                    "takes back a part of an earlier, wider rule; list the narrower ones instead",
                )
            })?;
        }
        Ok(())
    }

    /// A rule against the default is an exception; one with the default takes exceptions back. One that takes back only
    /// some of an exception's devices can't be said to a v1 kernel: `Err`.
    fn add(&mut self, allow: bool, rule: Exception) -> Result<(), ()> {
        if allow != self.allow {
            match self.exceptions.iter_mut().find(|exception| exception.same_devices(&rule)) {
                Some(exception) => exception.access |= rule.access,
                None => self.exceptions.push(rule),
            }
            return Ok(());
        }
        if self.exceptions.iter().any(|exception| {
            exception.access & rule.access != 0 && exception.overlaps(&rule) && !rule.covers(exception)
        }) {
            return Err(());
        }
        for exception in self.exceptions.iter_mut().filter(|exception| rule.covers(exception)) {
            exception.access &= !rule.access;
        }
        self.exceptions.retain(|exception| exception.access != 0);
        Ok(())
    }

    /// Whether every device may be used.
    pub(super) fn is_open(&self) -> bool {
        self.allow && self.exceptions.is_empty()
    }

    /// Whether `access` (one or more bits) is allowed: the meaning that both kernels' forms are tested against.
    #[cfg(test)]
    pub(super) fn allows(&self, kind: Kind, major: u32, minor: u32, access: u8) -> bool {
        let of =
            |e: &&Exception| e.kind == kind && e.major.is_none_or(|m| m == major) && e.minor.is_none_or(|m| m == minor);
        let mut matching = self.exceptions.iter().filter(of);
        match self.allow {
            true => matching.all(|exception| exception.access & access == 0),
            false => matching.any(|exception| exception.access & access == access),
        }
    }
}

impl Exception {
    fn same_devices(&self, other: &Self) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }

    fn covers(&self, other: &Self) -> bool {
        self.kind == other.kind
            && (self.major.is_none() || self.major == other.major)
            && (self.minor.is_none() || self.minor == other.minor)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let meet = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        self.kind == other.kind && meet(self.major, other.major) && meet(self.minor, other.minor)
    }
}

/// v1's syntax, the same as a line of `devices.list`.
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == Kind::Block { 'b' } else { 'c' };
        let number = |n: Option<u32>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
        write!(f, "{kind} {}:{} ", number(self.major), number(self.minor))?;
        let letters = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')];
        letters.iter().filter(|(bit, _)| self.access & bit != 0).try_for_each(|(_, letter)| write!(f, "{letter}"))
    }
}

fn access(letters: Option<&str>) -> Option<u8> {
    let Some(letters) = letters.filter(|letters| !letters.is_empty()) else { return Some(ALL) };
    letters.chars().try_fold(0, |bits, letter| match letter {
        'r' => Some(bits | READ),
        'w' => Some(bits | WRITE),
        'm' => Some(bits | MKNOD),
        _ => None,
    })
}

/// Writes the policy to a v1 cgroup that nobody is in.
pub(super) fn write_v1(dir: &Path, policy: &Policy) -> Result<(), Error> {
    let (reset, except) = match policy.allow {
        true => ("devices.allow", "devices.deny"),
        false => ("devices.deny", "devices.allow"),
    };
    write(dir, reset, &["a"])?;
    write(dir, except, &policy.exceptions)
}

/// Changes the policy of a v1 cgroup in use without a moment in which a device of both policies is refused.
pub(super) fn update_v1(dir: &Path, policy: &Policy) -> Result<(), Error> {
    let list = knob::read_text(dir.join("devices.list"))?;
    // A cgroup that allows by default shows "a *:* rwm" and hides its exceptions.
    if policy.allow || list.starts_with('a') {
        return write_v1(dir, policy);
    }
    let wanted: Vec<String> = policy.exceptions.iter().map(ToString::to_string).collect();
    let old: Vec<&str> = list.lines().filter(|line| !wanted.iter().any(|wanted| wanted == line)).collect();
    write(dir, "devices.allow", &wanted)?;
    write(dir, "devices.deny", &old)?;
    // Denying "rwm" of a device also takes what a new rule with fewer letters allows.
    write(dir, "devices.allow", &wanted)
}

/// The kernel parses one rule a write(2).
fn write(dir: &Path, file: &str, rules: &[impl ToString]) -> Result<(), Error> {
    if rules.is_empty() {
        return Ok(());
    }
    let path = dir.join(file);
    let open = knob::open_for_writing(&path);
    let open = open.map_err(|errno| Error::Io { step: "opening", path: path.clone(), errno })?;
    for rule in rules {
        let value = rule.to_string();
        knob::put(&open, &value).map_err(|errno| Error::Refused {
            field: "linux.resources.devices".into(),
            value,
            path: path.clone(),
            errno,
            hint: if errno == Errno::EPERM { "; the parent cgroup does not allow it" } else { "" },
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse_resources;

    fn policy(rules: &str) -> Result<Policy, Error> {
        Policy::of(Some(&parse_resources(format!(r#"{{"devices":{rules}}}"#).as_bytes(), "test").unwrap()))
    }

    #[test]
    fn nothing_asked_is_a_whitelist_of_the_defaults() {
        let policy = Policy::of(None).unwrap();
        assert!(policy.allows(Kind::Char, 1, 3, ALL) && policy.allows(Kind::Char, 136, 7, READ));
        assert!(policy.allows(Kind::Block, 8, 0, MKNOD) && !policy.allows(Kind::Block, 8, 0, READ));
    }

    #[test]
    fn rules_apply_in_order() {
        let text = r#"[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"},
            {"allow":true,"type":"b","major":8,"access":"r"},{"allow":false,"type":"c","major":10,"minor":229,"access":"w"}]"#;
        let policy = policy(text).unwrap();
        assert!(policy.allows(Kind::Char, 10, 229, READ) && !policy.allows(Kind::Char, 10, 229, WRITE));
        assert!(policy.allows(Kind::Block, 8, 3, READ) && !policy.allows(Kind::Block, 9, 3, READ));
        assert!(policy.exceptions.iter().any(|e| e.to_string() == "b 8:* r"));
    }

    #[test]
    fn privileged_is_open_and_bans_hold() {
        assert!(policy(r#"[{"allow":true,"access":"rwm"}]"#).unwrap().exceptions.is_empty());
        let banned = policy(r#"[{"allow":true},{"allow":false,"type":"b","major":8,"access":"w"}]"#).unwrap();
        assert!(!banned.allows(Kind::Block, 8, 1, WRITE) && banned.allows(Kind::Block, 8, 1, READ));
        assert!(!banned.allows(Kind::Block, 8, 1, READ | WRITE));
    }

    #[test]
    fn nonsense_is_named() {
        let error = |text: &str| policy(text).unwrap_err().to_string();
        assert!(error(r#"[{"allow":true,"access":"x"}]"#).starts_with("linux.resources.devices[0].access"));
        assert!(error(r#"[{"allow":true,"type":"p"}]"#).contains("FIFO"));
        assert!(error(r#"[{"allow":true,"type":"c","major":-7}]"#).contains("-7 is no device number"));
        let part = r#"[{"allow":true,"type":"c","major":7,"access":"r"},{"allow":false,"type":"c","major":7,"minor":1,"access":"r"}]"#;
        assert!(error(part).starts_with("linux.resources.devices[1]: takes back a part"));
    }
}
