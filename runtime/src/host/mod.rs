//! What this host is, as the kernel tells it: CPUs and their isolation, the kernel, memory, clocks, cgroups, interrupts, PCI
//! devices. Nothing here changes anything.
//!
//! Every path is taken below a root, `/` on the host itself, so that a tree of plain files can stand for a host of any
//! make. What the kernel tells by system call alone ([`clock::discipline`], [`kernel::tick`]) is asked of the running one.

pub mod cgroup;
pub mod clock;
pub mod cpu;
mod error;
pub mod irq;
pub mod kernel;
pub mod memory;
pub mod pci;
pub mod sched;

pub use error::Error;

use crate::sched::CpuSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A host, seen from a root directory.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
}

impl Default for Host {
    fn default() -> Self {
        Host::below("/")
    }
}

impl Host {
    /// The host whose `/proc`, `/sys`, `/dev` and `/etc` are below `root`.
    pub fn below(root: impl Into<PathBuf>) -> Host {
        Host { root: root.into() }
    }

    /// Where an absolute path of the host is.
    pub fn path(&self, absolute: impl AsRef<Path>) -> PathBuf {
        let absolute = absolute.as_ref();
        self.root.join(absolute.strip_prefix("/").unwrap_or(absolute))
    }

    /// A path of this process's as the host calls it: the reverse of [`Host::path`].
    pub fn seen(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).map_or_else(|_| path.to_path_buf(), |rest| Path::new("/").join(rest))
    }

    /// A small file, without the line feed at its end; `None` where the kernel has no such file or can't answer.
    ///
    /// # Errors
    /// [`Error::Read`], EACCES among them.
    pub fn text(&self, path: impl AsRef<Path>) -> Result<Option<String>, Error> {
        let path = self.path(path);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())),
            Err(error) if absent(&error) => Ok(None),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// A file that is one number.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Malformed`].
    pub fn number(&self, path: impl AsRef<Path>) -> Result<Option<i64>, Error> {
        let path = path.as_ref();
        let parse = |text: String| {
            let number = text.trim().parse();
            number.map_err(|_| Error::Malformed { path: self.path(path), text, wanted: "a number" })
        };
        self.text(path)?.map(parse).transpose()
    }

    /// A file that is a list of CPUs or nodes; `(null)`, the kernel's word for a mask that was never made, is none.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Malformed`].
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Option<CpuSet>, Error> {
        let path = path.as_ref();
        let parse = |text: String| {
            let list = CpuSet::parse(text.trim().trim_start_matches("(null)"));
            list.map_err(|_| Error::Malformed { path: self.path(path), text, wanted: "a list such as 0-3,7" })
        };
        self.text(path)?.map(parse).transpose()
    }

    /// The names in a directory, in the order of their numbers; none where it is not there.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn names(&self, directory: impl AsRef<Path>) -> Result<Vec<String>, Error> {
        let path = self.path(directory);
        let entries = match std::fs::read_dir(&path) {
            Err(error) if absent(&error) => return Ok(Vec::new()),
            entries => entries.map_err(|source| Error::Read { path: path.clone(), source })?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| Error::Read { path: path.clone(), source })?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort_by(|a, b| natural(a).cmp(&natural(b)));
        Ok(names)
    }

    /// The last part of where a symbolic link leads, as sysfs's `driver` and `iommu_group` do.
    pub fn link_name(&self, path: impl AsRef<Path>) -> Option<String> {
        let target = std::fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    /// Whether something is there.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }
}

/// A device without the feature answers ENODEV or EINVAL to a read of its file.
fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        || matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO | libc::EINVAL | libc::EOPNOTSUPP))
}

/// Sorts `cpu2` before `cpu10`: a name without its last number, and the number.
pub fn natural(name: &str) -> (&str, u64, &str) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem, name[stem.len()..].parse().unwrap_or(0), name)
}

#[cfg(test)]
pub(crate) mod fake {
    //! A host made of plain files.

