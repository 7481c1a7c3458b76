//! Our types against those of the `oci-spec` crate: what it writes we read, and write again without a loss.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

/// Go's and Rust's writers differ in whether they write what is empty; both mean the same.
fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, field)| (name, without_empty(field)))
                .filter(|(_, field)| !matches!(field, Value::Null | Value::Bool(false)))
                .filter(|(_, field)| !field.as_array().is_some_and(Vec::is_empty))
                .filter(|(_, field)| !field.as_object().is_some_and(serde_json::Map::is_empty))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_empty).collect()),
        other => other,
    }
}

fn assert_read_whole(theirs: &oci_spec::runtime::Spec) {
    let written = serde_json::to_vec(theirs).unwrap();
    let ours = rtrun::spec::parse(&written, "oci-spec").unwrap();
    let expected: Value = serde_json::from_slice(&written).unwrap();
    let found = serde_json::to_value(&ours).unwrap();
    assert_eq!(without_empty(found), without_empty(expected));
}

#[test]
fn its_default_configuration_is_read_whole() {
    assert_read_whole(&oci_spec::runtime::Spec::default());
}

#[test]
fn its_rootless_configuration_is_read_whole() {
    assert_read_whole(&oci_spec::runtime::Spec::rootless(1000, 1000));
}

#[test]
fn it_reads_the_default_configuration_that_we_write() {
    let ours = serde_json::to_vec(&rtrun::spec::default(true)).unwrap();
    let theirs: oci_spec::runtime::Spec = serde_json::from_slice(&ours).unwrap();
    assert_eq!(theirs.process().as_ref().unwrap().args().as_ref().unwrap(), &["sh"]);
    assert_read_whole(&theirs);
}
