//! From a container's annotations to one value a key: prefixes, aliases, and keys for one container of a pod.

use super::alias::ALIASES;
use super::{Error, KEYS, Key, PREFIX, pod};
use crate::nearest;
use std::collections::BTreeMap;

/// One value, and how the caller wrote it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Given {
    /// The whole key.
    pub key: String,
    /// What was written.
    pub original: String,
    /// In our words.
    pub value: String,
    /// The key names this container.
    specific: bool,
}

impl Given {
    pub(super) fn illegal(&self, problem: String, legal: &'static str, example: &'static str) -> Error {
        Error::Value {
            key: self.key.as_str().into(),
            value: self.original.as_str().into(),
            problem: problem.into(),
            legal,
            example,
        }
    }

    pub(super) fn contradicts(&self, other: &str, other_value: &str, why: &'static str) -> Error {
        Error::Contradiction {
            key: self.key.as_str().into(),
            value: self.original.as_str().into(),
            other: other.into(),
            other_value: other_value.into(),
            why,
        }
    }
}

/// One value a key. A key for this container counts more than one for its whole pod; two of one rank must agree.
pub(super) fn resolve(annotations: &BTreeMap<String, String>) -> Result<BTreeMap<&'static str, Given>, Error> {
    let container = pod::container_name(annotations);
    let mut all: BTreeMap<&'static str, Given> = BTreeMap::new();
    for (key, value) in annotations {
        let (bare, only) = key.split_once('/').map_or((key.as_str(), None), |(bare, only)| (bare, Some(only)));
        let Some((name, value)) = read(key, bare, value)? else { continue };
        if only.is_some() && only != container {
            continue;
        }
        let original = annotations.get(key).cloned().unwrap_or_default();
        let given = Given { key: key.clone(), original, value, specific: only.is_some() };
        match all.get(name) {
            Some(other) if other.specific == given.specific && other.value != given.value => {
                return Err(given.contradicts(&other.key, &other.original, "both ask for the same, differently"));
            }
            Some(other) if other.specific => {}
            _ => drop(all.insert(name, given)),
        }
    }
    Ok(all)
}

/// Our name and value for an annotation; nothing for those of others.
fn read(key: &str, bare: &str, value: &str) -> Result<Option<(&'static str, String)>, Error> {
    if let Some(name) = bare.strip_prefix(PREFIX) {
        let known = Key::of(name).ok_or_else(|| {
            let nearest = nearest(name, KEYS.iter().map(|key| key.name));
            Error::Unknown { key: key.into(), nearest: format!("{PREFIX}{nearest}").into() }
        })?;
        return Ok(Some((known.name, value.to_owned())));
    }
    let Some(alias) = ALIASES.iter().find(|alias| alias.key == bare) else { return Ok(None) };
    match (alias.translate)(value) {
        Some(ours) => Ok(Some((alias.name, ours.into_owned()))),
        None => Err(Error::Value {
            key: key.into(),
            value: value.into(),
            problem: "is none of these".into(),
            legal: alias.values,
            example: alias.example,
        }),
    }
}
