//! `latency`: wake-up latency on the bare host and in containers, measured in turns under one load, and a report of it.

mod contender;
mod figures;
mod load;
mod plot;
mod provenance;
mod report;

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use rtrun_hooks::CpuSet;

use crate::cli::LatencyOptions;
use crate::error::{Error, Result};
use crate::host::Cpus;
use contender::Contender;
use figures::Figures;
use load::Load;
use provenance::Provenance;

/// All of a comparison.
#[derive(Debug)]
struct Comparison {
    options: LatencyOptions,
    cpus: CpuSet,
    provenance: Provenance,
    /// In the order in which they were named; the first is what the ratios are to.
    figures: Vec<Figures>,
}

/// Measures and reports; the exit code is 0 if every contender could be measured.
///
/// # Errors
/// Nothing to compare, no agent, no stress-ng, a first contender that can't run.
pub fn latency(options: &LatencyOptions) -> Result<u8> {
    let cpus = Cpus::read()?.choose(&options.cpus, &CpuSet::default())?;
    let agent = agent(options)?;
    let contenders = contenders(options, &agent, &cpus)?;
    let mut figures: Vec<Figures> = contenders.iter().map(|contender| Figures::new(contender.name())).collect();
    let _awake = load::hold_cpus_awake();
    let bar = progress(options, contenders.len());
    for round in 0..options.rounds as usize {
        // Each round begins with another contender, so that no one of them always follows the same.
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            bar.set_message(format!("round {} of {}: {}", round + 1, options.rounds, contenders[index].name()));
            let load = Load::start(options.load)?;
            let measured = contenders[index].measure(options);
            load.stop()?;
            figures[index].add(measured);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let comparison = Comparison { options: options.clone(), cpus, provenance: Provenance::read(), figures };
    print!("{}", report::text(&comparison));
    for (path, text) in [
        (&options.report, report::html as fn(&Comparison) -> String),
        (&options.json, |comparison| format!("{:#}\n", report::json(comparison))),
    ] {
        if let Some(path) = path {
            std::fs::write(path, text(&comparison)).map_err(Error::file("write", path))?;
        }
    }
    Ok(u8::from(comparison.figures.iter().any(|figures| figures.rounds.is_empty())))
}

fn agent(options: &LatencyOptions) -> Result<PathBuf> {
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("latency-agent"));
    let agent = options.agent.clone().or_else(beside).unwrap_or_default();
    std::fs::canonicalize(&agent).map_err(Error::file("open", &agent))
}

fn contenders(options: &LatencyOptions, agent: &std::path::Path, cpus: &CpuSet) -> Result<Vec<Contender>> {
    let mut all = Vec::new();
    if options.host {
        all.push(Contender::host(agent));
    }
    if options.container {
        all.push(Contender::ours(agent, cpus)?);
    }
    for runtime in &options.runtime {
        all.push(Contender::peer(agent, cpus, runtime, options)?);
    }
    if all.is_empty() {
        return Err(Error::Needs {
            option: "host, --container or --runtime",
            needs: "to be given: what is to be measured?",
        });
    }
    Ok(all)
}

/// With the time that is left, on a terminal only.
fn progress(options: &LatencyOptions, contenders: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::from(options.rounds) * contenders as u64);
    let style = ProgressStyle::with_template("{msg:<40} [{bar:30}] {pos}/{len}, {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(500));
    bar
}
