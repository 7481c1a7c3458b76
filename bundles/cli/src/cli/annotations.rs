//! Options as annotations: what OCI has no field for, and for Kubernetes also what it has one for.

use std::collections::BTreeMap;

use rtrun_hooks::annotation::{Annotations, PREFIX, show};

use super::LaunchOptions;
use crate::error::{Error, Result};

impl LaunchOptions {
    /// What OCI's fields lack; parsed as rtrun will parse it, so that a wrong one is refused here.
    ///
    /// # Errors
    /// An unknown key, a value that is not legal, a contradiction.
    pub fn annotations(&self) -> Result<BTreeMap<String, String>> {
        let mut all = BTreeMap::new();
        let mut put = |key: &str, value: String| all.insert(format!("{PREFIX}{key}"), value);
        if !self.device.is_empty() {
            put("devices", self.device.join(","));
        }
        if let Some(clock) = &self.clock {
            let (state, source) =
                clock.split_once(':').map_or((clock.as_str(), None), |(state, source)| (state, Some(source)));
            put("clock.require", state.to_owned());
            if let Some(source) = source {
                put("clock.source", source.to_owned());
            }
        }
        if let Some(affinity) = &self.irq {
            put("irq.affinity", affinity.clone());
        }
        if self.mlock {
            put("memory.lock", "true".to_owned());
        }
        for given in &self.annotation {
            let (key, value) = given.split_once('=').ok_or_else(|| Error::Option {
                option: "annotation",
                value: given.clone(),
                problem: "KEY=VALUE".to_owned(),
            })?;
            all.insert(key.to_owned(), value.to_owned());
        }
        Annotations::parse(&all)?;
        Ok(all)
    }

    /// [`LaunchOptions::annotations`], with policy and CPUs: a Kubernetes manifest has no fields for them.
    ///
    /// # Errors
    /// See there.
    pub fn kube_annotations(&self) -> Result<BTreeMap<String, String>> {
        let mut all = self.annotations()?;
        let mut put = |key: &str, value: Option<String>| {
            all.extend(value.map(|value| (format!("{PREFIX}{key}"), value)));
        };
        put("sched.policy", self.sched.map(|policy| policy.to_string()));
        put("sched.priority", self.prio.map(|priority| priority.to_string()));
        if let Some(triple) = self.deadline {
            put("sched.policy", Some("SCHED_DEADLINE".to_owned()));
            put("sched.runtime", Some(show(triple.runtime)));
            put("sched.deadline", Some(show(triple.deadline)));
            put("sched.period", Some(show(triple.period)));
        }
        // `auto` is a choice among one machine's CPUs.
        put("cpus", self.cpus.clone().filter(|cpus| !cpus.starts_with("auto")));
        Annotations::parse(&all)?;
        Ok(all)
    }
}
