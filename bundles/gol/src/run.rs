//! From parameters to a running agent, or to the whole board computed alone.

use gol_agent::advance::{Dead, Stepper};
use gol_agent::agent::exchange::{Exchange, ExchangeError, Identity};
use gol_agent::agent::measures::Measures;
use gol_agent::agent::report::Reporter;
use gol_agent::agent::{Agent, clock, first_board};
use gol_agent::board::{Board, MAX_HALO};
use gol_agent::decomposition::Layout;
use gol_agent::params::{Carrier, MetricsTo, ParamError, Params};
use gol_agent::pattern::Pattern;
use gol_agent::start::{Origin, OriginError};
use gol_agent::transport::{Faulty, Multicast, Tcp, Transport, TransportError, Udp};
use nix::errno::Errno;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use rtrun_agent_metrics::{PublishError, Publisher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Time between two writes of the metrics file.
const METRICS_PERIOD: Duration = Duration::from_secs(1);

/// Set by SIGTERM and SIGINT.
static STOP: AtomicBool = AtomicBool::new(false);

/// Why an agent did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Params(#[from] ParamError),
    #[error(transparent)]
    Origin(#[from] OriginError),
    #[error("a board of {0}x{1} cells is more than this machine can address")]
    Size(usize, usize),
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("metrics=: {0}")]
    Metrics(#[from] PublishError),
    #[error("start the thread that reports: {0}")]
    Thread(std::io::Error),
    #[error("handle {0}: {1}")]
    Signal(Signal, Errno),
    #[error("output={path}: write the last generation: {error}", path = .0.display(), error = .1)]
    Output(PathBuf, std::io::Error),
}

/// Runs a region to its end.
pub fn agent(params: &Params) -> Result<(), RunError> {
    let origin = Origin::new(&params.pattern, params.at, &params.layout)?;
    let run = params.run.unwrap_or_else(|| origin.run(&params.layout));
    let instance = (clock::now() / 1_000_000) as u32;
    let me = Identity { region: params.region, run, instance, host: clock::host() };
    let transport = transport(params)?;
    let board = first_board(params, &origin).ok_or(RunError::Size(params.layout.width, params.layout.height))?;
    stop_on_signals()?;

    let (measures, exporter) = Measures::new(params.region, run);
    let measures = Arc::new(measures);
    let mut publisher: Option<Publisher> = None;
    match &params.metrics {
        Some(MetricsTo::File(path)) => publisher = Some(exporter.to_file(path, METRICS_PERIOD)?),
        Some(MetricsTo::Socket(address)) => drop(exporter.serve(address)?),
        None => {}
    }
    let (reporter, notices) = Reporter::new(params, measures.clone()).map_err(RunError::Thread)?;
    let exchange = Exchange::new(transport, params.layout, me, measures, notices)?;
    let agent = Agent::new(params, board, exchange, &STOP);
    lock_memory(params);
    let ended = agent.run();
    drop((reporter, publisher));
    let (board, _) = ended?;
    params.output.as_deref().map_or(Ok(()), |path| write_output(path, &board))
}

fn transport(params: &Params) -> Result<Box<dyn Transport>, RunError> {
    let Params { region, wait, layout, .. } = *params;
    let peers = params.peers.clone();
    let carrier: Box<dyn Transport> = match params.carrier {
        Carrier::Udp => Box::new(Udp::new(region, peers, wait)?),
        Carrier::Multicast { group, interface } => Box::new(Multicast::new(region, group, interface, wait)?),
        Carrier::Tcp => {
            let mut neighbours: Vec<u32> =
                gol_agent::decomposition::Side::ALL.iter().filter_map(|side| layout.neighbour(region, *side)).collect();
            neighbours.retain(|neighbour| *neighbour != region);
            neighbours.sort_unstable();
            neighbours.dedup();
            Box::new(Tcp::new(region, peers, &neighbours, wait)?)
        }
    };
    Ok(match params.faults {
        Some(faults) => Box::new(Faulty::new(carrier, faults)),
        None => carrier,
    })
}

extern "C" fn on_signal(_: nix::libc::c_int) {
    STOP.store(true, Relaxed);
}

/// SIGTERM and SIGINT end the run in order; a wait that they interrupt is not begun again.
fn stop_on_signals() -> Result<(), RunError> {
    let action = SigAction::new(SigHandler::Handler(on_signal), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // SAFETY: the handler stores to an atomic only
        unsafe { sigaction(signal, &action) }.map_err(|errno| RunError::Signal(signal, errno))?;
    }
    Ok(())
}

/// A page that has to be fetched is a deadline at risk; without the right to lock, the agent says so and goes on.
fn lock_memory(params: &Params) {
    if params.lock {
        if let Err(errno) = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE) {
            eprintln!("gol-agent: memory is not locked: mlockall: {errno} (raise RLIMIT_MEMLOCK, or give lock=false)");
        }
    }
}

fn write_output(path: &Path, board: &Board) -> Result<(), RunError> {
    let pattern = Pattern::of(board);
    let plain = path.extension().is_some_and(|extension| extension == "cells");
    let text = if plain { pattern.to_plaintext() } else { pattern.to_rle() };
    std::fs::write(path, text).map_err(|error| RunError::Output(path.into(), error))
}

/// Computes the whole board in one, and prints the hash that the regions' must add up to.
pub fn reference(params: &Params) -> Result<(), RunError> {
    let parts = params.layout;
    let origin = Origin::new(&params.pattern, params.at, &parts)?;
    let (width, height) = (parts.columns as usize * parts.width, parts.rows as usize * parts.height);
    let halo = MAX_HALO.min(width).min(height).min(16);
    let whole = Layout { columns: 1, rows: 1, width, height, halo, ..parts };
    let mut board = whole.board().ok_or(RunError::Size(width, height))?;
    origin.place(&whole, 1, &mut board);
    let mut stepper = Stepper::new(&board, params.kernel, if parts.torus { Dead::NONE } else { Dead::ALL });
    let mut generation = 0;
    loop {
        if params.check > 0 && generation % params.check == 0 || generation == params.generations {
            let (population, hash) = (board.population(), board.hash(0, 0));
            println!("check region=all generation={generation} population={population} hash={hash:016x} exact");
        }
        if generation == params.generations {
            return params.output.as_deref().map_or(Ok(()), |path| write_output(path, &board));
        }
        let mut steps = (halo as u64).min(params.generations - generation);
        if params.check > 0 {
            steps = steps.min(params.check - generation % params.check);
        }
        if parts.torus {
            board.wrap();
        }
        stepper.advance(&mut board, steps as usize, 0);
        generation += steps;
    }
}
