use super::file::{Device, Spec};
use super::{ContainerEdits, DeviceNode};
use crate::device::card::{Access, all_cards};
use crate::device::family::Families;
use crate::device::{Error, Grant, resolve};
use crate::host::Host;
use crate::spec;
use rtrun_hooks::annotation::{DeviceName, DeviceRequest};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Vendor of the specifications that are made here; the class is the family.
pub const VENDOR: &str = "rtrun.org";
/// Since it, a device's name may begin with a digit; the oldest that has all we use.
const VERSION: &str = "0.5.0";

/// The specifications of this host's cards, one a family that has any, and what is wrong with cards that can't be passed.
///
/// # Errors
/// [`Error::Config`], [`Error::Host`].
pub fn describe(host: &Host) -> Result<(Vec<Spec>, Vec<String>), Error> {
    let mut specs: Vec<Spec> = Vec::new();
    let mut problems = Vec::new();
    for card in all_cards(host, &Families::load(host)?)? {
        if let Access::Nothing(reason) = &card.access {
            problems.push(format!("{}: {reason}", card.name()));
            continue;
        }
        let name = DeviceName::Card { family: card.family.clone(), index: card.index };
        let request = DeviceRequest { name, read_only: false, shared: false };
        match resolve(host, &[request], &spec::Spec::default()) {
            Err(error) => problems.push(error.to_string()),
            Ok(grant) => {
                let kind = format!("{VENDOR}/{}", card.family);
                if specs.last().is_none_or(|last| last.kind != kind) {
                    specs.push(Spec { kind, cdi_version: VERSION.into(), ..Spec::default() });
                }
                let device =
                    Device { name: card.index.to_string(), container_edits: edits(grant), ..Device::default() };
                if let Some(spec) = specs.last_mut() {
                    spec.devices.push(device);
                }
            }
        }
    }
    Ok((specs, problems))
}

/// Writes specifications into a directory, each whole and renamed, and removes those of ours that are out of date; gives
/// the files written.
///
/// # Errors
/// The file, and what the kernel said.
pub fn write(directory: &Path, specs: &[Spec]) -> Result<Vec<PathBuf>, (PathBuf, std::io::Error)> {
    let at = |path: &Path| {
        let path = path.to_path_buf();
        move |error| (path, error)
    };
    std::fs::create_dir_all(directory).map_err(at(directory))?;
    let mut written = Vec::new();
    for spec in specs {
        let path = directory.join(format!("{}.json", spec.kind.replace('/', "-")));
        let temporary = path.with_extension("tmp");
        let text = serde_json::to_string_pretty(spec).map_err(|error| at(&path)(error.into()))?;
        std::fs::write(&temporary, text + "\n").map_err(at(&temporary))?;
        std::fs::rename(&temporary, &path).map_err(at(&path))?;
        written.push(path);
    }
    for entry in std::fs::read_dir(directory).map_err(at(directory))?.flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(&format!("{VENDOR}-"));
        if ours && !written.contains(&path) {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err((path, error)),
                _ => {}
            }
        }
    }
    Ok(written)
}

/// Owner, mode and number are left to whoever makes the node: they are the host's at that time.
fn edits(grant: Grant) -> ContainerEdits {
    let node = |device: spec::Device| DeviceNode {
        path: device.path,
        permissions: Some("rw".into()),
        ..DeviceNode::default()
    };
    let mount = |mount: spec::Mount| super::CdiMount {
        host_path: mount.source.unwrap_or_default(),
        container_path: mount.destination,
        options: mount.options,
        kind: None,
    };
    ContainerEdits {
        device_nodes: grant.devices.into_iter().map(node).collect(),
        mounts: grant.mounts.into_iter().map(mount).collect(),
        ..ContainerEdits::default()
    }
}
