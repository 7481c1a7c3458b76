//! `rtrun metrics`: OpenMetrics of the containers, read line by line.

use super::realtime::{ask, budget, needs_annotations};
use crate::harness::case::{OrFail, fail, mentions, must, same};

use crate::harness::{Case, Container, Need, Verdict, case};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("text-is-well-formed", |c| {
        needs_annotations(c)?;
        c.up()?;
        let text = c.rt(&["metrics"])?.succeeded()?.stdout;
        must(text.ends_with("# EOF\n"), "the text ends with # EOF")?;
        let (mut family, mut seen) = (String::new(), Vec::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split(' ').next().unwrap_or_default().to_string();
                must(!seen.contains(&family), format_args!("{family} twice"))?;
                seen.push(family.clone());
            } else if !line.starts_with('#') {
                must(line.starts_with(&family), format_args!("{line:?} stands under {family}"))?;
                let value = line.rsplit(' ').next().unwrap_or_default();
                value.parse::<f64>().or_fail(format_args!("value of {line:?}"))?;
            }
        }
        Ok(())
    }),
    case("policy-priority-and-status", |c| {
        budget(c, &[("sched.policy", "FIFO"), ("sched.priority", "17")])?;
        let pid = c.up()?;
        let text = samples(c)?;
        let id = c.id.clone();
        has(&text, &format!("rtrun_container_status{{container=\"{id}\",rtrun_container_status=\"running\"}} 1"))?;
        has(&text, &format!("rtrun_thread_priority{{container=\"{id}\",pid=\"{pid}\",tid=\"{pid}\"}} 17"))?;
        mentions("policy", &text, &["policy=\"SCHED_FIFO\""])?;
        has(&text, &format!("rtrun_container_verified{{container=\"{id}\"}} 1"))
    }),
    case("counters-grow", |c| {
        needs_annotations(c)?;
        c.up_script("while :; do :; done")?;
        let name = format!("rtrun_container_cpu_seconds_total{{container=\"{}\"}}", c.id);
        let first = value(&samples(c)?, &name)?;
        std::thread::sleep(std::time::Duration::from_millis(200));
        let second = value(&samples(c)?, &name)?;
        must(second > first, format_args!("{name}: {first}, then {second}"))
    }),
    case("own-cpus-and-what-came-since-the-start", |c| {
        Need::Cpus(2).check()?;
        ask(c, &[("cpus", "1")])?;
        c.up()?;
        let text = samples(c)?;
        let id = c.id.clone();
        mentions("info", &text, &[&format!("bundle=\"{}\",cpus=\"1\"", c.bundle.display())])?;
        let major = value(&text, &format!("rtrun_container_page_faults_total{{container=\"{id}\",kind=\"major\"}}"))?;
        must(major >= 0.0, "major faults are counted")?;
        value(&text, &format!("rtrun_container_interrupts_total{{container=\"{id}\",cpu=\"1\",source=\"timer\"}}"))?;
        mentions("phases", &text, &["rtrun_container_start_phase_seconds"])
    }),
    case("stopped-container-keeps-its-status-only", |c| {
        needs_annotations(c)?;
        c.script("true");
        c.create()?;
        c.start()?;
        c.wait_for("stopped")?;
        let text = samples(c)?;
        has(&text, &format!("rtrun_container_status{{container=\"{}\",rtrun_container_status=\"stopped\"}} 1", c.id))?;
        must(!text.contains("rtrun_thread_"), "no threads of a stopped container")
    }),
    case("textfile-is-written-whole", |c| {
        needs_annotations(c)?;
        c.up()?;
        let folder = c.folder("textfile")?;
        c.rt(&["metrics", "--textfile", &folder.display().to_string()])?.succeeded()?;
        let text = std::fs::read_to_string(folder.join("rtrun.prom")).or_fail("rtrun.prom")?;
        mentions("text", &text, &["# TYPE rtrun_container_cpu_seconds_total counter"])?;
        must(!text.contains("# EOF") && !text.contains("stateset"), "the syntax is that of node_exporter")?;
        let left = std::fs::read_dir(&folder).or_fail("list")?.count();
        same("files", left, 1)
    }),
    case("every-sample-is-described", |c| {
        needs_annotations(c)?;
        c.up()?;
        let description = c.rt(&["metrics", "--describe"])?.succeeded()?.stdout;
        for line in c.rt(&["metrics"])?.succeeded()?.stdout.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let family = format!("\n{} ", rest.split(' ').next().unwrap_or_default());
                must(description.contains(&family), format_args!("{family:?} is not described"))?;
            }
        }
        Ok(())
    }),
    case("unknown-container-is-refused", |c| {
        needs_annotations(c)?;
        mentions("message", &c.rt(&["metrics", "none-such"])?.refused()?.stderr, &["does not exist"])
    }),
];

/// The samples of the container.
fn samples(c: &Container) -> Verdict<String> {
    Ok(c.rt(&["metrics", &c.id])?.succeeded()?.stdout)
}

fn has(text: &str, line: &str) -> Verdict {
    must(text.lines().any(|one| one == line), format_args!("no {line:?} in {text}"))
}

fn value(text: &str, name: &str) -> Verdict<f64> {
    match text.lines().find_map(|line| line.strip_prefix(name)) {
        Some(value) => value.trim().parse().or_fail(name),
        None => fail(format_args!("no {name:?} in {text}")),
    }
}
