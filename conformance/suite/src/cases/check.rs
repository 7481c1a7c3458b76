//! `rtrun check`: is this host ready for real-time containers.

use serde_json::{Value, json};

use super::realtime::needs_annotations;
use crate::harness::call::Output;
use crate::harness::case::{OrFail, mentions, must, same};
use crate::harness::{Case, Container, Verdict, case};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("every-item-says-what-why-and-how", |c| {
        let (_, report) = report(c, &[])?;
        let items = items(&report);
        for id in [
            "kernel",
            "preempt-rt",
            "isolcpus",
            "nohz-full",
            "rcu-nocbs",
            "irq-placement",
            "governor",
            "c-states",
            "smt",
            "thp",
            "swap",
            "clocksource",
            "rt-throttling",
            "timer-migration",
            "cgroup-controllers",
            "rlimits",
            "clock-state",
        ] {
            must(items.iter().any(|item| item["id"] == id), format_args!("no item {id}"))?;
        }
        for item in items {
            let said = |field: &str| item[field].as_str().is_some_and(|text| !text.is_empty());
            must(said("found") && said("why"), format_args!("{item} says too little"))?;
            let is_flaw = matches!(item["verdict"].as_str(), Some("warn" | "fail"));
            must(!is_flaw || said("remedy"), format_args!("{item} has no remedy"))?;
        }
        Ok(())
    }),
    case("exit-code-is-the-verdict", |c| {
        for flags in [&[][..], &["--strict"]] {
            let (output, report) = report(c, flags)?;
            let worst = if flags.is_empty() { &["fail"][..] } else { &["fail", "warn"] };
            let flawed =
                items(&report).iter().any(|item| worst.contains(&item["verdict"].as_str().unwrap_or_default()));
            same("ready", report["ready"].as_bool(), Some(!flawed))?;
            same("exit code", output.code, if flawed { 2 } else { 0 })?;
        }
        Ok(())
    }),
    case("text-names-the-same-items", |c| {
        let (_, report) = report(c, &[])?;
        let text = c.rt(&["check"])?.stdout;
        for item in items(&report) {
            mentions("text", &text, &[item["id"].as_str().unwrap_or_default()])?;
        }
        Ok(())
    }),
    case("cpus-that-are-not-there", |c| {
        let (output, report) =
            report(c, &["--annotations", "org.rtrun.cpus=4000", "--annotations", "org.rtrun.sched.policy=FIFO"])?;
        same("exit code", output.code, 2)?;
        mentions("cpus", &found(&report, "cpus"), &["no CPU 4000 here"])
    }),
    case("device-that-is-not-there", |c| {
        let (output, report) = report(c, &["--annotations", "org.rtrun.devices=bc635:31"])?;
        same("exit code", output.code, 2)?;
        mentions("devices", &found(&report, "devices"), &["this host has"])
    }),
    case("bundle-is-read", |c| {
        needs_annotations(c)?;
        c.set("/annotations/org.rtrun.cpus", json!("4001"));
        c.write_config()?;
        let bundle = c.bundle.display().to_string();
        let (_, report) = report(c, &["--bundle", &bundle])?;
        mentions("cpus", &found(&report, "cpus"), &["no CPU 4001 here"])
    }),
    case("kubernetes-profile-has-more-items", |c| {
        let (_, node) = report(c, &[])?;
        let (_, cluster) = report(c, &["--profile", "kubernetes"])?;
        must(items(&cluster).iter().any(|item| item["id"] == "kubelet-cpu-manager"), "no kubelet-cpu-manager")?;
        must(items(&node).len() < items(&cluster).len(), "more items than a plain node")
    }),
    case("misspelt-annotation-is-refused", |c| {
        needs_annotations(c)?;
        let refused = c.rt(&["check", "--annotations", "org.rtrun.cpu=1"])?.ended(1)?;
        mentions("message", &refused.stderr, &["did you mean"])?;
        let refused = c.rt(&["check", "--annotations", "org.rtrun.cpus"])?.ended(1)?;
        mentions("message", &refused.stderr, &["KEY=VALUE"])
    }),
];

fn report(c: &Container, flags: &[&str]) -> Verdict<(Output, Value)> {
    needs_annotations(c)?;
    let mut line = vec!["check", "--format", "json"];
    line.extend(flags);
    let output = c.rt(&line)?;
    let report = serde_json::from_str(&output.stdout).or_fail(&output)?;
    Ok((output, report))
}

fn items(report: &Value) -> &[Value] {
    report["items"].as_array().map_or(&[], Vec::as_slice)
}

fn found(report: &Value, id: &str) -> String {
    let item = items(report).iter().find(|item| item["id"] == id);
    item.and_then(|item| item["found"].as_str()).unwrap_or_default().to_string()
}
