//! `--write-bundle`: a bundle that stands on its own, with copies where a launch has bind mounts.

use std::fs;
use std::path::Path;
use std::process::Command;

use oci_spec::runtime::Spec;

use super::Decided;
use crate::app::App;
use crate::cli::LaunchOptions;
use crate::error::{Error, Result};

/// Writes the bundle; the folder must not be there, or be empty.
///
/// # Errors
/// A folder with something in it, a file that can't be written.
pub fn write(folder: &Path, app: &App, options: &LaunchOptions, decided: &Decided) -> Result<()> {
    let full = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if full {
        return Err(Error::Option {
            option: "write-bundle",
            value: folder.display().to_string(),
            problem: "is there and not empty".to_owned(),
        });
    }
    super::write(folder, app, options, decided)?;
    let rootfs = folder.join("rootfs");
    if let Some(unpacked) = &app.rootfs {
        copy(&unpacked.join("."), &rootfs)?;
    }
    for (from, inside) in &app.bound {
        let to = rootfs.join(inside.strip_prefix("/").unwrap_or(inside));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(Error::file("make", parent))?;
        }
        copy(from, &to)?;
    }
    own_files_only(&folder.join("config.json"))
}

/// Copies a file, or the one that a link names, or a whole folder with owners, modes and links; by reflink where the file
/// system has it: `cp(1)`.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let output = Command::new("cp").args(["-a", "-H", "--reflink=auto", "--"]).arg(from).arg(to).output();
    let output = output.map_err(Error::file("copy", from))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        program: "cp".to_owned(),
        what: format!("{} {}", from.display(), to.display()),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// What a launch binds or finds elsewhere is in the bundle itself.
fn own_files_only(config: &Path) -> Result<()> {
    let mut spec = Spec::load(config)?;
    let kept = spec.mounts().iter().flatten().filter(|mount| mount.typ().as_deref() != Some("bind")).cloned().collect();
    spec.set_mounts(Some(kept));
    let mut root = spec.root().clone().unwrap_or_default();
    root.set_path("rootfs".into());
    spec.set_root(Some(root));
    Ok(spec.save(config)?)
}
