//! The label that a security module gives to what is executed next: AppArmor profile, SELinux context.

use crate::spec::Process;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::write;
use std::os::fd::OwnedFd;
use std::path::Path;

const APPARMOR_ENABLED: &str = "/sys/module/apparmor/parameters/enabled";
const SELINUX_MOUNTS: [&str; 2] = ["/sys/fs/selinux/enforce", "/selinux/enforce"];
const APPARMOR_EXEC: &[&str] = &["/proc/thread-self/attr/apparmor/exec", "/proc/thread-self/attr/exec"];
const SELINUX_EXEC: &[&str] = &["/proc/thread-self/attr/exec"];

/// Why a label can't be given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A label is asked for, and the module is not there.
    #[error("{field}: {value:?} is asked for, but {module} is not enabled on this host; leave the field out")]
    NotEnabled {
        /// `process.apparmorProfile` or `process.selinuxLabel`.
        field: &'static str,
        /// What was asked for.
        value: String,
        /// Which security module.
        module: &'static str,
    },
    /// A label has a NUL byte in it.
    #[error("{field}: {value:?} has a NUL byte in it")]
    Nul {
        /// `process.apparmorProfile` or `process.selinuxLabel`.
        field: &'static str,
        /// What was asked for.
        value: String,
    },
    /// The kernel's file for labels can't be opened.
    #[error("{field}: opening {path}: {errno}")]
    Open {
        /// The field that asks for it.
        field: &'static str,
        /// The file.
        path: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// What lies at the path is not the kernel's file.
    #[error("{field}: {path} is not on a procfs; something is mounted over it")]
    NotProc {
        /// The field that asks for it.
        field: &'static str,
        /// The file.
        path: &'static str,
    },
    /// The kernel doesn't take the label.
    #[error("{field}: changing to {value:?} at execve: {errno} (ENOENT: no such profile is loaded)")]
    Set {
        /// The field that asks for it.
        field: &'static str,
        /// What was asked for.
        value: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// [`ExecLabel::set`] without [`ExecLabel::open`] before.
    #[error("{field}: the kernel's file for labels was not opened")]
    NotOpen {
        /// The field that asks for it.
        field: &'static str,
    },
}

/// Labels for the next execve of the calling thread.
#[derive(Debug, Default)]
pub struct ExecLabel {
    labels: Vec<Label>,
}

#[derive(Debug)]
struct Label {
    field: &'static str,
    value: String,
    /// What is written.
    text: Vec<u8>,
    /// The kernel's file, by preference.
    paths: &'static [&'static str],
    file: Option<OwnedFd>,
}

impl ExecLabel {
    /// What the process asks for. An empty profile or label asks for nothing, and so does `unconfined` without AppArmor.
    ///
    /// # Errors
    /// [`Error::NotEnabled`], [`Error::Nul`].
    pub fn plan(p: &Process) -> Result<ExecLabel, Error> {
        let mut labels = Vec::new();
        if let Some(profile) = asked(&p.apparmor_profile) {
            let field = "process.apparmorProfile";
            if apparmor_enabled() {
                labels.push(Label::new(field, profile, format!("exec {profile}").into_bytes(), APPARMOR_EXEC)?);
            } else if profile != "unconfined" {
                return Err(Error::NotEnabled { field, value: profile.to_owned(), module: "AppArmor" });
            }
        }
        if let Some(label) = asked(&p.selinux_label) {
            let field = "process.selinuxLabel";
            if !selinux_enabled() {
                return Err(Error::NotEnabled { field, value: label.to_owned(), module: "SELinux" });
            }
            labels.push(Label::new(field, label, label.as_bytes().to_vec(), SELINUX_EXEC)?);
        }
        Ok(ExecLabel { labels })
    }

    /// Opens the kernel's files of the calling thread. The container's own `/proc` is not to be trusted with this
    /// (CVE-2019-16884), so it happens while the host's is still there, and what opens is checked to be procfs.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::NotProc`].
    pub fn open(&mut self) -> Result<(), Error> {
        self.labels.iter_mut().try_for_each(Label::open)
    }

    /// Gives the labels; they take effect at this thread's next execve.
    ///
    /// # Errors
    /// [`Error::Set`], [`Error::NotOpen`].
    pub fn set(&self) -> Result<(), Error> {
        self.labels.iter().try_for_each(Label::set)
    }
}

impl Label {
    fn new(field: &'static str, value: &str, text: Vec<u8>, paths: &'static [&'static str]) -> Result<Label, Error> {
        if text.contains(&0) {
            return Err(Error::Nul { field, value: value.to_owned() });
        }
        Ok(Label { field, value: value.to_owned(), text, paths, file: None })
    }

    fn open(&mut self) -> Result<(), Error> {
        let field = self.field;
        let (mut path, mut last) = ("", Errno::ENOENT);
        for candidate in self.paths {
            path = candidate;
            match open(*candidate, OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW, Mode::empty()) {
                Ok(file) => {
                    if fstatfs(&file).map(|s| s.filesystem_type()) != Ok(PROC_SUPER_MAGIC) {
                        return Err(Error::NotProc { field, path });
                    }
                    self.file = Some(file);
                    return Ok(());
                }
                Err(errno) => last = errno,
            }
        }
        Err(Error::Open { field, path, errno: last })
    }

    fn set(&self) -> Result<(), Error> {
        let file = self.file.as_ref().ok_or(Error::NotOpen { field: self.field })?;
        write(file, &self.text).map(drop).map_err(|errno| Error::Set {
            field: self.field,
            value: self.value.clone(),
            errno,
        })
    }
}

fn asked(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|value| !value.is_empty())
}

/// Whether AppArmor takes part in this kernel's decisions.
fn apparmor_enabled() -> bool {
    std::fs::read(APPARMOR_ENABLED).is_ok_and(|text| text.starts_with(b"Y"))
}

/// Whether SELinux takes part in this kernel's decisions.
fn selinux_enabled() -> bool {
    SELINUX_MOUNTS.iter().any(|path| Path::new(path).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(apparmor: Option<&str>, selinux: Option<&str>) -> Process {
        Process {
            apparmor_profile: apparmor.map(str::to_owned),
            selinux_label: selinux.map(str::to_owned),
            ..Process::default()
        }
    }

    #[test]
    fn nothing_asked_for_opens_nothing() {
        for profile in [None, Some("")] {
            let mut label = ExecLabel::plan(&process(profile, Some(""))).unwrap();
            label.open().unwrap();
            label.set().unwrap();
            assert!(label.labels.is_empty());
        }
    }

    #[test]
    fn a_label_without_its_module_names_the_field() {
        if apparmor_enabled() || selinux_enabled() {
            eprintln!("skip: this host has a security module");
            return;
        }
        ExecLabel::plan(&process(Some("unconfined"), None)).unwrap();
        let error = |apparmor, selinux| ExecLabel::plan(&process(apparmor, selinux)).unwrap_err().to_string();
        assert!(error(Some("p"), None).starts_with("process.apparmorProfile: \"p\" is asked for, but AppArmor is not"));
        assert!(error(None, Some("l")).starts_with("process.selinuxLabel: \"l\" is asked for, but SELinux is not"));
    }

    #[test]
    fn a_file_beside_procfs_is_not_taken_for_the_kernels() {
        let mut label = Label::new("process.selinuxLabel", "l", b"l".to_vec(), &["/dev/null"]).unwrap();
        assert!(matches!(label.open(), Err(Error::NotProc { .. })));
        assert!(matches!(label.set(), Err(Error::NotOpen { .. })));
    }
}
