//! The whole configuration is checked before anything of the container exists. Pure, but for one look at the root
//! directory and, where a `net.*` sysctl meets a namespace path, at whose namespace that is.

mod annotations;
mod error;
mod limits;
mod mapping;
mod namespaces;
mod process;
mod seccomp;
#[cfg(test)]
mod tests;

pub use error::Error;

use crate::spec::names;
use crate::spec::{
    DeviceType, Hook, IntelRdt, Linux, MemoryPolicy, MemoryPolicyMode, Mount, NetDevice, Process, Resources, Spec,
};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Checks `spec`, whose relative paths start at `bundle`. What is odd but harmless is returned as warnings.
///
/// # Errors
/// The first rule that is broken.
pub fn validate(spec: &Spec, bundle: &Path) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    version(&spec.oci_version)?;
    root(spec, bundle)?;
    if let Some(process) = &spec.process {
        process::check(process, "process")?;
    }
    namespaces::check(spec)?;
    mapping::check(&spec.linux)?;
    spec.process.as_ref().map_or(Ok(()), |process| mapping::users_exist(process, &spec.linux))?;
    for (index, mount) in spec.mounts.iter().enumerate() {
        check_mount(mount, &format!("mounts[{index}]"), &spec.linux, &mut warnings)?;
    }
    hooks(spec)?;
    annotations::check(&spec.annotations)?;
    linux(&spec.linux)?;
    warnings.extend(kernel_memory(spec.linux.resources.as_ref()));
    Ok(warnings)
}

/// Checks the process of an `exec`.
///
/// # Errors
/// As [`validate`].
pub fn validate_process(process: &Process) -> Result<(), Error> {
    process::check(process, "process")
}

/// Checks the resources of an `update`.
///
/// # Errors
/// As [`validate`].
pub fn validate_resources(resources: &Resources) -> Result<(), Error> {
    limits::check(resources)
}

