//! `rtrun`, driven as a command.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::error::{Error, Result, errno};

/// The runtime's binary.
#[derive(Clone, Debug)]
pub struct Runtime(PathBuf);

impl Runtime {
    /// As named, else as `RT_CONTAINER_RUNTIME` names it, else `rtrun` beside this program, else on PATH.
    ///
    /// # Errors
    /// [`Error::NoRuntime`].
    pub fn find(named: Option<&Path>) -> Result<Runtime> {
        let variable = std::env::var_os("RT_CONTAINER_RUNTIME").map(PathBuf::from);
        if let Some(path) = named.map(Path::to_path_buf).or(variable) {
            return Ok(Runtime(path));
        }
        let own = std::env::current_exe().unwrap_or_default();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = own.parent().map(Path::to_path_buf).into_iter().chain(std::env::split_paths(&path));
        places
            .find_map(|folder| Some(folder.join("rtrun")).filter(|file| file.is_file()))
            .map(Runtime)
            .ok_or(Error::NoRuntime)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A command of it.
    pub fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.0);
        command.args(words);
        command
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// [`Error::Start`], or [`Error::Failed`] with what the runtime said.
    pub fn call(&self, words: &[&str]) -> Result<Output> {
        let output = self.command(words).output();
        let output =
            output.map_err(|error| Error::Start { program: self.0.display().to_string(), errno: errno(&error) })?;
        if output.status.success() {
            return Ok(output);
        }
        Err(Error::Failed {
            program: "rtrun".to_owned(),
            what: words.join(" "),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}
