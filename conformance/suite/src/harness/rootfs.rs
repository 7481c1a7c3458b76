//! The root filesystem: busybox, its applets as links, and the suite itself as a probe.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Directories that images have.
const DIRS: [&str; 14] =
    ["bin", "dev", "etc", "home", "mnt", "proc", "root", "run", "sbin", "sys", "tmp", "usr/bin", "var", "etc/deep/er"];

/// Builds the template at `root` from the static `busybox`; `probe` is copied in as `/bin/probe`.
pub fn build(root: &Path, busybox: &Path, probe: Option<&Path>) -> io::Result<()> {
    for dir in DIRS {
        fs::create_dir_all(root.join(dir))?;
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    let inside = root.join("bin/busybox");
    fs::copy(busybox, &inside)?;
    let list = Command::new(&inside).arg("--list").output()?;
    for applet in String::from_utf8_lossy(&list.stdout).lines().filter(|applet| *applet != "busybox") {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    if let Some(probe) = probe {
        fs::copy(probe, root.join("bin/probe"))?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000:Alice:/home:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\nalice:x:1000:\nusers:x:100:alice\n")?;
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n")?;
    Ok(())
}

/// A copy of the template: files hard-linked, so that it costs no space, links and directories made anew.
///
/// Cases must not write to a file of it, only replace or add files.
pub fn copy(template: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(template)?.permissions())?;
    for entry in fs::read_dir(template)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, target)?;
        } else {
            fs::hard_link(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The busybox to use: the one named, or the usual places.
pub fn find_busybox(named: Option<&Path>) -> Result<PathBuf, String> {
    let places = ["/bin/busybox", "/usr/bin/busybox", "/usr/lib/busybox/busybox-static", "/sbin/busybox.static"];
    let mut candidates = match named {
        Some(path) => vec![path.to_path_buf()],
        None => places.iter().map(PathBuf::from).collect(),
    };
    candidates.retain(|path| path.exists());
    match candidates.into_iter().find(|path| is_static(path)) {
        Some(path) => Ok(path),
        None => Err("no statically linked busybox found: install Debian's busybox-static or pass --busybox".into()),
    }
}

/// Whether the ELF file needs no interpreter (no PT_INTERP segment, elf(5)); 64-bit files only.
pub fn is_static(path: &Path) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    let short = |at: usize| bytes.get(at..at + 2).map(|two| u16::from_ne_bytes([two[0], two[1]]) as usize);
    let long = |at: usize| bytes.get(at..at + 8).and_then(|eight| Some(u64::from_ne_bytes(eight.try_into().ok()?)));
    let segments = || {
        let (table, size, count) = (long(32)? as usize, short(54)?, short(56)?);
        let kinds = (0..count).map(|index| bytes.get(table + index * size).copied());
        kinds.collect::<Option<Vec<u8>>>()
    };
    const PT_INTERP: u8 = 3;
    bytes.starts_with(b"\x7fELF\x02") && segments().is_some_and(|kinds| !kinds.contains(&PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_and_dynamic_files_are_told_apart() {
        assert!(!is_static(Path::new("/bin/ls")));
        assert!(!is_static(Path::new("/etc/passwd")));
        if let Ok(busybox) = find_busybox(None) {
            assert!(is_static(&busybox));
        }
    }

    #[test]
    fn a_copy_shares_files_and_keeps_links() {
        use std::os::unix::fs::MetadataExt;
        let dir = std::env::temp_dir().join(format!("rtrun-conformance-rootfs-{}", std::process::id()));
        fs::create_dir_all(dir.join("a/bin")).unwrap();
        fs::write(dir.join("a/bin/file"), "x").unwrap();
        symlink("file", dir.join("a/bin/link")).unwrap();
        copy(&dir.join("a"), &dir.join("b")).unwrap();
        let inode = |name: &str| fs::metadata(dir.join(name).join("bin/file")).unwrap().ino();
        assert_eq!(inode("a"), inode("b"));
        assert_eq!(fs::read_link(dir.join("b/bin/link")).unwrap(), Path::new("file"));
        fs::remove_dir_all(dir).unwrap();
    }
}
