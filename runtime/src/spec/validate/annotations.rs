use super::Error;
use rtrun_hooks::annotation::{Annotations, KEYS};
use std::collections::BTreeMap;

/// Keys of ours are asked for to have an effect, so one without is an error and never passed over.
pub(super) fn check(annotations: &BTreeMap<String, String>) -> Result<(), Error> {
    if annotations.contains_key("") {
        return Err(Error::Missing("annotations: a key".into()));
    }
    if !Annotations::any(annotations) {
        return Ok(());
    }
    let asked = Annotations::parse(annotations)?;
    match KEYS.iter().find_map(|key| asked.given(key.name)) {
        Some((key, _)) => Err(Error::Unimplemented(key.to_owned())),
        None => Ok(()),
    }
}
