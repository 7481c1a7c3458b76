//! The cases, one file a topic.

mod capabilities;
mod check;
mod cli;
mod console;
mod devices;
mod devices_rt;
mod errors;
mod exec;
mod hooks;
mod kill;
mod lab;
mod lifecycle;
mod metrics;
mod mounts;
mod namespaces;
mod paths;
mod process;
mod realtime;
mod realtime_node;
mod resources;
mod scheduling;
mod seccomp;
mod state;
mod update;
mod users;

use crate::harness::Case;

/// The case that a runtime must pass to be worth testing.
pub const TRIVIAL: &str = "lifecycle/run-true";

const TOPICS: [(&str, &[Case]); 25] = [
    ("lifecycle", lifecycle::CASES),
    ("state", state::CASES),
    ("kill", kill::CASES),
    ("exec", exec::CASES),
    ("cli", cli::CASES),
    ("console", console::CASES),
    ("process", process::CASES),
    ("scheduling", scheduling::CASES),
    ("capabilities", capabilities::CASES),
    ("namespaces", namespaces::CASES),
    ("users", users::CASES),
    ("mounts", mounts::CASES),
    ("paths", paths::CASES),
    ("devices", devices::CASES),
    ("resources", resources::CASES),
    ("update", update::CASES),
    ("seccomp", seccomp::CASES),
    ("hooks", hooks::CASES),
    ("errors", errors::CASES),
    ("devices-rt", devices_rt::CASES),
    ("check", check::CASES),
    ("metrics", metrics::CASES),
    ("realtime", realtime::CASES),
    ("realtime", realtime_node::CASES),
    ("lab", lab::CASES),
];

/// Every case, topic by topic.
pub fn all() -> impl Iterator<Item = Case> {
    TOPICS.iter().flat_map(|(topic, cases)| cases.iter().map(move |case| Case { topic, ..*case }))
}

/// The cases whose full name contains `filter`, or is it after a `=`.
pub fn selected(filter: Option<&str>) -> impl Iterator<Item = Case> {
    let filter = filter.unwrap_or_default().to_string();
    all().filter(move |case| match filter.strip_prefix('=') {
        Some(exact) => case.full_name() == exact,
        None => case.full_name().contains(&filter),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_there_are_enough() {
        let names: Vec<String> = all().map(|case| case.full_name()).collect();
        let set: HashSet<&String> = names.iter().collect();
        assert_eq!(set.len(), names.len());
        assert!(names.len() >= 170, "{} cases", names.len());
        assert!(names.iter().any(|name| name == TRIVIAL));
    }

    #[test]
    fn a_filter_is_a_part_or_the_whole() {
        assert!(selected(Some("lifecycle/")).count() > 10);
        assert_eq!(selected(Some("=lifecycle/run-true")).count(), 1);
        assert_eq!(selected(Some("=lifecycle")).count(), 0);
    }
}
