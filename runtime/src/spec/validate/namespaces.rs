use super::{Error, absolute, in_range};
use crate::spec::{Linux, Namespace, NamespaceType, Spec};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The entry of `kind`.
pub(super) fn find(linux: &Linux, kind: NamespaceType) -> Option<&Namespace> {
    linux.namespaces.iter().find(|namespace| namespace.kind == kind)
}

/// Whether the container has a namespace of `kind` that is not the caller's.
pub(super) fn has(linux: &Linux, kind: NamespaceType) -> bool {
    find(linux, kind).is_some()
}

/// The path that is joined; an empty one is none.
pub(super) fn path(namespace: &Namespace) -> Option<&Path> {
    namespace.path.as_deref().filter(|path| !path.as_os_str().is_empty())
}

/// Checks the namespaces, and the fields that need one.
pub(super) fn check(spec: &Spec) -> Result<(), Error> {
    let linux = &spec.linux;
    for (index, namespace) in linux.namespaces.iter().enumerate() {
        let field = format!("linux.namespaces[{index}]");
        if linux.namespaces[..index].iter().any(|earlier| earlier.kind == namespace.kind) {
            return Err(Error::Duplicate { field, name: format!("{:?}", namespace.kind).to_lowercase() });
        }
        if let Some(path) = path(namespace) {
            absolute(path, &format!("{field}.path"))?;
        }
    }
    host_names(spec)?;
    time(linux)?;
    linux.sysctl.iter().try_for_each(|(key, value)| sysctl(linux, key, value))
}

fn host_names(spec: &Spec) -> Result<(), Error> {
    for (field, name) in [("hostname", &spec.hostname), ("domainname", &spec.domainname)] {
        let Some(name) = name.as_deref().filter(|name| !name.is_empty()) else { continue };
        if !has(&spec.linux, NamespaceType::Uts) {
            return Err(Error::NeedsNamespace { field: field.into(), namespace: "uts" });
        }
        // __NEW_UTS_LEN
        in_range(name.len() as u64, 1, 64, || format!("{field}: length in bytes"))?;
    }
    Ok(())
}

fn time(linux: &Linux) -> Result<(), Error> {
    let Some(offsets) = &linux.time_offsets else { return Ok(()) };
    let field = "linux.timeOffsets";
    let given = [("monotonic", offsets.monotonic), ("boottime", offsets.boottime)];
    if given.iter().all(|(_, offset)| offset.is_none()) {
        return Ok(());
    }
    match find(linux, NamespaceType::Time) {
        None => return Err(Error::NeedsNamespace { field: field.into(), namespace: "time" }),
        Some(time) if path(time).is_some() => {
            return Err(Error::Conflict {
                field: field.into(),
                other: "a time namespace that is joined by path".into(),
            });
        }
        Some(_) => {}
    }
    for (clock, offset) in given {
        let nanosecs = offset.unwrap_or_default().nanosecs;
        in_range(nanosecs, 0, 999_999_999, || format!("{field}.{clock}.nanosecs"))?;
    }
    Ok(())
}

/// Kernel parameters that live in the IPC namespace, besides `fs.mqueue.*`.
const IPC: &[&str] = &[
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// `/proc/sys` is not one namespace: each key belongs to a kind of its own, or to the host.
fn sysctl(linux: &Linux, key: &str, value: &str) -> Result<(), Error> {
    let name = dotted(key);
    let illegal = |text: &str| text.contains('\0');
    if name.split(['.', '/']).any(|part| part.is_empty() || part == "..") || illegal(&name) || illegal(value) {
        return Err(Error::Form { field: "linux.sysctl".into(), value: key.into(), why: "is no kernel parameter" });
    }
    let kind = if IPC.contains(&name.as_str()) || name.starts_with("fs.mqueue.") {
        (NamespaceType::Ipc, "ipc")
    } else if name.starts_with("net.") {
        (NamespaceType::Network, "network")
    } else if name == "kernel.domainname" {
        (NamespaceType::Uts, "uts")
    } else if name == "kernel.hostname" && has(linux, NamespaceType::Uts) {
        return Err(Error::Conflict { field: "linux.sysctl: kernel.hostname".into(), other: "hostname".into() });
    } else if name.starts_with("user.") {
        (NamespaceType::User, "user")
    } else {
        return Err(Error::HostSysctl(key.into()));
    };
    let own = find(linux, kind.0).is_some_and(|namespace| !is_callers_network(namespace));
    if own { Ok(()) } else { Err(Error::SharedSysctl { key: key.into(), namespace: kind.1 }) }
}

/// With `/` as the separator, dots belong to names: `net/ipv4/conf/eth0.1/forwarding` (`sysctl.d(5)`).
fn dotted(key: &str) -> String {
    if key.find(['.', '/']).is_none_or(|first| key.as_bytes()[first] == b'.') {
        return key.to_owned();
    }
    key.chars()
        .map(|c| {
            if c == '.' {
                '/'
            } else if c == '/' {
                '.'
            } else {
                c
            }
        })
        .collect()
}

/// podman's `--network host` may be written as a path to the host's own namespace.
fn is_callers_network(namespace: &Namespace) -> bool {
    let Some(path) = path(namespace).filter(|_| namespace.kind == NamespaceType::Network) else { return false };
    let identity = |path: &Path| std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    identity(path).is_some_and(|theirs| Some(theirs) == identity(Path::new("/proc/self/ns/net")))
}
