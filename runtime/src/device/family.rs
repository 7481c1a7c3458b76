//! Families of cards: what a card looks like on the PCI bus and in /dev. Described in TOML, the defaults too.

use super::Error;
use crate::host::pci::PciDevice;
use crate::host::{Host, natural};
use rtrun_hooks::nearest;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where an administrator describes cards of his own.
pub const CONFIG: &str = "/etc/rtrun/devices.toml";
const DEFAULT: &str = include_str!("devices.toml");
const KEYS: [&str; 5] = ["about", "pci", "nodes", "shareable", "exclusive"];

/// One family.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Family {
    /// What it is, for people.
    pub about: String,
    /// `vendor:device`, hexadecimal, lower case.
    pub pci: Vec<String>,
    /// Paths in /dev with `*` and `?` in the last part.
    pub nodes: Vec<String>,
    /// Those of the nodes that several containers may have.
    pub shareable: Vec<String>,
    /// Why the others may not be shared.
    pub exclusive: String,
}

impl Family {
    /// Whether a card is one of these.
    pub fn has_card(&self, card: &PciDevice) -> bool {
        let id = format!("{:04x}:{:04x}", card.vendor, card.device);
        self.pci.iter().any(|known| known.eq_ignore_ascii_case(&id))
    }

    /// Whether a node is called as these are.
    pub fn has_node(&self, path: &Path) -> bool {
        self.nodes.iter().any(|pattern| matches(pattern, path))
    }

    /// Whether the driver behind a node keeps its users apart.
    pub fn is_shareable(&self, path: &Path) -> bool {
        self.shareable.iter().any(|pattern| matches(pattern, path))
    }
}

/// All families by name.
#[derive(Clone, Debug)]
pub struct Families(BTreeMap<String, Family>);

impl Families {
    /// The default ones, with what [`CONFIG`] adds and changes.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Host`].
    pub fn load(host: &Host) -> Result<Families, Error> {
        let mut tables = parse(Path::new("the built-in devices.toml"), DEFAULT)?;
        if let Some(text) = host.text(CONFIG)? {
            for (name, table) in parse(&host.path(CONFIG), &text)? {
                tables.entry(name).or_default().extend(table);
            }
        }
        let typed = |(name, table): (String, toml::Table)| {
            let family = Family::deserialize(table).map_err(|error| config(&host.path(CONFIG), &name, &error))?;
            check(&host.path(CONFIG), &name, &family)?;
            Ok((name, family))
        };
        Ok(Families(tables.into_iter().map(typed).collect::<Result<_, Error>>()?))
    }

    /// The family of this name, for a device that was asked for.
    ///
    /// # Errors
    /// [`Error::Family`], with the nearest name.
    pub fn get(&self, name: &str, asked: &str) -> Result<&Family, Error> {
        self.0.get(name).ok_or_else(|| Error::Family {
            asked: asked.to_owned(),
            family: name.to_owned(),
            nearest: nearest(name, self.0.keys().map(String::as_str)).to_owned(),
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Family)> {
        self.0.iter().map(|(name, family)| (name.as_str(), family))
    }
}

/// Paths of the host that match one of the patterns, each once, in the order of their numbers.
///
/// # Errors
/// Those of [`Host::names`].
pub(super) fn expand(host: &Host, patterns: &[String]) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for pattern in patterns {
        let Some(directory) = Path::new(pattern).parent() else { continue };
        let paths = host.names(directory)?.into_iter().map(|name| directory.join(name));
        found.extend(paths.filter(|path| matches(pattern, path)));
    }
    found.sort_by(|a, b| natural(&a.to_string_lossy()).cmp(&natural(&b.to_string_lossy())));
    found.dedup();
    Ok(found)
}

/// Whether a path fits a pattern: the same folder, and a name with `*` for any characters and `?` for one.
fn matches(pattern: &str, path: &Path) -> bool {
    fn name(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => name(rest, text) || (!text.is_empty() && name(pattern, &text[1..])),
            (Some((b'?', rest)), Some((_, tail))) => name(rest, tail),
            (Some((wanted, rest)), Some((found, tail))) => wanted == found && name(rest, tail),
            _ => false,
        }
    }
    let pattern = Path::new(pattern);
    let bytes = |path: &Path| path.file_name().map(|name| name.as_encoded_bytes().to_vec()).unwrap_or_default();
    pattern.parent() == path.parent() && name(&bytes(pattern), &bytes(path))
}

