//! What the kernel says about a process, from outside.

use std::fs;

use super::case::{OrFail, Verdict};

/// `struct sched_attr`, sched_setattr(2).
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub struct SchedAttr {
    size: u32,
    /// SCHED_OTHER 0, SCHED_FIFO 1, SCHED_RR 2, SCHED_BATCH 3, SCHED_IDLE 5, SCHED_DEADLINE 6
    pub policy: u32,
    /// SCHED_FLAG_*
    pub flags: u64,
    /// Nice value of SCHED_OTHER and SCHED_BATCH
    pub nice: i32,
    /// 1 to 99 for SCHED_FIFO and SCHED_RR
    pub priority: u32,
    /// Nanoseconds
    pub runtime: u64,
    /// Nanoseconds
    pub deadline: u64,
    /// Nanoseconds
    pub period: u64,
}

/// Scheduling attributes of `pid`.
pub fn sched_attr(pid: i32) -> Verdict<SchedAttr> {
    let mut attr = SchedAttr::default();
    let size = size_of::<SchedAttr>();
    // SAFETY: the kernel writes at most `size` bytes to `attr`, which is that large.
    let done = unsafe { libc::syscall(libc::SYS_sched_getattr, pid, &raw mut attr, size, 0) };
    nix::errno::Errno::result(done).or_fail(format_args!("sched_getattr {pid}"))?;
    Ok(attr)
}

/// I/O priority of `pid` as class and level, ioprio_get(2).
pub fn io_priority(pid: i32) -> Verdict<(i64, i64)> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    // SAFETY: takes integers only.
    let value = unsafe { libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, pid) };
    let value = nix::errno::Errno::result(value).or_fail(format_args!("ioprio_get {pid}"))?;
    Ok((value >> 13, value & 0x1fff))
}

/// The value of `field` in /proc/PID/status, such as `CapAmb`.
pub fn status_field(pid: i32, field: &str) -> Verdict<String> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).or_fail(&path)?;
    field_of(&text, field).or_fail(format_args!("{field} in {path}"))
}

/// The value of `field` in the text of a status file.
pub fn field_of(text: &str, field: &str) -> Option<String> {
    text.lines().find_map(|line| Some(line.strip_prefix(field)?.strip_prefix(':')?.trim().to_string()))
}

/// Where a namespace link of a process points, such as `pid:[4026531836]`; `pid` may be `self`.
pub fn namespace(pid: impl std::fmt::Display, kind: &str) -> Verdict<String> {
    let path = format!("/proc/{pid}/ns/{kind}");
    Ok(fs::read_link(&path).or_fail(&path)?.display().to_string())
}

/// The mask of capability numbers, as /proc/PID/status shows it.
pub fn capability_mask(numbers: &[u32]) -> String {
    format!("{:016x}", numbers.iter().fold(0u64, |mask, number| mask | 1 << number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_fields_are_found_whole() {
        let text = "CapInh:\t00\nCapAmb:\t0f\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(field_of(text, "CapAmb").as_deref(), Some("0f"));
        assert_eq!(field_of(text, "Seccomp").as_deref(), Some("2"));
        assert_eq!(field_of(text, "Cap"), None);
    }

    #[test]
    fn own_attributes_can_be_read() {
        assert!(sched_attr(0).is_ok());
        assert!(io_priority(0).is_ok());
        assert_eq!(capability_mask(&[5, 10, 29]), "0000000020000420");
    }
}
