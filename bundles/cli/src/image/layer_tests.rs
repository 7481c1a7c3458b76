//! Layers as images have them, and as an attacker would write them.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use tar::{Builder, Header};

/// An entry: type, name, link target, content.
type Item<'a> = (EntryType, &'a str, &'a str, &'a str);

/// A tar whose names are taken as they are: the crate's own builder refuses hostile ones.
fn tar(items: &[Item]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (kind, name, link, content) in items {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(if *kind == EntryType::Directory { 0o755 } else { 0o644 });
        header.set_uid(nix::unistd::geteuid().as_raw().into());
        header.set_gid(nix::unistd::getegid().as_raw().into());
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// An empty root filesystem beside a file that nothing in an archive may touch.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("rt-container-cli-layer-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("root")).unwrap();
        fs::write(path.join("outside"), "untouched").unwrap();
        Place(path)
    }

    fn apply(&self, items: &[Item]) -> Result<(), String> {
        let root = Root::open(&self.0.join("root")).unwrap();
        apply(tar(items).as_slice(), &root, &mut Budget::default())
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.0.join("root").join(path)).ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        assert_eq!(fs::read_to_string(self.0.join("outside")).unwrap(), "untouched");
        assert_eq!(fs::read_dir(&self.0).unwrap().count(), 2, "something was made outside");
        let _ = fs::remove_dir_all(&self.0);
    }
}

const FILE: EntryType = EntryType::Regular;
const DIR: EntryType = EntryType::Directory;
const SYM: EntryType = EntryType::Symlink;
const HARD: EntryType = EntryType::Link;

#[test]
fn a_later_layer_replaces_and_hides() {
    let place = Place::new("order");
    place
        .apply(&[(DIR, "etc/", "", ""), (FILE, "etc/a", "", "1"), (FILE, "etc/b", "", "1"), (FILE, "gone/x", "", "1")])
        .unwrap();
    place.apply(&[(FILE, "etc/a", "", "2"), (FILE, "etc/.wh.b", "", ""), (FILE, ".wh.gone", "", "")]).unwrap();
    assert_eq!((place.read("etc/a").as_deref(), place.read("etc/b"), place.read("gone/x")), (Some("2"), None, None));
    assert!(place.read("etc/.wh.b").is_none());
}

#[test]
fn an_opaque_folder_keeps_what_its_own_layer_brings() {
    let place = Place::new("opaque");
    place.apply(&[(FILE, "d/old", "", "1"), (FILE, "d/sub/old", "", "1")]).unwrap();
    place.apply(&[(FILE, "d/new", "", "2"), (FILE, "d/.wh..wh..opq", "", ""), (FILE, "d/sub/late", "", "2")]).unwrap();
    assert_eq!((place.read("d/new").as_deref(), place.read("d/old"), place.read("d/sub/old")), (Some("2"), None, None));
    assert_eq!(place.read("d/sub/late").as_deref(), Some("2"));
}

#[test]
fn a_whiteout_of_what_its_own_layer_brings_hides_nothing() {
    let place = Place::new("own");
    place.apply(&[(FILE, "a", "", "new"), (FILE, ".wh.a", "", "")]).unwrap();
    assert_eq!(place.read("a").as_deref(), Some("new"));
}

#[test]
fn a_file_replaces_a_folder_and_a_folder_a_file() {
    let place = Place::new("kinds");
    place.apply(&[(FILE, "a/b/c", "", "1"), (FILE, "f", "", "1")]).unwrap();
    place.apply(&[(FILE, "a", "", "2"), (DIR, "f/", "", ""), (FILE, "f/x", "", "2")]).unwrap();
    assert_eq!((place.read("a").as_deref(), place.read("f/x").as_deref()), (Some("2"), Some("2")));
}

#[test]
fn links_in_the_image_lead_to_places_in_the_image() {
    let place = Place::new("links");
    place.apply(&[(DIR, "usr/lib/", "", ""), (SYM, "lib", "/usr/lib", ""), (FILE, "lib/x", "", "1")]).unwrap();
    assert_eq!(place.read("usr/lib/x").as_deref(), Some("1"));
    place.apply(&[(HARD, "y", "usr/lib/x", "")]).unwrap();
    assert_eq!(place.read("y").as_deref(), Some("1"));
}

#[test]
fn nothing_leaves_the_root() {
    let hostile: [&[Item]; 11] = [
        &[(FILE, "../outside", "", "evil")],
        &[(FILE, "/etc/evil", "", "evil")],
        &[(FILE, "a/../../outside", "", "evil")],
        &[(HARD, "x", "../outside", "")],
        &[(HARD, "x", "/etc/passwd", "")],
        &[(SYM, "x", "/etc/passwd", ""), (HARD, "y", "x", "")],
        &[(FILE, "../.wh.outside", "", "")],
        &[(EntryType::Char, "null", "", "")],
        &[(EntryType::Block, "sda", "", "")],
        &[(EntryType::Fifo, "pipe", "", "")],
        &[(SYM, "x", "", "")],
    ];
    for (index, items) in hostile.into_iter().enumerate() {
        let place = Place::new(&format!("hostile-{index}"));
        assert!(place.apply(items).is_err(), "{items:?}");
    }
}

#[test]
fn a_link_that_climbs_out_ends_at_the_root() {
    let place = Place::new("climb");
    place.apply(&[(SYM, "up", "../../..", ""), (FILE, "up/outside", "", "evil")]).unwrap();
    assert_eq!(place.read("outside").as_deref(), Some("evil"));
    place.apply(&[(SYM, "etc", "/", ""), (FILE, "etc/.wh.outside", "", "")]).unwrap();
    assert_eq!(place.read("outside"), None);
}

#[test]
fn a_file_is_not_written_through_a_link_of_its_own_name() {
    let place = Place::new("through");
    symlink(place.0.join("outside"), place.0.join("root/f")).unwrap();
    place.apply(&[(FILE, "f", "", "evil")]).unwrap();
    assert_eq!(place.read("f").as_deref(), Some("evil"));
}

#[test]
fn a_bomb_runs_out_of_its_budget() {
    let place = Place::new("bomb");
    let root = Root::open(&place.0.join("root")).unwrap();
    let mut small = Budget { bytes: 10, entries: 10 };
    let error = apply(tar(&[(FILE, "big", "", "01234567890")]).as_slice(), &root, &mut small).unwrap_err();
    assert!(error.contains("unpacks to more"), "{error}");
    let many: Vec<Item> = (0..11).map(|_| (DIR, "d/", "", "")).collect();
    let error = apply(tar(&many).as_slice(), &root, &mut Budget { bytes: 10, entries: 10 }).unwrap_err();
    assert!(error.contains("entries"), "{error}");
}

#[test]
fn damaged_archives_are_errors() {
    let whole = tar(&[(FILE, "a", "", "content"), (DIR, "d/", "", "")]);
    for at in (0..whole.len()).step_by(37) {
        let place = Place::new("damaged");
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        let root = Root::open(&place.0.join("root")).unwrap();
        let _ = apply(damaged.as_slice(), &root, &mut Budget::default());
        let _ = apply(&whole[..at], &root, &mut Budget::default());
    }
}
