//! A folder as the root filesystem: what is in it is bound into a root of ours, so that mount points are never made in it.

use std::path::{Path, PathBuf};

use super::App;
use crate::error::{Error, Result};

/// Places that a container mounts over: a folder's own are left out.
const MOUNTED: &[&str] = &["proc", "sys", "dev", "tmp"];

/// `--entry` names the program in it.
///
/// # Errors
/// No entry, or one that is not in the folder; nothing in the folder.
pub fn app(shown: &Path, folder: &Path, entry: Option<&Path>) -> Result<App> {
    let Some(entry) = entry else { return Err(Error::NoEntry { path: shown.to_path_buf() }) };
    let inside = Path::new("/").join(entry);
    if !folder.join(inside.strip_prefix("/").unwrap_or(&inside)).exists() {
        return Err(Error::EntryMissing { path: shown.to_path_buf(), entry: entry.to_path_buf() });
    }
    let names = std::fs::read_dir(folder).map_err(Error::file("list", folder))?;
    let mut bound: Vec<(PathBuf, PathBuf)> = names
        .flatten()
        .filter(|name| !MOUNTED.iter().any(|mounted| name.file_name() == *mounted))
        .map(|name| (name.path(), Path::new("/").join(name.file_name())))
        .collect();
    bound.sort();
    Ok(App { bound, args: vec![inside.display().to_string()], ..App::default() })
}