/// Checks a container's ID: it becomes the name of a directory and of a cgroup. The node's ledger has its directory
/// beside the containers'.
///
/// # Errors
/// [`Error::Id`], [`Error::LedgersId`].
pub fn id(id: &str) -> Result<(), Error> {
    if Path::new(rtrun_hooks::ledger::DIRECTORY).file_name() == Some(id.as_ref()) {
        return Err(Error::LedgersId(id.to_owned()));
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+.-".contains(&byte);
    if (1..=1024).contains(&id.len()) && id.bytes().all(legal) && id != "." && id != ".." {
        return Ok(());
    }
    Err(Error::Id(id.to_owned()))
}

fn version(version: &str) -> Result<(), Error> {
    if version.strip_prefix("1.").is_some_and(|minor| minor.starts_with(|c: char| c.is_ascii_digit())) {
        return Ok(());
    }
    Err(Error::OciVersion(version.to_owned()))
}

fn root(spec: &Spec, bundle: &Path) -> Result<(), Error> {
    let path = spec.root.as_ref().map(|root| &root.path).filter(|path| !path.as_os_str().is_empty());
    let path = path.ok_or_else(|| Error::Missing("root.path".into()))?;
    no_nul(path, "root.path")?;
    let path = bundle.join(path);
    match nix::sys::stat::stat(&path) {
        Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFDIR => Ok(()),
        Ok(_) => Err(Error::NoRoot { path, errno: Errno::ENOTDIR }),
        Err(errno) => Err(Error::NoRoot { path, errno }),
    }
}

fn check_mount(mount: &Mount, field: &str, linux: &Linux, warnings: &mut Vec<String>) -> Result<(), Error> {
    let destination = format!("{field}.destination");
    non_empty(&mount.destination, &destination)?;
    no_nul(&mount.destination, &destination)?;
    if mount.destination.is_relative() {
        warnings.push(format!("{destination}: {:?} is relative; it is taken as below /", mount.destination));
    }
    if let Some(source) = &mount.source {
        no_nul(source, &format!("{field}.source"))?;
    }
    let has = |name: &str| mount.options.iter().any(|option| option == name);
    if (has("bind") || has("rbind")) && mount.source.as_ref().is_none_or(|source| source.as_os_str().is_empty()) {
        return Err(Error::Missing(format!("{field}.source")));
    }
    for option in &mount.options {
        no_nul(Path::new(option), &format!("{field}.options"))?;
    }
    mapping::pair(&mount.uid_mappings, &mount.gid_mappings, field)?;
    let own_mapping = !mount.uid_mappings.is_empty();
    if (has("idmap") || has("ridmap")) && !own_mapping && !namespaces::has(linux, super::NamespaceType::User) {
        return Err(Error::NeedsNamespace { field: format!("{field}.options: idmap"), namespace: "user" });
    }
    Ok(())
}

/// Linux 5.16 and later accept the limit and ignore it (`memory.kmem.limit_in_bytes` of cgroup v1); v2 has none.
fn kernel_memory(resources: Option<&Resources>) -> Option<String> {
    resources?.memory.as_ref()?.kernel.filter(|&limit| limit > 0).map(|_| {
        "linux.resources.memory.kernel: the kernel has no such limit any more, it counts as memory.limit; passed over"
            .to_owned()
    })
}

fn hooks(spec: &Spec) -> Result<(), Error> {
    let Some(hooks) = &spec.hooks else { return Ok(()) };
    let lists = [
        ("prestart", &hooks.prestart),
        ("createRuntime", &hooks.create_runtime),
        ("createContainer", &hooks.create_container),
        ("startContainer", &hooks.start_container),
        ("poststart", &hooks.poststart),
        ("poststop", &hooks.poststop),
    ];
    for (name, list) in lists {
        for (index, hook) in list.iter().enumerate() {
            check_hook(hook, &format!("hooks.{name}[{index}]"))?;
        }
    }
    Ok(())
}

fn check_hook(hook: &Hook, field: &str) -> Result<(), Error> {
    absolute(&hook.path, &format!("{field}.path"))?;
    for text in hook.args.iter().chain(&hook.env) {
        no_nul(Path::new(text), field)?;
    }
    match hook.timeout {
        Some(seconds) => in_range(seconds, 1, i64::MAX, || format!("{field}.timeout")),
        None => Ok(()),
    }
}

fn linux(linux: &Linux) -> Result<(), Error> {
    devices(linux)?;
    net_devices(&linux.net_devices, namespaces::has(linux, super::NamespaceType::Network))?;
    if let Some(path) = &linux.cgroups_path {
        no_nul(Path::new(path), "linux.cgroupsPath")?;
        if path.split('/').any(|part| part == "..") {
            let why = "must not climb with '..'";
            return Err(Error::Form { field: "linux.cgroupsPath".into(), value: path.clone(), why });
        }
    }
    if let Some(resources) = &linux.resources {
        limits::check(resources)?;
    }
    if let Some(rdt) = &linux.intel_rdt {
        intel_rdt(rdt)?;
    }
    if let Some(policy) = &linux.memory_policy {
        memory_policy(policy)?;
    }
    if let Some(filter) = &linux.seccomp {
        seccomp::check(filter)?;
    }
    if let Some(propagation) = linux.rootfs_propagation.as_deref().filter(|propagation| !propagation.is_empty()) {
        known(propagation, names::PROPAGATIONS, "linux.rootfsPropagation")?;
    }
    for (field, paths) in [("linux.maskedPaths", &linux.masked_paths), ("linux.readonlyPaths", &linux.readonly_paths)] {
        if !paths.is_empty() && !namespaces::has(linux, super::NamespaceType::Mount) {
            return Err(Error::NeedsNamespace { field: field.into(), namespace: "mount" });
        }
        paths.iter().try_for_each(|path| absolute(path, field))?;
    }
    match linux.personality.as_ref().and_then(|personality| personality.flags.first()) {
        Some(flag) => {
            let why = "the specification defines no personality flags";
            Err(Error::Form { field: "linux.personality.flags".into(), value: flag.clone(), why })
        }
        None => Ok(()),
    }
}

fn devices(linux: &Linux) -> Result<(), Error> {
    for (index, device) in linux.devices.iter().enumerate() {
        let field = format!("linux.devices[{index}]");
        absolute(&device.path, &format!("{field}.path"))?;
        match device.kind {
            DeviceType::All => {
                let why = "a node is b, c, u or p";
                return Err(Error::Form { field: format!("{field}.type"), value: "a".into(), why });
            }
            DeviceType::Fifo => {}
            // dev_t has 12 bits of major and 20 of minor (include/linux/kdev_t.h)
            DeviceType::Block | DeviceType::Char | DeviceType::Unbuffered => {
                in_range(device.major, 0, (1 << 12) - 1, || format!("{field}.major"))?;
                in_range(device.minor, 0, (1 << 20) - 1, || format!("{field}.minor"))?;
            }
        }
    }
    Ok(())
}

fn net_devices(devices: &BTreeMap<String, NetDevice>, own_network: bool) -> Result<(), Error> {
    let field = "linux.netDevices";
    if !devices.is_empty() && !own_network {
        return Err(Error::NeedsNamespace { field: field.into(), namespace: "network" });
    }
    let mut seen = Vec::new();
    for (name, device) in devices {
        interface_name(name, field)?;
        let Some(inside) = device.name.as_deref().filter(|name| !name.is_empty()) else { continue };
        interface_name(&inside.replacen("%d", "0", 1), &format!("{field}.{name}.name"))?;
        if !inside.contains("%d") && seen.contains(&inside) {
            return Err(Error::Duplicate { field: format!("{field}.{name}.name"), name: inside.into() });
        }
        seen.push(inside);
    }
    Ok(())
}

/// `dev_valid_name()` of the kernel, and no `%`: the kernel would take it for a template.
fn interface_name(name: &str, field: &str) -> Result<(), Error> {
    let legal = |byte: u8| !byte.is_ascii_whitespace() && !b"/:%\0".contains(&byte);
    if (1..=15).contains(&name.len()) && name.bytes().all(legal) && name != "." && name != ".." {
        return Ok(());
    }
    let why = "is no interface name: 1 to 15 bytes without '/', ':', '%' and white space";
    Err(Error::Form { field: field.into(), value: name.into(), why })
}

fn intel_rdt(rdt: &IntelRdt) -> Result<(), Error> {
    if let Some(clos) = rdt.clos_id.as_deref() {
        // "/" alone is the root group
        if clos == "." || clos == ".." || (clos.len() > 1 && clos.contains('/')) || clos.contains(['\n', '\0']) {
            let why = "is no name of a resctrl group";
            return Err(Error::Form { field: "linux.intelRdt.closID".into(), value: clos.into(), why });
        }
    }
    let prefixed = [("l3CacheSchema", &rdt.l3_cache_schema, "L3"), ("memBwSchema", &rdt.mem_bw_schema, "MB:")];
    for (name, schema, prefix) in prefixed {
        let Some(schema) = schema.as_deref().filter(|schema| !schema.is_empty()) else { continue };
        if !schema.lines().all(|line| line.starts_with(prefix)) {
            let why = "each line must start with L3 or MB:, after the schema's name";
            return Err(Error::Form { field: format!("linux.intelRdt.{name}"), value: schema.into(), why });
        }
    }
    match rdt.schemata.iter().find(|line| line.contains('\n') || !line.contains(':')) {
        Some(line) => {
            let why = "is no line of a schemata file: RESOURCE:domain=value;…";
            Err(Error::Form { field: "linux.intelRdt.schemata".into(), value: line.clone(), why })
        }
        None => Ok(()),
    }
}

fn memory_policy(policy: &MemoryPolicy) -> Result<(), Error> {
    let field = "linux.memoryPolicy";
    for flag in &policy.flags {
        known(flag, names::MEMORY_POLICY_FLAGS, &format!("{field}.flags"))?;
    }
    let given = |name: &str| policy.flags.iter().any(|flag| flag == name);
    if given("MPOL_F_STATIC_NODES") && given("MPOL_F_RELATIVE_NODES") {
        let field = format!("{field}.flags: MPOL_F_STATIC_NODES");
        return Err(Error::Conflict { field, other: "MPOL_F_RELATIVE_NODES".into() });
    }
    limits::list(&policy.nodes, &format!("{field}.nodes"))?;
    let none = policy.nodes.trim().is_empty();
    match policy.mode {
        MemoryPolicyMode::MpolPreferred => Ok(()),
        MemoryPolicyMode::MpolDefault | MemoryPolicyMode::MpolLocal if none => Ok(()),
        MemoryPolicyMode::MpolDefault | MemoryPolicyMode::MpolLocal => {
            Err(Error::Conflict { field: format!("{field}.nodes"), other: "MPOL_DEFAULT and MPOL_LOCAL".into() })
        }
        _ if none => Err(Error::Missing(format!("{field}.nodes"))),
        _ => Ok(()),
    }
}

fn known(name: &str, known: &'static [&'static str], field: &str) -> Result<(), Error> {
    if known.contains(&name) {
        return Ok(());
    }
    Err(Error::Unknown { field: field.into(), name: name.into(), known })
}

fn in_range<T: Copy + PartialOrd + Into<i128>>(
    value: T,
    low: T,
    high: T,
    field: impl FnOnce() -> String,
) -> Result<(), Error> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(Error::Range { field: field(), value: value.into(), low: low.into(), high: high.into() })
}

fn non_empty(path: &Path, field: &str) -> Result<(), Error> {
    if path.as_os_str().is_empty() { Err(Error::Missing(field.into())) } else { Ok(()) }
}

fn no_nul(path: &Path, field: &str) -> Result<(), Error> {
    if path.as_os_str().as_bytes().contains(&0) { Err(Error::Nul(field.into())) } else { Ok(()) }
}

fn absolute(path: &Path, field: &str) -> Result<(), Error> {
    non_empty(path, field)?;
    no_nul(path, field)?;
    if path.is_absolute() { Ok(()) } else { Err(Error::Relative { field: field.into(), path: path.into() }) }
}
