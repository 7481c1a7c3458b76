//! What `--app` names, and what it needs to run in a root filesystem of its own.

mod elf;
mod folder;
mod image;
mod program;

use std::path::{Path, PathBuf};

use crate::cli::LaunchOptions;
use crate::error::{Error, Result, errno};

/// What is to be run, and from which files; the host is only read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct App {
    /// An unpacked image; `None` for a root filesystem of mount points alone.
    pub rootfs: Option<PathBuf>,
    /// Files and folders of the host, each with its place in the container; bound read-only.
    pub bound: Vec<(PathBuf, PathBuf)>,
    /// The program and the words that it always gets.
    pub args: Vec<String>,
    /// Words that stand in where `--params` gives none.
    pub default_params: Vec<String>,
    /// Variables, KEY=VALUE.
    pub env: Vec<String>,
    /// Working directory.
    pub cwd: Option<PathBuf>,
    /// Numeric user and group.
    pub user: Option<(u32, u32)>,
}

impl App {
    /// Looks at what is there: a program, a folder, an archive or an image.
    ///
    /// # Errors
    /// Missing, malformed, of another architecture, or in need of something that is missing.
    pub fn inspect(options: &LaunchOptions) -> Result<App> {
        let path = &options.app;
        let found =
            std::fs::canonicalize(path).map_err(|error| Error::App { path: path.clone(), errno: errno(&error) })?;
        let entry = options.entry.as_deref();
        if !found.is_dir() && program::is_program(&found)? {
            return match entry {
                Some(_) => {
                    Err(Error::Needs { option: "entry", needs: "an --app that is a folder, an archive or an image" })
                }
                None => program::app(path, &found),
            };
        }
        if let Some(image) = crate::image::Image::open(&found)? {
            return image::app(path, image, entry);
        }
        if found.is_dir() {
            return folder::app(path, &found, entry);
        }
        Err(Error::UnknownApp { path: path.clone() })
    }

    /// The name that an agent gets from it.
    pub fn stem(path: &Path) -> String {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let known = [".tar.gz", ".tar.zst", ".tgz", ".tar"];
        known.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name).to_owned()
    }
}
