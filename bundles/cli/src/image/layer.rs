//! One layer onto a root filesystem (image-spec, layer.md): entries in order, whiteouts, and what is refused.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Entry, EntryType};

use super::root::{self, Owner, Root};

/// Prefix of a name that removes another from the layers below.
const WHITEOUT: &[u8] = b".wh.";
/// Name that removes everything in its folder from the layers below.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Most bytes that an image may unpack to.
const MOST_BYTES: u64 = 16 << 30;
/// Most entries of an image.
const MOST_ENTRIES: u64 = 2_000_000;

/// What an image may still unpack: a few kilobytes of archive can hold terabytes of zeros.
#[derive(Debug)]
pub struct Budget {
    bytes: u64,
    entries: u64,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { bytes: MOST_BYTES, entries: MOST_ENTRIES }
    }
}

impl Budget {
    fn spend(&mut self, bytes: u64) -> Result<(), String> {
        self.entries = self.entries.checked_sub(1).ok_or(format!("more than {MOST_ENTRIES} entries"))?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(format!("unpacks to more than {} GiB", MOST_BYTES >> 30))?;
        Ok(())
    }
}

/// Applies a layer's tar stream.
///
/// # Errors
/// What is wrong with it, with the entry's name.
pub fn apply(stream: impl Read, root: &Root, budget: &mut Budget) -> Result<(), String> {
    let mut archive = Archive::new(stream);
    let mut own = std::collections::BTreeSet::new();
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| format!("malformed tar: {error}"))?;
        budget.spend(entry.size())?;
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let named = |problem: String| format!("entry {shown:?}: {problem}");
        let path = inside(OsStr::from_bytes(&entry.path_bytes())).map_err(named)?;
        if path.as_os_str().is_empty() {
            continue;
        }
        let whiteout = path.file_name().is_some_and(|name| name.as_bytes().starts_with(WHITEOUT));
        let done = if whiteout { hide(root, &path, &own) } else { make(root, &path, entry) };
        done.map_err(named)?;
        if !whiteout {
            own.insert(path);
        }
    }
    Ok(())
}

/// A path below the root: no absolute one, no `..`; `./` and doubled slashes are harmless.
fn inside(name: &OsStr) -> Result<PathBuf, String> {
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Err("an absolute path is refused".to_owned()),
            Component::ParentDir => return Err("a path with .. is refused".to_owned()),
        }
    }
    Ok(path)
}

fn make<R: Read>(root: &Root, path: &Path, entry: Entry<R>) -> Result<(), String> {
    let header = entry.header();
    let number = |result: io::Result<u64>| result.ok().and_then(|value| u32::try_from(value).ok()).unwrap_or(0);
    let owner = Owner { uid: number(header.uid()), gid: number(header.gid()), mode: header.mode().unwrap_or(0o644) };
    let link = || match entry.link_name_bytes() {
        Some(target) if !target.is_empty() => Ok(PathBuf::from(OsStr::from_bytes(&target))),
        _ => Err("a link without a target".to_owned()),
    };
    let text = |error: io::Error| error.to_string();
    let (parent, name) = root.parent(path).map_err(text)?;
    match header.entry_type() {
        EntryType::Directory => root::make_folder(&parent, name, owner).map_err(text),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            root::make_file(&parent, name, owner, entry).map_err(text)
        }
        EntryType::Symlink => root::make_symlink(&parent, name, &link()?, owner).map_err(text),
        EntryType::Link => {
            let target = inside(link()?.as_os_str()).map_err(|problem| format!("hard link: {problem}"))?;
            root::make_hard_link(root, &target, &parent, name).map_err(text)
        }
        EntryType::Char | EntryType::Block => Err("a device node is refused; --device passes devices".to_owned()),
        EntryType::Fifo => Err("a FIFO is refused".to_owned()),
        // Headers that the tar crate has used already, and vendors' own that say nothing of the file.
        EntryType::XGlobalHeader | EntryType::XHeader | EntryType::GNULongName | EntryType::GNULongLink => Ok(()),
        other => Err(format!("type {:?} is not known", other.as_byte() as char)),
    }
}

/// A whiteout removes what the layers below have, never what its own layer brings (`own`).
fn hide(root: &Root, path: &Path, own: &std::collections::BTreeSet<PathBuf>) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let (parent, name) = root.parent(path).map_err(text)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    if name.as_bytes() != OPAQUE {
        let hidden = OsStr::from_bytes(&name.as_bytes()[WHITEOUT.len()..]);
        if hidden.is_empty() || hidden == "." || hidden == ".." || own.contains(&folder.join(hidden)) {
            return Ok(());
        }
        return root::remove(&parent, hidden).map_err(text);
    }
    for hidden in root::names(&parent).map_err(text)? {
        let brought = folder.join(&hidden);
        if !own.range(brought.clone()..).next().is_some_and(|path| path.starts_with(&brought)) {
            root::remove(&parent, &hidden).map_err(text)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "layer_tests.rs"]
mod tests;
