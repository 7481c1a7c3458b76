use super::{Container, Error, State};
use crate::spec::validate;
use nix::errno::Errno;
use nix::sys::stat::Mode;
use std::path::{Path, PathBuf};

/// The directory of all containers (`--root`).
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store below `root`; nothing is made before a container is.
    pub fn new(root: PathBuf) -> Self {
        Store { root }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the container's directory, mode 0700, and takes its lock. Whoever makes the directory owns the id.
    ///
    /// # Errors
    /// [`Error::Id`], [`Error::Exists`], [`Error::Root`], [`Error::File`].
    pub fn create(&self, state: State) -> Result<Container, Error> {
        let path = self.directory(&state.id)?;
        let made = match nix::unistd::mkdir(&path, Mode::S_IRWXU) {
            Err(Errno::ENOENT) => {
                self.make_root()?;
                nix::unistd::mkdir(&path, Mode::S_IRWXU)
            }
            other => other,
        };
        match made {
            // Out of descriptors: the id must not stay taken.
            Ok(()) => Container::lock_new(path.clone(), state).inspect_err(|_| drop(std::fs::remove_dir(&path))),
            Err(Errno::EEXIST) => Err(Error::Exists(state.id)),
            Err(errno) => Err(Error::File { step: "making", path, errno }),
        }
    }

    /// mkdir -p, each level 0700: state tells of every container's bundle.
    fn make_root(&self) -> Result<(), Error> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root)
            .map_err(|error| Error::Root { path: self.root.clone(), errno: crate::sys::errno(error) })
    }

    /// Where a container's directory is; an id that is a path would lead out of the root.
    fn directory(&self, id: &str) -> Result<PathBuf, Error> {
        validate::id(id).map_err(|error| Error::Id(error.to_string()))?;
        Ok(self.root.join(id))
    }

    /// The container as it is now, unlocked.
    ///
    /// # Errors
    /// [`Error::Id`], [`Error::Absent`], or why the state can't be read.
    pub fn load(&self, id: &str) -> Result<Container, Error> {
        Container::open(self.directory(id)?, id)
    }

    /// The container, locked against every other command that changes it.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub fn lock(&self, id: &str) -> Result<Container, Error> {
        Container::open_locked(self.directory(id)?, id)
    }

    /// A container whose state file can't be read, locked: nothing is known of it but its directory.
    ///
    /// # Errors
    /// [`Error::Id`], [`Error::File`].
    pub fn lock_malformed(&self, id: &str) -> Result<Container, Error> {
        Container::lock_new(self.directory(id)?, State { id: id.to_owned(), ..State::default() })
    }

    /// Removes the directory of a container whose state file can't be read.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn remove_malformed(&self, id: &str) -> Result<(), Error> {
        let path = self.directory(id)?;
        std::fs::remove_dir_all(&path).map_err(|error| Error::File {
            step: "removing",
            path,
            errno: crate::sys::errno(error),
        })
    }

    /// Every container, by id, or why it can't be read; one that goes away meanwhile is left out.
    ///
    /// # Errors
    /// [`Error::File`] when the directory can't be read; an absent one is empty.
    pub fn list(&self) -> Result<Vec<Result<Container, Error>>, Error> {
        let failed = |error| Error::File { step: "reading", path: self.root.clone(), errno: crate::sys::errno(error) };
        let entries = match std::fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            ids.extend(entry.map_err(failed)?.file_name().into_string());
        }
        ids.sort();
        // The ledger's directory is no container's.
        let there = |container: &Result<Container, Error>| !matches!(container, Err(Error::Absent(_) | Error::Id(_)));
        Ok(ids.iter().map(|id| self.load(id)).filter(there).collect())
    }
}
