use libc::{
    MOUNT_ATTR__ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY, MOUNT_ATTR_STRICTATIME, MS_PRIVATE, MS_SHARED,
    MS_SLAVE, MS_UNBINDABLE,
};

/// `MS_LAZYTIME` of `linux/mount.h`, which libc lacks.
const MS_LAZYTIME: u64 = 1 << 25;
/// `MS_NOSYMFOLLOW` of `linux/mount.h`, which libc lacks.
const MS_NOSYMFOLLOW: u64 = 1 << 8;

/// Mount attributes to set and to clear, `MOUNT_ATTR_*`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Attributes {
    pub set: u64,
    pub clear: u64,
}

impl Attributes {
    /// A later option wins over an earlier one.
    fn then(&mut self, later: Attributes) {
        self.set = (self.set & !later.clear) | later.set;
        self.clear = (self.clear & !later.set) | later.clear;
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A mount's options, sorted by what takes them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Options {
    /// `Some(recursive)` for `bind` and `rbind`.
    pub bind: Option<bool>,
    pub remount: bool,
    /// Of the mount itself.
    pub attributes: Attributes,
    /// Of the mount and all below it (`rro`, `rnosuid`, …).
    pub recursive: Attributes,
    /// Flags of the superblock by their fsconfig name.
    pub superblock: Vec<&'static str>,
    /// The same as bits of mount(2), and those that only mount(2) knows.
    pub superblock_bits: u64,
    /// `MS_*` propagation and whether it is recursive, in order.
    pub propagation: Vec<(u64, bool)>,
    pub copy_up: bool,
    /// `Some(recursive)` for `idmap` and `ridmap`.
    pub idmap: Option<bool>,
    /// Mappings of crun's `idmap=uids=…;gids=…`.
    pub mapping: Option<String>,
    pub source_nofollow: bool,
    pub target_nofollow: bool,
    pub copy_symlink: bool,
    /// What the filesystem itself parses.
    pub data: Vec<(String, Option<String>)>,
}

enum Effect {
    Attribute(u64, u64),
    Superblock(&'static str, u64, u64),
    Propagation(u64),
    Nothing,
}
use Effect::{Attribute, Nothing, Propagation, Superblock};

/// What a generic option does; those with a recursive form are found again without their `r`.
fn effect(name: &str) -> Option<Effect> {
    Some(match name {
        "ro" => Attribute(MOUNT_ATTR_RDONLY, 0),
        "rw" => Attribute(0, MOUNT_ATTR_RDONLY),
        "nosuid" => Attribute(MOUNT_ATTR_NOSUID, 0),
        "suid" => Attribute(0, MOUNT_ATTR_NOSUID),
        "nodev" => Attribute(MOUNT_ATTR_NODEV, 0),
        "dev" => Attribute(0, MOUNT_ATTR_NODEV),
        "noexec" => Attribute(MOUNT_ATTR_NOEXEC, 0),
        "exec" => Attribute(0, MOUNT_ATTR_NOEXEC),
        "nosymfollow" => Attribute(MOUNT_ATTR_NOSYMFOLLOW, 0),
        "symfollow" => Attribute(0, MOUNT_ATTR_NOSYMFOLLOW),
        "nodiratime" => Attribute(MOUNT_ATTR_NODIRATIME, 0),
        "diratime" => Attribute(0, MOUNT_ATTR_NODIRATIME),
        // The access time is one value in a mask, relatime its zero: setting one clears the others.
        "noatime" => Attribute(MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
        "strictatime" => Attribute(MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
        "relatime" | "atime" | "nostrictatime" | "norelatime" => Attribute(0, MOUNT_ATTR__ATIME),
        "sync" => Superblock("sync", libc::MS_SYNCHRONOUS, 0),
        "async" => Superblock("async", 0, libc::MS_SYNCHRONOUS),
        "dirsync" => Superblock("dirsync", libc::MS_DIRSYNC, 0),
        "lazytime" => Superblock("lazytime", MS_LAZYTIME, 0),
        "nolazytime" => Superblock("nolazytime", 0, MS_LAZYTIME),
        "mand" => Superblock("mand", libc::MS_MANDLOCK, 0),
        "nomand" => Superblock("nomand", 0, libc::MS_MANDLOCK),
        // These two have no name in fsconfig.
        "iversion" => Superblock("", libc::MS_I_VERSION, 0),
        "noiversion" => Superblock("", 0, libc::MS_I_VERSION),
        "silent" | "loud" | "defaults" => Nothing,
        "shared" => Propagation(MS_SHARED),
        "slave" => Propagation(MS_SLAVE),
        "private" => Propagation(MS_PRIVATE),
        "unbindable" => Propagation(MS_UNBINDABLE),
        _ => return None,
    })
}

/// Sorts the options of a mount. One string may hold several, separated by commas outside quotes, as mount(8) has it.
pub(super) fn parse(options: &[String]) -> Options {
    let mut parsed = Options::default();
    for option in options.iter().flat_map(|text| split(text)) {
        parsed.add(option);
    }
    parsed
}

impl Options {
    fn add(&mut self, option: &str) {
        match option {
            "" => {}
            "bind" => self.bind = Some(self.bind.unwrap_or(false)),
            "rbind" => self.bind = Some(true),
            "remount" => self.remount = true,
            "tmpcopyup" => self.copy_up = true,
            "idmap" => self.idmap = Some(self.idmap.unwrap_or(false)),
            "ridmap" => self.idmap = Some(true),
            "src-nofollow" => self.source_nofollow = true,
            "dest-nofollow" => self.target_nofollow = true,
            "copy-symlink" => self.copy_symlink = true,
            _ => match option.split_once('=') {
                Some((name @ ("idmap" | "ridmap"), mapping)) => {
                    self.idmap = Some(name == "ridmap");
                    self.mapping = Some(mapping.to_owned());
                }
                _ => self.add_generic(option),
            },
        }
    }

    fn add_generic(&mut self, option: &str) {
        match (effect(option), option.strip_prefix('r').and_then(effect)) {
            (Some(Attribute(set, clear)), _) => self.attributes.then(Attributes { set, clear }),
            (Some(Superblock(name, set, clear)), _) => self.set_superblock(name, set, clear),
            (Some(Propagation(kind)), _) => self.propagation.push((kind, false)),
            (Some(Nothing), _) => {}
            (None, Some(Attribute(set, clear))) => self.recursive.then(Attributes { set, clear }),
            (None, Some(Propagation(kind))) => self.propagation.push((kind, true)),
            _ => self.data.push(match option.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (option.to_owned(), None),
            }),
        }
    }

    fn set_superblock(&mut self, name: &'static str, set: u64, clear: u64) {
        if !name.is_empty() {
            self.superblock.push(name);
        }
        self.superblock_bits = (self.superblock_bits & !clear) | set;
    }

    /// The attributes of a new filesystem's mount: nothing is below it, so recursive ones are its own.
    pub(super) fn whole(&self) -> u64 {
        let mut whole = self.attributes;
        whole.then(self.recursive);
        whole.set
    }

    /// Everything as the flags of mount(2).
    pub(super) fn bits(&self) -> u64 {
        const BITS: [(u64, u64); 7] = [
            (MOUNT_ATTR_RDONLY, libc::MS_RDONLY),
            (MOUNT_ATTR_NOSUID, libc::MS_NOSUID),
            (MOUNT_ATTR_NODEV, libc::MS_NODEV),
            (MOUNT_ATTR_NOEXEC, libc::MS_NOEXEC),
            (MOUNT_ATTR_NOATIME, libc::MS_NOATIME),
            (MOUNT_ATTR_NODIRATIME, libc::MS_NODIRATIME),
            (MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW),
        ];
        let whole = self.whole();
        let strict = if whole & MOUNT_ATTR__ATIME == MOUNT_ATTR_STRICTATIME { libc::MS_STRICTATIME } else { 0 };
        let set = BITS.iter().filter(|(attribute, _)| whole & attribute != 0);
        set.fold(self.superblock_bits | strict, |bits, (_, bit)| bits | bit)
    }

    /// What the filesystem parses, as the string of mount(2).
    pub(super) fn data_string(&self) -> String {
        let texts = self.data.iter().map(|(key, value)| match value {
            Some(value) => format!("{key}={value}"),
            None => key.clone(),
        });
        texts.collect::<Vec<_>>().join(",")
    }

    /// Whether the filesystem is given this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.data.iter().any(|(name, _)| name == key)
    }
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(list: &[&str]) -> Options {
        parse(&list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_features_lists_is_not_left_to_the_filesystem() {
        for name in crate::spec::names::MOUNT_OPTIONS {
            assert!(options(&[name]).data.is_empty(), "{name}");
        }
    }

    #[test]
    fn generic_options_become_attributes_and_the_rest_data() {
        let parsed = options(&["nosuid", "strictatime", "mode=755", "size=65536k", "newinstance"]);
        assert_eq!(parsed.attributes.set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
        assert_eq!(parsed.attributes.clear, MOUNT_ATTR__ATIME);
        assert_eq!(parsed.data_string(), "mode=755,size=65536k,newinstance");
        assert_eq!(parsed.bits(), libc::MS_NOSUID | libc::MS_STRICTATIME);
    }

    #[test]
    fn the_last_of_two_opposites_wins() {
        assert_eq!(options(&["ro", "rw"]).attributes, Attributes { set: 0, clear: MOUNT_ATTR_RDONLY });
        assert_eq!(options(&["rw", "ro"]).attributes, Attributes { set: MOUNT_ATTR_RDONLY, clear: 0 });
        assert_eq!(options(&["noatime", "relatime"]).attributes.set, 0);
        assert_eq!(options(&["sync", "async"]).superblock_bits, 0);
    }

    #[test]
    fn recursive_forms_are_kept_apart() {
        let parsed = options(&["rbind", "rro", "rnosuid", "rnoatime", "rprivate", "slave"]);
        assert_eq!(parsed.bind, Some(true));
        assert!(parsed.attributes.is_empty());
        assert_eq!(parsed.recursive.set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME);
        assert_eq!(parsed.propagation, [(MS_PRIVATE, true), (MS_SLAVE, false)]);
        assert!(parsed.data.is_empty());
    }

    #[test]
    fn relatime_is_not_a_recursive_latime() {
        let parsed = options(&["relatime"]);
        assert_eq!(parsed.attributes, Attributes { set: 0, clear: MOUNT_ATTR__ATIME });
        assert!(parsed.recursive.is_empty());
    }

    #[test]
    fn commas_split_outside_quotes_only() {
        let parsed = options(&["mode=755,size=1m", "context=\"a:b:c0,c1\""]);
        assert_eq!(parsed.data.len(), 3);
        assert_eq!(parsed.data[2], ("context".to_owned(), Some("\"a:b:c0,c1\"".to_owned())));
    }
}
