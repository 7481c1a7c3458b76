use super::ContainerEdits;
use crate::device::Error;
use crate::host::Host;
use rtrun_hooks::nearest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where specifications are, in rising order of weight.
pub const DIRECTORIES: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];
/// The newest version that is understood.
const VERSION: (u32, u32) = (1, 1);

/// One specification file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// Version of CDI that the file follows.
    pub cdi_version: String,
    /// `vendor.com/class` of all its devices.
    pub kind: String,
    /// For people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What is there to be had.
    pub devices: Vec<Device>,
    /// What is done for each of them.
    #[serde(default, skip_serializing_if = "ContainerEdits::is_empty")]
    pub container_edits: ContainerEdits,
}

/// One device.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Device {
    /// Its name within the kind.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What is done for it.
    pub container_edits: ContainerEdits,
}

/// The device of a whole name, and the file that it is in. Of two files in one directory that have it neither counts; the
/// one in the weightier directory does.
///
/// # Errors
/// [`Error::Absent`] with the nearest name, [`Error::Cdi`] for conflicts and for files of that kind that can't be read.
pub(super) fn find(host: &Host, asked: &str) -> Result<(Spec, Device), Error> {
    let (kind, name) = asked.split_once('=').unwrap_or((asked, ""));
    let mut broken = Vec::new();
    for directory in DIRECTORIES.iter().rev() {
        let mut found: Vec<(PathBuf, Spec, Device)> = Vec::new();
        for path in files(host, directory)? {
            match read(host, &path) {
                Ok(spec) if spec.kind == kind => {
                    let device = spec.devices.iter().find(|device| device.name == name).cloned();
                    found.extend(device.map(|device| (path, spec, device)));
                }
                Ok(_) => {}
                Err(problem) => broken.push(problem),
            }
        }
        if let [(first, ..), (second, ..), ..] = found.as_slice() {
            let problem = format!("both {} and {} describe it", first.display(), second.display());
            return Err(Error::Cdi { asked: asked.to_owned(), problem });
        }
        if let Some((_, spec, device)) = found.pop() {
            return Ok((spec, device));
        }
    }
    if !broken.is_empty() {
        let problem = format!("no specification has it; {} can't be used: {}", broken.len(), broken.join("; "));
        return Err(Error::Cdi { asked: asked.to_owned(), problem });
    }
    let known = names(host)?;
    let problem = match nearest(asked, known.iter().map(String::as_str)) {
        "" => format!("no CDI specification in {} or {}", DIRECTORIES[0], DIRECTORIES[1]),
        near => format!("no CDI specification has it; did you mean {near}?"),
    };
    Err(Error::Absent { asked: asked.to_owned(), problem })
}

/// The whole names of all devices, from files that can be used.
///
/// # Errors
/// [`Error::Host`].
pub fn names(host: &Host) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for directory in DIRECTORIES {
        for spec in files(host, directory)?.iter().filter_map(|path| read(host, path).ok()) {
            found.extend(spec.devices.iter().map(|device| format!("{}={}", spec.kind, device.name)));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn files(host: &Host, directory: &str) -> Result<Vec<PathBuf>, Error> {
    let is_spec = |name: &String| [".json", ".yaml", ".yml"].iter().any(|ending| name.ends_with(ending));
    let names = host.names(directory)?.into_iter().filter(is_spec);
    Ok(names.map(|name| Path::new(directory).join(name)).collect())
}

/// A file, typed: an edit that is not understood would be one that the container lacks in silence.
fn read(host: &Host, path: &Path) -> Result<Spec, String> {
    let failed = |problem: String| format!("{}: {problem}", path.display());
    let text = host.text(path).map_err(|error| failed(error.to_string()))?.unwrap_or_default();
    let spec: Spec = if path.extension().is_some_and(|ending| ending == "json") {
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?
    } else {
        serde_norway::from_str(&text).map_err(|error| failed(error.to_string()))?
    };
    let mut parts = spec.cdi_version.split('.').map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) <= VERSION => Ok(spec),
        _ => Err(failed(format!(
            "cdiVersion {:?}: versions up to {}.{} are understood",
            spec.cdi_version, VERSION.0, VERSION.1
        ))),
    }
}
