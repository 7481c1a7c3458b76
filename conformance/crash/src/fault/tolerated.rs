//! Failures that a command may pass over in silence, each with the reason why nothing is lost by it.

use super::inject::Fault;
use nix::errno::Errno;

/// `(command, call, beginning or end of its path, reason)`; an empty text stands for any.
const KNOWN: &[(&str, &str, &str, &str)] = &[
    ("", "statx", "", "only a hint of a file's size, for the buffer"),
    ("", "read", "/uid_map", "as for its open"),
    ("", "openat", "/proc/self/uid_map", "taken for a user's, of whom less is demanded; the same is done"),
    ("", "fsopen", "", "mount(2) does it"),
    ("", "fsconfig", "", "mount(2) does it"),
    ("", "fsmount", "", "mount(2) does it"),
    ("delete", "pidfd_send_signal", "", "the cgroup's kill ends it"),
    ("", "prctl", "", "asked again whether the capability is there to be dropped: it is not"),
    ("", "capset", "", "asked again for what there is to give: it is all"),
    ("", "accept4", "", "the init tries again"),
    ("", "getcwd", "", "the working directory is entered again"),
    ("", "access", "/proc/kcore", "/dev/core is left out"),
    ("", "openat", "/etc/passwd", "HOME is /, as for an image without the file"),
];

/// Why the fault is harmless; `None` if it is not known to be.
pub fn reason(deed: &str, fault: &Fault) -> Option<&'static str> {
    if fault.errno == Errno::EINTR {
        return Some("tried again");
    }
    let place = &fault.place;
    let name = place.call.name.trim_start_matches("SYS_");
    let fits = |(of, call, path, _): &&(&str, &str, &str, &str)| {
        (of.is_empty() || *of == deed)
            && *call == name
            && (place.about.starts_with(path) || place.about.ends_with(path))
    };
    KNOWN.iter().find(fits).map(|(.., reason)| *reason)
}
