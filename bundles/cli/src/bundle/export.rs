//! `--write-bundle`: a bundle that stands on its own, with copies where a launch has bind mounts.

use std::fs;
use std::path::Path;

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
    copy(&app.program, &rootfs, &app.inside())?;
    for library in &app.libraries {
        copy(library, &rootfs, library)?;
    }
    without_binds(&folder.join("config.json"))
}

/// Copies to `inside` of the root filesystem, by reflink where the filesystem has it (`fs::copy` tries).
fn copy(from: &Path, rootfs: &Path, inside: &Path) -> Result<()> {
    let to = rootfs.join(inside.strip_prefix("/").unwrap_or(inside));
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    }
    fs::copy(from, &to).map(drop).map_err(Error::file("copy to", &to))
}

fn without_binds(config: &Path) -> Result<()> {
    let mut spec = Spec::load(config)?;
    let kept = spec.mounts().iter().flatten().filter(|mount| mount.typ().as_deref() != Some("bind")).cloned().collect();
    spec.set_mounts(Some(kept));
    Ok(spec.save(config)?)
}
