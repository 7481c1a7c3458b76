use super::{Error, in_range, known};
use crate::spec::names::SECCOMP_FLAGS;
use crate::spec::{Seccomp, SeccompAction};

/// `MAX_ERRNO` of the kernel; above it a filter's value is cut.
const MAX_ERRNO: u32 = 4095;

/// Checks the filter.
pub(super) fn check(filter: &Seccomp) -> Result<(), Error> {
    let field = "linux.seccomp";
    for flag in &filter.flags {
        known(flag, SECCOMP_FLAGS, &format!("{field}.flags"))?;
    }
    errno(filter.default_action, filter.default_errno_ret, &format!("{field}.defaultErrnoRet"))?;
    if filter.default_action == SeccompAction::ScmpActNotify {
        let why = "SCMP_ACT_NOTIFY by default would stop the runtime itself before it can hand over the listener";
        return Err(Error::Seccomp { field: format!("{field}.defaultAction"), why });
    }
    let listener = filter.listener_path.as_ref().is_some_and(|path| !path.as_os_str().is_empty());
    if filter.listener_metadata.as_ref().is_some_and(|data| !data.is_empty()) && !listener {
        let why = "is given without linux.seccomp.listenerPath";
        return Err(Error::Seccomp { field: format!("{field}.listenerMetadata"), why });
    }
    for (index, rule) in filter.syscalls.iter().enumerate() {
        let field = format!("{field}.syscalls[{index}]");
        if rule.names.is_empty() {
            return Err(Error::Missing(format!("{field}.names")));
        }
        errno(rule.action, rule.errno_ret, &format!("{field}.errnoRet"))?;
        for (number, arg) in rule.args.iter().enumerate() {
            in_range(arg.index, 0, 5, || format!("{field}.args[{number}].index"))?;
        }
        if rule.action != SeccompAction::ScmpActNotify {
            continue;
        }
        if !listener {
            let why = "SCMP_ACT_NOTIFY needs linux.seccomp.listenerPath";
            return Err(Error::Seccomp { field: format!("{field}.action"), why });
        }
        if rule.names.iter().any(|name| name == "sendmsg") {
            let why = "SCMP_ACT_NOTIFY can't be used for sendmsg, with which the listener itself is handed over";
            return Err(Error::Seccomp { field: format!("{field}.action"), why });
        }
    }
    Ok(())
}

/// An errno for an action that carries none is an error (`config-linux.md`, `errnoRet`).
fn errno(action: SeccompAction, errno: Option<u32>, field: &str) -> Result<(), Error> {
    let Some(errno) = errno else { return Ok(()) };
    match action {
        SeccompAction::ScmpActErrno => in_range(errno, 0, MAX_ERRNO, || field.into()),
        SeccompAction::ScmpActTrace => in_range(errno, 0, u32::from(u16::MAX), || field.into()),
        _ => {
            let why = "is given for an action that carries no value; only SCMP_ACT_ERRNO and SCMP_ACT_TRACE do";
            Err(Error::Seccomp { field: field.into(), why })
        }
    }
}
