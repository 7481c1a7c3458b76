use super::Error;
use crate::spec::names::{ANNOTATION_PREFIX, ANNOTATIONS};
use std::collections::BTreeMap;

/// Keys of ours are asked for to have an effect, so one without is an error and never passed over.
pub(super) fn check(annotations: &BTreeMap<String, String>) -> Result<(), Error> {
    for key in annotations.keys() {
        if key.is_empty() {
            return Err(Error::Missing("annotations: a key".into()));
        }
        let Some(ours) = key.strip_prefix(ANNOTATION_PREFIX) else { continue };
        if ANNOTATIONS.contains(&ours) {
            return Err(Error::Unimplemented(key.clone()));
        }
        return Err(Error::Unknown { field: "annotations".into(), name: ours.into(), known: ANNOTATIONS });
    }
    Ok(())
}
