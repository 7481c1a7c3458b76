use super::Error;
use crate::spec::{IoPriority, IoPriorityClass};
use nix::errno::Errno;
use nix::unistd::Pid;

/// `IOPRIO_WHO_PROCESS`: one thread; the spec's "process group" inherits it from the init.
const WHO_PROCESS: libc::c_int = 1;
/// `IOPRIO_CLASS_SHIFT`.
const CLASS_SHIFT: u32 = 13;

/// Sets class and level of a process by `ioprio_set(2)`; its children inherit them.
///
/// # Errors
/// [`Error::Field`] for a level that is not 0 to 7, [`Error::IoPriority`].
pub fn set_io_priority(p: &IoPriority, pid: Pid) -> Result<(), Error> {
    let value = io_priority(p)?;
    // SAFETY: takes numbers only.
    let result = unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, pid.as_raw(), value) };
    Errno::result(result).map(drop).map_err(|errno| Error::IoPriority {
        asked: format!("{:?} level {}", p.class, p.priority),
        pid: pid.as_raw(),
        errno,
    })
}

/// The kernel's number for class and level.
pub(super) fn io_priority(p: &IoPriority) -> Result<libc::c_int, Error> {
    if !(0..=7).contains(&p.priority) {
        let problem = format!("{} is not 0 (highest) to 7 (lowest)", p.priority);
        return Err(Error::Field { field: "process.ioPriority.priority", problem });
    }
    let class = match p.class {
        IoPriorityClass::IoprioClassRt => 1,
        IoPriorityClass::IoprioClassBe => 2,
        IoPriorityClass::IoprioClassIdle => 3,
    };
    Ok(class << CLASS_SHIFT | p.priority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_and_level_reach_the_kernel() {
        let p = IoPriority { class: IoPriorityClass::IoprioClassBe, priority: 6 };
        set_io_priority(&p, Pid::from_raw(0)).unwrap();
        // SAFETY: takes numbers only.
        let read = unsafe { libc::syscall(libc::SYS_ioprio_get, WHO_PROCESS, 0) };
        assert_eq!(read, 2 << CLASS_SHIFT | 6);
    }

    #[test]
    fn a_level_beyond_seven_names_the_field() {
        let p = IoPriority { class: IoPriorityClass::IoprioClassIdle, priority: 8 };
        let error = set_io_priority(&p, Pid::from_raw(0)).unwrap_err().to_string();
        assert_eq!(error, "process.ioPriority.priority: 8 is not 0 (highest) to 7 (lowest)");
    }
}
