//! What `--app` names, and what it needs to run in a root filesystem of its own.

mod elf;
mod libraries;

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, errno};

/// Where a single program is put in the container.
pub const FOLDER: &str = "/app";

/// A program and the host's files that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// On the host, absolute.
    pub program: PathBuf,
    /// Its loader and libraries, absolute paths of the host that it finds at the same places; none if it is static.
    pub libraries: Vec<PathBuf>,
}

impl App {
    /// Looks at what is there.
    ///
    /// # Errors
    /// Missing, not executable, of another architecture, or in need of a library that is missing.
    pub fn inspect(path: &Path) -> Result<App> {
        let failed = |error| Error::App { path: path.to_path_buf(), errno: errno(&error) };
        let program = fs::canonicalize(path).map_err(failed)?;
        let metadata = fs::metadata(&program).map_err(failed)?;
        let mut head = Vec::new();
        if metadata.is_file() {
            fs::File::open(&program).and_then(|file| file.take(elf::HEAD).read_to_end(&mut head)).map_err(failed)?;
        }
        if !head.starts_with(goblin::elf::header::ELFMAG) {
            return Err(Error::UnknownApp { path: path.to_path_buf() });
        }
        let loader = elf::loader(path, &program, &head)?;
        if metadata.permissions().mode() & 0o111 == 0 {
            return Err(Error::NotExecutable { path: path.to_path_buf() });
        }
        let libraries = loader.map_or(Ok(Vec::new()), |loader| libraries::of(&program, loader))?;
        Ok(App { program, libraries })
    }

    /// The program's path in the container.
    pub fn inside(&self) -> PathBuf {
        Path::new(FOLDER).join(self.program.file_name().unwrap_or_default())
    }
}
