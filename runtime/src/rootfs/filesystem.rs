use super::options::Options;
use super::plan::Mount;
use super::resolve::Make;
use super::{Error, Root, Rootfs, copy_up, errno, tree};
use libc::MOUNT_ATTR_RDONLY;
use nix::errno::Errno;
use nix::mount::MsFlags;
use rustix::mount::{FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Longest value that fsconfig(2) takes, its NUL included.
const LONGEST_VALUE: usize = 256;

/// Where the kernel refused the new mount calls.
pub(super) struct Refusal {
    step: String,
    errno: Errno,
    /// The filesystem's own words, from its context's log.
    message: String,
}

impl Rootfs {
    /// Mounts a new filesystem instance.
    pub(super) fn mount_filesystem(&self, root: &Root, mount: &Mount, kind: &str, source: &Path) -> Result<(), Error> {
        let (target, existed) = match kind {
            "proc" | "sysfs" => (self.plain_target(root, mount)?, true),
            _ => self.target(root, mount, Make::Directory)?,
        };
        let mode = if kind == "tmpfs" && existed { inherited_mode(mount, target.as_fd())? } else { None };
        let mut extra: Vec<(&str, &str)> = mode.iter().map(|mode| ("mode", mode.as_str())).collect();
        extra.extend(self.context_for(kind).map(|label| ("context", label)));
        let attributes = attributes(mount);
        match create(&mount.options, kind, source, &extra, attributes) {
            Ok(tree) => {
                if mount.options.copy_up && existed {
                    copy_up::copy(mount, target.as_fd(), tree.as_fd())?;
                }
                mount.attach(tree.as_fd(), target.as_fd())
            }
            // No new instance without the namespaces that own it: the host's is what the container may see.
            Err(refusal) if matches!(refusal.errno, Errno::EPERM | Errno::EBUSY) => match host_clone(kind) {
                Some(tree) => {
                    mount.change_attributes(tree.as_fd())?;
                    mount.attach(tree.as_fd(), target.as_fd())
                }
                None => Err(mount.refused(kind, &refusal)),
            },
            Err(refusal) => self.mount_by_path(root, mount, kind, source, &extra, target.as_fd(), &refusal),
        }
    }

    /// SELinux labels what the filesystem doesn't label itself.
    fn context_for(&self, kind: &str) -> Option<&str> {
        self.label.as_deref().filter(|_| !matches!(kind, "proc" | "sysfs" | "mqueue" | "cgroup" | "cgroup2"))
    }

    /// mount(2), on the descriptor's link in the host's procfs, for what fsconfig(2) refuses: values of 256 bytes and
    /// more, options that only mount(2) parses, filesystems with a subtype.
    #[allow(clippy::too_many_arguments, reason = "it is the second half of mount_filesystem")]
    fn mount_by_path(
        &self,
        root: &Root,
        mount: &Mount,
        kind: &str,
        source: &Path,
        extra: &[(&str, &str)],
        target: BorrowedFd,
        refusal: &Refusal,
    ) -> Result<(), Error> {
        let mut flags = mount.options.bits();
        if mount.sealed_later() {
            flags &= !libc::MS_RDONLY;
        }
        let extra = extra.iter().map(|(key, value)| format!("{key}={value}"));
        let own = Some(mount.options.data_string()).filter(|data| !data.is_empty());
        let data = extra.chain(own).collect::<Vec<_>>().join(",");
        let link = format!("/proc/self/fd/{}", target.as_raw_fd());
        nix::mount::mount(
            Some(source),
            link.as_str(),
            Some(kind),
            MsFlags::from_bits_retain(flags),
            Some(data.as_str()),
        )
        .map_err(|errno| match errno {
            // The first refusal knows which option it was.
            errno if errno == refusal.errno => mount.refused(kind, refusal),
            errno => {
                let (step, message) = ("mount(2)".to_owned(), refusal.message.clone());
                mount.refused(kind, &Refusal { step, errno, message })
            }
        })?;
        if mount.options.propagation.is_empty() {
            return Ok(());
        }
        let (mounted, _) = self.target(root, mount, Make::Directory)?;
        mount.propagate(mounted.as_fd())
    }

    /// Changes an existing mount: the superblock's options, and with `bind` those of this mount only.
    pub(super) fn remount(&self, root: &Root, mount: &Mount) -> Result<(), Error> {
        let (target, _) = self.target(root, mount, Make::Directory)?;
        if mount.options.bind.is_none() {
            reconfigure(mount, target.as_fd()).map_err(|refusal| mount.refused("remount", &refusal))?;
        }
        mount.change_attributes(target.as_fd())?;
        mount.propagate(target.as_fd())
    }
}

impl Mount {
    pub(super) fn refused(&self, kind: &str, refusal: &Refusal) -> Error {
        Error::Filesystem {
            subject: self.subject(),
            kind: kind.to_owned(),
            step: refusal.step.clone(),
            errno: refusal.errno,
            message: refusal.message.clone(),
        }
    }
}

/// A tmpfs over an existing directory looks like it unless told otherwise.
fn inherited_mode(mount: &Mount, target: BorrowedFd) -> Result<Option<String>, Error> {
    if mount.options.has("mode") {
        return Ok(None);
    }
    let stat = tree::stat(target)
        .map_err(|errno| Error::Target { subject: mount.subject(), source: super::TargetError::Kernel(errno) })?;
    Ok(Some(format!("{:o}", stat.stx_mode & 0o7777)))
}

/// No new instance without the namespaces that own it: the host's is what the container may see.
fn host_clone(kind: &str) -> Option<OwnedFd> {
    let host = match kind {
        "proc" => "/proc",
        "sysfs" => "/sys",
        "mqueue" => "/dev/mqueue",
        _ => return None,
    };
    tree::clone(Path::new(host), true, false).ok()
}

fn attributes(mount: &Mount) -> u64 {
    let later = if mount.sealed_later() { MOUNT_ATTR_RDONLY } else { 0 };
    mount.options.whole() & !later
}

/// A filesystem of ours, which has `options` in place of the mount's own.
pub(super) fn plain(
    mount: &Mount,
    kind: &str,
    source: &str,
    options: &[(&str, &str)],
    attributes: u64,
) -> Result<OwnedFd, Error> {
    let none = Options::default();
    create(&none, kind, Path::new(source), options, attributes).map_err(|refusal| mount.refused(kind, &refusal))
}

/// Makes a filesystem instance with all its options, attached nowhere yet.
fn create(
    options: &Options,
    kind: &str,
    source: &Path,
    extra: &[(&str, &str)],
    attributes: u64,
) -> Result<OwnedFd, Refusal> {
    let refused = |step: &str, errno| Refusal { step: step.to_owned(), errno, message: String::new() };
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)
        .map_err(|error| refused("opening the filesystem type", errno(error)))?;
    let logged = |step: String, error| Refusal { step, errno: errno(error), message: log(context.as_fd()) };
    if options.superblock_bits & libc::MS_I_VERSION != 0 || kind.contains('.') {
        return Err(refused("fsconfig has no such option", Errno::EINVAL));
    }
    rustix::mount::fsconfig_set_string(&context, c"source", source)
        .map_err(|error| logged(format!("source {}", source.display()), error))?;
    for (key, value) in extra {
        let set = match *value {
            "" => rustix::mount::fsconfig_set_flag(&context, *key),
            value => rustix::mount::fsconfig_set_string(&context, *key, value),
        };
        set.map_err(|error| logged(format!("option {key}={value}"), error))?;
    }
    configure(options, context.as_fd())?;
    if attributes & MOUNT_ATTR_RDONLY != 0 && !has_no_storage(kind) {
        rustix::mount::fsconfig_set_flag(&context, c"ro").map_err(|error| logged("option ro".to_owned(), error))?;
    }
    rustix::mount::fsconfig_create(&context).map_err(|error| logged("creating the superblock".to_owned(), error))?;
    let attributes = MountAttrFlags::from_bits_retain(attributes as u32);
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(|error| logged("mounting the superblock".to_owned(), error))
}