/// `[family.NAME]` tables, their keys checked.
fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, toml::Table>, Error> {
    let problem = |problem: String| Error::Config { path: path.to_path_buf(), problem };
    let whole: toml::Table = text.parse().map_err(|error: toml::de::Error| problem(error.to_string().trim().into()))?;
    let mut families = BTreeMap::new();
    for (section, value) in whole {
        let toml::Value::Table(tables) = value else {
            return Err(problem(format!("{section:?} is no table; families are [family.NAME]")));
        };
        if section != "family" {
            return Err(problem(format!("unknown section [{section}]; did you mean [family.{section}]?")));
        }
        for (name, table) in tables {
            let toml::Value::Table(table) = table else {
                return Err(problem(format!("family.{name} is no table; families are [family.NAME]")));
            };
            if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
                let nearest = nearest(key, KEYS);
                return Err(problem(format!("family.{name}: unknown key {key:?}; did you mean {nearest:?}?")));
            }
            families.insert(name, table);
        }
    }
    Ok(families)
}

fn config(path: &Path, family: &str, error: &toml::de::Error) -> Error {
    Error::Config { path: path.to_path_buf(), problem: format!("family.{family}: {}", error.message()) }
}

fn check(path: &Path, name: &str, family: &Family) -> Result<(), Error> {
    let problem = |problem: String| Error::Config { path: path.into(), problem: format!("family.{name}: {problem}") };
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b));
    if !is_name {
        return Err(problem("a family's name is lower-case letters, digits, - and _".into()));
    }
    let is_id = |id: &String| {
        let hex = |text: &str| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        id.split_once(':').is_some_and(|(vendor, device)| hex(vendor) && hex(device))
    };
    if let Some(id) = family.pci.iter().find(|id| !is_id(id)) {
        return Err(problem(format!("pci: {id:?} is no vendor:device of four hexadecimal digits each (12e2:4013)")));
    }
    let is_pattern = |text: &&String| {
        let path = Path::new(text.as_str());
        let folder = path.parent().unwrap_or(Path::new(""));
        path.starts_with("/dev") && path != Path::new("/dev") && !folder.to_string_lossy().contains(['*', '?'])
    };
    match family.nodes.iter().chain(&family.shareable).find(|text| !is_pattern(text)) {
        Some(text) => Err(problem(format!("{text:?} is no path below /dev with * and ? in its last part only"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake::Tree;

    fn load(text: &str) -> Result<Families, Error> {
        Families::load(&Tree::new().file(CONFIG, text).host())
    }

    #[test]
    fn the_built_in_families() {
        let families = Families::load(&Tree::new().host()).unwrap();
        let names: Vec<&str> = families.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["bc635", "mil1553"]);
        let card = families.get("bc635", "bc635:0").unwrap();
        assert!(card.is_shareable(Path::new("/dev/btfp0")) && !card.is_shareable(Path::new("/dev/tfp0")));
    }

    #[test]
    fn the_administrators_file_adds_and_replaces_key_by_key() {
        let families =
            load("[family.bc635]\nnodes = [\"/dev/own*\"]\n[family.tsync]\npci = [\"1ad7:8000\"]\nabout = \"TSync\"\n")
                .unwrap();
        let card = families.get("bc635", "").unwrap();
        assert_eq!(
            (card.nodes.as_slice(), card.pci.as_slice()),
            (&["/dev/own*".into()][..], &["12e2:4013".into()][..])
        );
        assert_eq!(families.get("tsync", "").unwrap().pci, ["1ad7:8000"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("[family.bc635]\nnode = []", "family.bc635: unknown key \"node\"; did you mean \"nodes\"?"),
            ("[bc635]\npci = []", "unknown section [bc635]; did you mean [family.bc635]?"),
            ("[family.x]\npci = [\"12e2\"]", "family.x: pci: \"12e2\" is no vendor:device"),
            ("[family.x]\nnodes = [\"/dev/*/x\"]", "\"/dev/*/x\" is no path below /dev"),
            ("[family.x]\nnodes = 7", "family.x: invalid type"),
            ("[family.X]\nnodes = []", "lower-case"),
            ("[family", "TOML parse error at line 1"),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("devices.toml"), "{error}");
        }
        let error = load("").unwrap().get("bc653", "bc653:0").unwrap_err().to_string();
        assert!(error.contains("did you mean \"bc635\"?"), "{error}");
    }

    #[test]
    fn patterns() {
        for (pattern, path, fits) in [
            ("/dev/tfp*", "/dev/tfp0", true),
            ("/dev/tfp*", "/dev/tfp", true),
            ("/dev/tfp?", "/dev/tfp12", false),
            ("/dev/*0", "/dev/a0b0", true),
            ("/dev/tfp*", "/dev/x/tfp0", false),
        ] {
            assert_eq!(matches(pattern, Path::new(path)), fits, "{pattern} {path}");
        }
    }
}