    use super::Host;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The tree, removed at the end.
    pub(crate) struct Tree {
        root: PathBuf,
    }

    impl Tree {
        /// An empty one.
        pub(crate) fn new() -> Tree {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            let name = format!("rtrun-host-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let root = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&root).unwrap();
            Tree { root }
        }

        /// With this file in it.
        pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Tree {
            let path = self.place(path);
            std::fs::write(path, text).unwrap();
            self
        }

        /// With these files in it: lines of `path = text`.
        pub(crate) fn files(self, lines: &str) -> Tree {
            let lines = lines.lines().filter_map(|line| line.trim().split_once('='));
            lines.fold(self, |tree, (path, text)| tree.file(path.trim(), format!("{}\n", text.trim())))
        }

        /// With this symbolic link in it.
        pub(crate) fn link(self, path: &str, target: &str) -> Tree {
            std::os::unix::fs::symlink(target, self.place(path)).unwrap();
            self
        }

        /// With this character device in it; `None` for who may not make one.
        pub(crate) fn node(self, path: &str, major: u32, minor: u32, mode: u32) -> Option<Tree> {
            use nix::sys::stat::{Mode, SFlag, makedev, mknod};
            let (place, mode) = (self.place(path), Mode::from_bits_truncate(mode));
            let made = mknod(&place, SFlag::S_IFCHR, mode, makedev(major.into(), minor.into()));
            made.ok().map(|()| self)
        }

        /// The host.
        pub(crate) fn host(&self) -> Host {
            Host::below(&self.root)
        }

        fn place(&self, path: &str) -> PathBuf {
            let path = self.root.join(Path::new(path).strip_prefix("/").unwrap());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.root);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fake::Tree;
    use super::*;

    #[test]
    fn files_are_read_below_the_root() {
        let tree = Tree::new().files("/proc/a = 12\n/sys/list = 0-2,5\n/sys/null = (null)\n/sys/bad = x");
        let host = tree.host();
        assert_eq!(host.number("/proc/a").unwrap(), Some(12));
        assert_eq!(host.number("/proc/none").unwrap(), None);
        assert_eq!(host.list("/sys/list").unwrap().unwrap().to_string(), "0-2,5");
        assert!(host.list("/sys/null").unwrap().unwrap().is_empty());
        let error = host.number("/sys/bad").unwrap_err().to_string();
        assert!(error.ends_with("sys/bad: \"x\" is not a number"), "{error}");
        assert_eq!(host.seen(&host.path("/sys/list")), Path::new("/sys/list"));
    }

    #[test]
    fn names_come_in_the_order_of_their_numbers() {
        let tree = Tree::new().files("/d/cpu10 = 1\n/d/cpu2 = 1\n/d/kernel = 1");
        assert_eq!(tree.host().names("/d").unwrap(), ["cpu2", "cpu10", "kernel"]);
        assert!(tree.host().names("/none").unwrap().is_empty());
    }

    /// Whatever this machine is, its own view must be readable and agree with itself.
    #[test]
    fn this_host() {
        let host = Host::default();
        let cpus = cpu::Cpus::read(&host).unwrap();
        assert!(!cpus.online.is_empty());
        assert!(cpus.siblings(&host, cpus.online.iter().next().unwrap()).unwrap().iter().count() >= 1);
        assert!(!kernel::Kernel::read(&host).unwrap().release.is_empty());
        assert!(kernel::tick().unwrap().as_nanos() > 0);
        cgroup::Cgroups::read(&host).unwrap();
        memory::Memory::read(&host).unwrap();
        sched::Limits::read(&host, &cpus.online).unwrap();
        irq::Irqs::read(&host).unwrap();
        for device in pci::devices(&host).unwrap() {
            assert_ne!(device.vendor, 0xffff, "{}: no device answers with all ones", device.address);
            device.class_devices(&host).unwrap();
        }
    }
}
