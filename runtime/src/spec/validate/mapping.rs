use super::Error;
use super::namespaces;
use crate::spec::{IdMapping, Linux, NamespaceType, Process};

/// The kernel's limit of lines in a map (`user_namespaces(7)`).
const MAX_LINES: usize = 340;

/// Checks the user namespace's mappings.
pub(super) fn check(linux: &Linux) -> Result<(), Error> {
    let (uids, gids) = (&linux.uid_mappings, &linux.gid_mappings);
    let Some(user) = namespaces::find(linux, NamespaceType::User) else {
        if uids.is_empty() && gids.is_empty() {
            return Ok(());
        }
        let field = if uids.is_empty() { "linux.gidMappings" } else { "linux.uidMappings" };
        return Err(Error::NeedsNamespace { field: field.into(), namespace: "user" });
    };
    let joins = namespaces::path(user).is_some();
    if uids.is_empty() && !joins {
        return Err(Error::Missing("linux.uidMappings".into()));
    }
    if gids.is_empty() && !joins {
        return Err(Error::Missing("linux.gidMappings".into()));
    }
    lines(uids, "linux.uidMappings")?;
    lines(gids, "linux.gidMappings")
}

/// Checks the mappings of an idmapped mount: both or none.
pub(super) fn pair(uids: &[IdMapping], gids: &[IdMapping], field: &str) -> Result<(), Error> {
    match (uids.is_empty(), gids.is_empty()) {
        (false, true) => return Err(Error::Missing(format!("{field}.gidMappings"))),
        (true, false) => return Err(Error::Missing(format!("{field}.uidMappings"))),
        _ => {}
    }
    lines(uids, &format!("{field}.uidMappings"))?;
    lines(gids, &format!("{field}.gidMappings"))
}

/// Checks that the process's IDs exist in a new user namespace; `setresuid(2)` would only say EINVAL.
pub(super) fn users_exist(process: &Process, linux: &Linux) -> Result<(), Error> {
    let new = namespaces::find(linux, NamespaceType::User).is_some_and(|user| namespaces::path(user).is_none());
    if !new {
        return Ok(());
    }
    let user = &process.user;
    mapped(user.uid, &linux.uid_mappings, "process.user.uid", "linux.uidMappings")?;
    mapped(user.gid, &linux.gid_mappings, "process.user.gid", "linux.gidMappings")?;
    for &gid in &user.additional_gids {
        mapped(gid, &linux.gid_mappings, "process.user.additionalGids", "linux.gidMappings")?;
    }
    Ok(())
}

fn mapped(id: u32, lines: &[IdMapping], field: &str, mapping: &'static str) -> Result<(), Error> {
    let covers = |line: &IdMapping| id.checked_sub(line.container_id).is_some_and(|offset| offset < line.size);
    if lines.is_empty() || lines.iter().any(covers) {
        return Ok(());
    }
    Err(Error::Unmapped { field: field.into(), id, mapping })
}

fn lines(lines: &[IdMapping], field: &str) -> Result<(), Error> {
    super::in_range(lines.len() as u64, 0, MAX_LINES as u64, || format!("{field}: number of lines"))?;
    for (index, line) in lines.iter().enumerate() {
        let largest = u32::MAX - line.container_id.max(line.host_id);
        super::in_range(line.size, 1, largest, || format!("{field}[{index}].size"))?;
        for (earlier, other) in lines[..index].iter().enumerate() {
            let overlap = |a: u32, b: u32| a < b + other.size && b < a + line.size;
            let side = if overlap(line.container_id, other.container_id) {
                "container"
            } else if overlap(line.host_id, other.host_id) {
                "host"
            } else {
                continue;
            };
            return Err(Error::Overlap { field: field.into(), side, first: earlier, second: index });
        }
    }
    Ok(())
}