/// Read-only is the mount's alone where nothing is stored: such a superblock may be shared.
fn has_no_storage(kind: &str) -> bool {
    matches!(kind, "proc" | "sysfs" | "tmpfs" | "ramfs" | "devpts" | "mqueue" | "cgroup" | "cgroup2" | "bpf")
        || kind.ends_with("debugfs")
        || kind == "tracefs"
}

fn configure(options: &Options, context: BorrowedFd) -> Result<(), Refusal> {
    for flag in &options.superblock {
        rustix::mount::fsconfig_set_flag(context, *flag).map_err(|error| Refusal {
            step: format!("option {flag}"),
            errno: errno(error),
            message: log(context),
        })?;
    }
    for (key, value) in &options.data {
        let result = match value {
            Some(value) if value.len() >= LONGEST_VALUE => Err(rustix::io::Errno::INVAL),
            Some(value) => rustix::mount::fsconfig_set_string(context, key.as_str(), value.trim_matches('"')),
            None => rustix::mount::fsconfig_set_flag(context, key.as_str()),
        };
        result.map_err(|error| Refusal {
            step: format!("option {key}{}", value.as_deref().map(|value| format!("={value}")).unwrap_or_default()),
            errno: errno(error),
            message: log(context),
        })?;
    }
    Ok(())
}

fn reconfigure(mount: &Mount, target: BorrowedFd) -> Result<(), Refusal> {
    let refused = |step: &str, error| Refusal { step: step.to_owned(), errno: errno(error), message: String::new() };
    let flags = FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_EMPTY_PATH;
    let context = rustix::mount::fspick(target, c"", flags).map_err(|error| refused("opening the mount", error))?;
    configure(&mount.options, context.as_fd())?;
    rustix::mount::fsconfig_reconfigure(&context).map_err(|error| refused("reconfiguring the superblock", error))
}

/// What the kernel wrote about the refusal, one message a read.
fn log(context: BorrowedFd) -> String {
    let mut message = [0u8; 256];
    match rustix::io::read(context, &mut message) {
        Ok(length) => format!(" ({})", String::from_utf8_lossy(&message[..length]).trim_start_matches("e ").trim()),
        Err(_) => String::new(),
    }
}
