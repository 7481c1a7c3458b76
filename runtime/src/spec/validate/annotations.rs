use super::Error;
use rtrun_hooks::annotation::Annotations;
use std::collections::BTreeMap;

/// Keys of ours are asked for to have an effect, so one without is an error and never passed over.
pub(super) fn check(annotations: &BTreeMap<String, String>) -> Result<(), Error> {
    if annotations.contains_key("") {
        return Err(Error::Missing("annotations: a key".into()));
    }
    if !Annotations::any(annotations) {
        return Ok(());
    }
    Annotations::parse(annotations)?;
    Ok(())
}
