//! `rtrun-bench`: what a container's life costs, side by side with peers and a floor program in one run.

mod bundle;
mod contender;
mod error;
mod host;
mod leaks;
mod measure;
mod memory;
mod page;
mod plot;
mod process;
mod report;
mod scale;
mod stats;
mod syscalls;

use std::path::{Path, PathBuf};

use clap::Parser;

use bundle::Bundle;
use contender::{Contender, Runtime};
use error::{Error, Result};
use host::Host;
use process::Streams;
use report::{Report, Row};
use stats::Summary;

/// How the tables call the program that does nothing.
const EMPTY: &str = "empty program";

/// Measures what a container's life costs: each runtime, and a floor program that does the same kernel work.
///
/// The ratios are of the first runtime to every other. Be root.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// A runtime to measure, as NAME=PATH or by its name in PATH; may be given several times
    #[arg(long, required = true, value_name = "NAME=PATH")]
    runtime: Vec<Runtime>,
    /// Lives a contender, for each of the timed measures
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// Lives of the first runtime for the leak check; 0 leaves it out
    #[arg(long, default_value_t = 1000)]
    cycles: usize,
    /// Containers of the first runtime that live at once; 0 leaves it out
    #[arg(long, default_value_t = 100)]
    crowd: usize,
    /// Containers of the first runtime, made one after the other, against whose number its commands are timed; 0 leaves it out
    #[arg(long, default_value_t = 0)]
    scale: usize,
    /// Also writes everything to this file as one HTML page with plots
    #[arg(long)]
    html: Option<PathBuf>,
    /// Also writes everything to this file as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Prints the table in Markdown
    #[arg(long)]
    markdown: bool,
    /// The static busybox that the bundle is made from
    #[arg(long, default_value = "/bin/busybox")]
    busybox: PathBuf,
}

fn main() {
    let options = Options::parse();
    if let Err(e) = run(&options) {
        eprintln!("rtrun-bench: {e}");
        std::process::exit(1);
    }
}

fn run(options: &Options) -> Result<()> {
    process::become_subreaper()?;
    let host = Host::enter(options.runtime.iter().any(|runtime| runtime.name.contains("crun")))?;
    let streams = Streams::new()?;
    let report = measure_all(options, &host, &streams)?;
    print!("{}", if options.markdown { report.markdown() } else { report.text() });
    if let Some(path) = &options.html {
        std::fs::write(path, page::html(&report)).map_err(|e| Error::file("write", path, e))?;
    }
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{:#}\n", report.json())).map_err(|e| Error::file("write", path, e))?;
    }
    Ok(())
}

fn measure_all(options: &Options, host: &Host, streams: &Streams) -> Result<Report> {
    let (floor, empty) = (beside("rtrun-bench-floor")?, beside("rtrun-bench-empty")?);
    let bundle = Bundle::make(host.work.join("bundle"), &options.busybox)?;
    bundle.configure(&["/bin/true"], &format!("{}/bench", host.parent))?;

    let runtimes = options.runtime.iter().map(|runtime| Contender::runtime(runtime, host, &bundle.dir, "bench"));
    let mut contenders = runtimes.collect::<Result<Vec<_>>>()?;
    contenders.push(Contender::floor_three(&floor, host, &bundle)?);
    contenders.push(Contender::floor_one(&floor, host, &bundle)?);

    let mut rows = measure::lives(&contenders, options.rounds, false, streams)?;
    rows.extend(measure::lives(&contenders, options.rounds, true, streams)?);
    rows.push(measure::exec(&options.runtime, host, &bundle, options.rounds, streams)?);
    rows.push(measure::version(&options.runtime, &empty, host, options.rounds, streams)?);
    rows.extend(resources(&contenders, host, streams)?);

    let mut notes = Vec::new();
    if let (Some(subject), true) = (contenders.first(), options.cycles > 0) {
        let (before, after) = leaks::cycles(subject, options.cycles, host, streams)?;
        let verdict = if before == after { "nothing leaks".into() } else { format!("LEAKS: {before:?} → {after:?}") };
        notes.push(format!("{} lives of {}: {verdict} ({before:?})", options.cycles, subject.name));
    }
    if let (Some(subject), true) = (options.runtime.first(), options.crowd > 0) {
        notes.push(crowd_note(subject, options.crowd, host, &bundle, streams)?);
    }
    let scale = match options.runtime.first() {
        Some(subject) if options.scale > 0 => scale::run(subject, options.scale, host, &bundle, streams)?,
        _ => Vec::new(),
    };
    let mut names: Vec<String> = contenders.into_iter().map(|contender| contender.name).collect();
    names.push(EMPTY.into());
    Ok(Report { machine: host::describe(host), names, rows, notes, scale })
}

/// Memory and system calls: counted, not timed.
fn resources(contenders: &[Contender], host: &Host, streams: &Streams) -> Result<Vec<Row>> {
    let mut create = Row::new("peak memory, create".into(), "MiB");
    let mut init = Row::new("peak memory, waiting init".into(), "MiB");
    let mut calls = Row::new("system calls of create and its init".into(), "calls");
    for contender in contenders.iter().filter(|contender| contender.start_delete().is_some()) {
        let (of_create, of_init) = memory::peaks(contender, 5, streams)?;
        create.fill([(contender.name.clone(), of_create)]);
        init.fill([(contender.name.clone(), of_init)]);
        let count = syscalls::count(contender, host, streams)?;
        calls.fill([(contender.name.clone(), count.and_then(|count| Summary::of([count])))]);
    }
    Ok(vec![create, init, calls])
}

fn crowd_note(subject: &Runtime, size: usize, host: &Host, bundle: &Bundle, streams: &Streams) -> Result<String> {
    let place = |n| bundle.sibling(&format!("crowd-{n}"), &["/bin/true"], &format!("{}/crowd-{n}", host.parent));
    let bundles = (0..size).map(place).collect::<Result<Vec<_>>>()?;
    let bundles: Vec<&Path> = bundles.iter().map(PathBuf::as_path).collect();
    let crowd = leaks::crowd(subject, size, host, &bundles, streams)?;
    let [created, ended] = [crowd.created_in, crowd.ended_in].map(|time| time.as_millis());
    Ok(format!(
        "{size} containers of {} at once: created in {created} ms, all answered state, all started and ended in {ended} ms",
        subject.name
    ))
}

/// A program of this crate, in the directory of this one.
fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(|e| Error::file("read", "/proc/self/exe", e))?;
    let path = own.with_file_name(name);
    let missing = || Error::Content { path: path.clone(), problem: "not there: build the whole crate".into() };
    path.is_file().then_some(()).ok_or_else(missing)?;
    Ok(path)
}
