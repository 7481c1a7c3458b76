//! CRI-O's high-performance annotations (its `pkg/annotations`), so that a manifest written for them runs unchanged.

use super::PREFIX;
use std::borrow::Cow;

/// A foreign key that stands for one of ours.
pub struct Alias {
    /// The whole foreign key.
    pub key: &'static str,
    /// Ours, without prefix.
    pub name: &'static str,
    /// The foreign values, in words.
    pub values: &'static str,
    /// A foreign value.
    pub example: &'static str,
    /// Our value for a foreign one; nothing for an illegal one.
    pub(super) translate: fn(&str) -> Option<Cow<'static, str>>,
}

/// All of them.
pub const ALIASES: &[Alias] = &[
    Alias {
        key: "cpu-load-balancing.crio.io",
        name: "cpus.partition",
        values: "disable",
        example: "disable",
        translate: |text| is_disable(text).then_some("isolated".into()),
    },
    Alias {
        key: "cpu-quota.crio.io",
        name: "cpu.quota",
        values: "disable",
        example: "disable",
        translate: |text| is_disable(text).then_some("disable".into()),
    },
    Alias {
        key: "irq-load-balancing.crio.io",
        name: "irq.affinity",
        values: "disable, housekeeping",
        example: "disable",
        translate: |text| (is_disable(text) || text == "housekeeping").then_some("housekeeping".into()),
    },
    Alias {
        key: "cpu-c-states.crio.io",
        name: "cpu.max-latency",
        values: "disable, enable, max_latency:N in microseconds",
        example: "max_latency:10",
        translate: |text| match text {
            "disable" => Some("0us".into()),
            "enable" => Some("any".into()),
            other => {
                let number = other.strip_prefix("max_latency:")?.parse::<u32>().ok()?;
                Some(format!("{number}us").into())
            }
        },
    },
    Alias {
        key: "cpu-freq-governor.crio.io",
        name: "cpu.governor",
        values: "a name of scaling_available_governors",
        example: "performance",
        translate: |text| Some(text.to_owned().into()),
    },
];

/// `true` is what older releases of CRI-O wrote.
fn is_disable(text: &str) -> bool {
    matches!(text, "disable" | "true")
}

/// Whether a key is one of ours or an alias: all that a container without any has to pay.
pub(super) fn is_ours(key: &str) -> bool {
    key.starts_with(PREFIX) || key.contains(".crio.io")
}
