//! Where the kernel's files are: on the running system, or in a tree that a test has made.

use nix::errno::Errno;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// A view of the host through its `/proc`, `/sys` and `/run`.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
}

impl Default for Host {
    fn default() -> Self {
        Host::system()
    }
}

impl Host {
    /// The running system.
    pub fn system() -> Host {
        Host { root: PathBuf::from("/") }
    }

    /// A tree with a `proc`, a `sys` and a `run` of its own below `root`.
    pub fn below(root: impl Into<PathBuf>) -> Host {
        Host { root: root.into() }
    }

    /// A path of this host: `proc/irq`, without the slash at its front.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// `/proc/sys/kernel/random/boot_id`.
    pub(crate) fn boot_id(&self) -> Result<String, (PathBuf, Errno)> {
        let path = self.path("proc/sys/kernel/random/boot_id");
        read(&path).map_err(|errno| (path, errno))
    }
}

/// What the kernel gives whole at one read(2) is shorter; more may come in several.
const WHOLE: usize = 1024;

/// A small file's text without the blanks at its ends. Some hundred are read while a container starts, so that neither the
/// file's size is asked for, which the kernel's files don't have, nor for what is after their end.
pub(crate) fn read(path: &Path) -> Result<String, Errno> {
    let mut file = std::fs::File::open(path).map_err(errno)?;
    let mut bytes = vec![0; 2 * WHOLE];
    let length = file.read(&mut bytes).map_err(errno)?;
    bytes.truncate(length);
    if length >= WHOLE {
        file.read_to_end(&mut bytes).map_err(errno)?;
    }
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Writes a kernel file, which must exist, by one `write(2)`: what the kernel takes as one value.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Errno> {
    let mut file = std::fs::OpenOptions::new().write(true).truncate(true).open(path).map_err(errno)?;
    file.write_all(text.as_bytes()).map_err(errno)
}

/// The names in a directory, sorted; none where there is no such directory.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// The directories in a directory, told by the listing itself: a cgroup has more files than children.
pub(crate) fn directories(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// What the kernel said in a failed operation of the standard library.
pub(crate) fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// State and start time of a process (`proc_pid_stat(5)`, fields 3 and 22), and its parent (field 4).
pub(crate) struct ProcessStat {
    pub state: char,
    pub parent: i32,
    pub start_time: u64,
}

/// Reads `/proc/PID/stat`.
pub(crate) fn process_stat(host: &Host, pid: i32) -> Result<ProcessStat, Errno> {
    let text = read(&host.path(format!("proc/{pid}/stat")))?;
    parse_stat(&text).ok_or(Errno::EPROTO)
}

fn parse_stat(text: &str) -> Option<ProcessStat> {
    // The command name may hold spaces and brackets: count from the last one.
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some(ProcessStat { state, parent, start_time: fields.nth(17)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let text = "7 (a) S 9) R 2 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 6 7";
        let stat = parse_stat(text).unwrap();
        assert_eq!((stat.state, stat.parent, stat.start_time), ('R', 2, 12345));
        assert!(parse_stat("7 (a").is_none());
    }

    #[test]
    fn files_are_read_to_their_end() {
        let path = std::env::temp_dir().join(format!("rtrun-read-{}", std::process::id()));
        for length in [0, 1, WHOLE, 2 * WHOLE, 100 * WHOLE] {
            std::fs::write(&path, "x".repeat(length)).unwrap();
            assert_eq!(read(&path).map(|text| text.len()), Ok(length));
        }
        std::fs::remove_file(path).unwrap();
        assert_eq!(
            read(Path::new("/proc/net/unix")).unwrap().lines().next().unwrap().split_whitespace().next(),
            Some("Num")
        );
    }

    #[test]
    fn the_running_system_answers() {
        let me = std::process::id() as i32;
        let stat = process_stat(&Host::system(), me).unwrap();
        assert_eq!(stat.parent, nix::unistd::getppid().as_raw());
        assert_eq!(Host::system().boot_id().unwrap().len(), 36);
    }
}
