//! `linux.cgroupsPath`, as runc reads it.

use super::{Error, Manager, layout};
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};

/// A scope of systemd.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Unit {
    /// `machine.slice`.
    pub slice: String,
    /// `prefix-name.scope`.
    pub name: String,
}

/// Where a cgroup is to be.
pub(super) enum Place {
    /// The same path in every hierarchy, from its root.
    Absolute(PathBuf),
    /// Below the runtime's own cgroup of each v1 hierarchy; beside it on v2, where a cgroup with processes in it can't
    /// have children with controllers.
    Relative(PathBuf),
}

/// The place of a container under the cgroupfs manager: `path` if given, else `/rtrun/<id>`; an ordinary user's
/// default is relative, as only a delegated subtree is open to him.
pub(super) fn place(path: Option<&str>, id: &str, rootless: bool) -> Result<Place, Error> {
    match path.filter(|path| !path.is_empty()) {
        Some(path) => {
            let clean = checked(path)?;
            Ok(if path.starts_with('/') { Place::Absolute(clean) } else { Place::Relative(clean) })
        }
        None if rootless => Ok(Place::Relative(PathBuf::from(format!("rtrun-{id}")))),
        None => Ok(Place::Absolute(PathBuf::from(format!("rtrun/{id}")))),
    }
}

/// Components without `/` at the front and without `.`.
pub(super) fn checked(path: &str) -> Result<PathBuf, Error> {
    let bad = |reason| Error::Path { path: path.to_owned(), reason };
    let mut clean = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => return Err(bad("may not contain \"..\"")),
            _ => {}
        }
    }
    if clean.as_os_str().is_empty() {
        return Err(bad("names the root cgroup; give the container one of its own"));
    }
    if path.contains(['\0', '\n']) {
        return Err(bad("may not contain NUL or a line feed"));
    }
    Ok(clean)
}

/// `slice:prefix:name` as systemd's unit; absent means `system.slice` (`user.slice` for an ordinary user) and
/// `rtrun-<id>.scope`.
pub(super) fn unit(path: Option<&str>, id: &str, rootless: bool) -> Result<Unit, Error> {
    let default_slice = if rootless { "user.slice" } else { "system.slice" };
    let Some(path) = path.filter(|path| !path.is_empty()) else {
        return Ok(Unit { slice: default_slice.into(), name: format!("rtrun-{id}.scope") });
    };
    let bad = |reason| Error::Path { path: path.to_owned(), reason };
    let parts: Vec<&str> = path.split(':').collect();
    let &[slice, prefix, name] = parts.as_slice() else {
        return Err(bad("the systemd manager wants \"slice:prefix:name\""));
    };
    if name.is_empty() || path.contains(['/', '\0', '\n']) {
        return Err(bad("the systemd manager wants \"slice:prefix:name\" without slashes"));
    }
    let slice = if slice.is_empty() { default_slice } else { slice };
    let name = match (name.ends_with(".slice"), prefix.is_empty()) {
        (true, _) => return Err(bad("a slice can't hold processes; name a scope")),
        (false, true) => format!("{name}.scope"),
        (false, false) => format!("{prefix}-{name}.scope"),
    };
    Ok(Unit { slice: slice.into(), name })
}

/// The directory of a slice: `a-b.slice` is `a.slice/a-b.slice` (`systemd.slice(5)`).
pub(super) fn slice_directory(slice: &str) -> Result<PathBuf, Error> {
    let bad = |reason| Error::Path { path: slice.to_owned(), reason };
    let Some(stem) = slice.strip_suffix(".slice") else { return Err(bad("a slice's name ends in \".slice\"")) };
    if stem == "-" {
        return Ok(PathBuf::new());
    }
    let mut directory = PathBuf::new();
    let mut prefix = String::new();
    for part in stem.split('-') {
        if part.is_empty() {
            return Err(bad("a slice's name has no empty parts between dashes"));
        }
        prefix.push_str(part);
        directory.push(format!("{prefix}.slice"));
        prefix.push('-');
    }
    Ok(directory)
}

/// `place` in the hierarchy `name` mounted on `mountpoint`, relative to the mount's root.
pub(super) fn resolve(place: &Place, own: &[layout::Line], name: &str, mountpoint: &Path) -> Result<PathBuf, Error> {
    match place {
        Place::Absolute(path) => Ok(path.clone()),
        Place::Relative(path) => {
            let line = own.iter().find(|line| line.name == name);
            let here = Path::new(line.map_or("/", |line| line.path.as_str()));
            let root = layout::mounted_directory(mountpoint)?;
            let below = here.strip_prefix(&root).or_else(|_| here.strip_prefix("/")).unwrap_or(Path::new(""));
            let parent = if name.is_empty() { below.parent().unwrap_or(Path::new("")) } else { below };
            Ok(parent.join(path))
        }
    }
}

/// The manager that callers name on the command line.
impl std::str::FromStr for Manager {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cgroupfs" => Ok(Self::Cgroupfs),
            "systemd" => Ok(Self::Systemd),
            "disabled" => Ok(Self::Disabled),
            _ => Err(format!("{text:?}: no cgroup manager; there are cgroupfs, systemd and disabled")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_the_root_are_refused() {
        for path in ["/a/../b", "..", "/", ".", "a\nb"] {
            assert!(checked(path).is_err(), "{path:?}");
        }
        assert_eq!(checked("//a/./b/").unwrap(), Path::new("a/b"));
    }

    #[test]
    fn slices_nest_by_dashes() {
        assert_eq!(slice_directory("a-b-c.slice").unwrap(), Path::new("a.slice/a-b.slice/a-b-c.slice"));
        assert_eq!(slice_directory("-.slice").unwrap(), Path::new(""));
        assert!(slice_directory("a--b.slice").is_err());
        assert!(slice_directory("a.scope").is_err());
    }

    #[test]
    fn units_are_named_as_runc_names_them() {
        let name = |path, rootless| unit(path, "x", rootless).map(|unit| (unit.slice, unit.name));
        assert_eq!(name(None, false).unwrap(), ("system.slice".into(), "rtrun-x.scope".into()));
        assert_eq!(name(Some(":p:n"), true).unwrap(), ("user.slice".into(), "p-n.scope".into()));
        assert_eq!(name(Some("m.slice::n"), false).unwrap(), ("m.slice".into(), "n.scope".into()));
        assert!(name(Some("/a/b"), false).is_err());
        assert!(name(Some("a.slice:b:"), false).is_err());
    }

    #[test]
    fn relative_is_below_the_own_cgroup_on_v1_and_beside_it_on_v2() {
        let own = layout::parse("2:cpu:/user/shell\n0::/user/shell\n");
        let place = place(Some("box"), "x", false).unwrap();
        let at = |name| resolve(&place, &own, name, Path::new("/nowhere")).unwrap();
        assert_eq!(at("cpu"), Path::new("user/shell/box"));
        assert_eq!(at(""), Path::new("user/box"));
    }
}
