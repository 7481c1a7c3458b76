//! What an agent says, on a thread of its own: the agent's thread hands over events and never waits for a terminal.

use super::measures::{Measures, Refused};
use super::trust::Trust;
use crate::params::{ENVIRONMENT, Params, Policy};
use rtrb::{Consumer, Producer, RingBuffer};
use rtrun_agent_metrics::Histogram;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Events in flight.
const EVENTS: usize = 4096;
/// Time between two looks for events.
const LOOK: Duration = Duration::from_millis(5);

/// Something to be told.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A generation's cells.
    Check {
        /// The generation.
        generation: u64,
        /// The hash of the region's cells, of which the sum over all regions is the board's.
        hash: u64,
        /// How many live.
        population: u64,
        /// Which are right.
        trust: Trust,
    },
    /// The first message that was no use for a reason.
    Refused {
        /// The reason.
        why: Refused,
        /// The region that it says to be from.
        source: u32,
    },
    /// Neighbours that have not been heard of at the start.
    Absent([u32; 8]),
    /// Neighbours whose halo the board stands still for.
    Waiting {
        /// The generation.
        generation: u64,
        /// The regions, 0 where there are fewer.
        regions: [u32; 8],
    },
    /// The others are at this generation already.
    Joined(u64),
}

/// Where events go; a reason for refusing messages goes there once.
pub struct Notices {
    events: Producer<Event>,
    told: u16,
}

impl Notices {
    /// Hands an event over, or drops it when there are too many: telling may not delay the agent.
    pub fn tell(&mut self, event: Event) -> bool {
        self.events.push(event).is_ok()
    }

    /// Hands over the first refusal for each reason.
    pub(super) fn once(&mut self, why: Refused, source: u32) {
        // What a lossy network does to halos is counted; it is nothing to worry about.
        let usual = matches!(why, Refused::Duplicate | Refused::Late | Refused::Corrupt);
        if !usual && self.told & 1 << why as u16 == 0 {
            self.told |= 1 << why as u16;
            self.tell(Event::Refused { why, source });
        }
    }
}

/// The thread that tells.
pub struct Reporter {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reporter {
    /// Starts it.
    pub fn new(params: &Params, measures: Arc<Measures>) -> io::Result<(Self, Notices)> {
        let (events, consumer) = RingBuffer::new(EVENTS);
        let stop = Arc::new(AtomicBool::new(false));
        let teller = Teller { params: params.clone(), measures, events: consumer, last: (Instant::now(), 0) };
        let told = stop.clone();
        let thread = std::thread::Builder::new().name("gol-report".into()).spawn(move || teller.run(&told))?;
        Ok((Reporter { stop, thread: Some(thread) }, Notices { events, told: 0 }))
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed.
            let _ = thread.join();
        }
    }
}

struct Teller {
    params: Params,
    measures: Arc<Measures>,
    events: Consumer<Event>,
    /// When the last summary was, and its generation.
    last: (Instant, u64),
}

impl Teller {
    fn run(mut self, stop: &AtomicBool) {
        if let Err(errno) = rtrun_agent_metrics::leave_real_time() {
            eprintln!("the thread that reports keeps its real-time policy: sched_setscheduler: {errno}");
        }
        loop {
            let last = stop.load(Relaxed);
            // A reader that is gone does not end the agent.
            let _ = self.tell_all();
            let due = !self.params.report.is_zero() && self.last.0.elapsed() >= self.params.report;
            // Before generation 0 there is nothing to sum up.
            if due && self.measures.generation.get() > 0.0 || last {
                let _ = writeln!(io::stdout(), "{}", self.summary());
            }
            if last {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn tell_all(&mut self) -> io::Result<()> {
        let region = self.params.region;
        while let Ok(event) = self.events.pop() {
            match event {
                Event::Check { generation, hash, population, trust } => {
                    let exact = if trust.is_exact() { "exact".into() } else { format!("trusted={trust}") };
                    writeln!(
                        io::stdout(),
                        "check region={region} generation={generation} population={population} hash={hash:016x} {exact}"
                    )?;
                }
                Event::Refused { why, source } => writeln!(io::stderr(), "region {region}: {}", refusal(why, source))?,
                Event::Absent(regions) => writeln!(
                    io::stderr(),
                    "region {region}: not heard of region {} until generation 0: going on without, their cells count as \
                     dead, this board is not exact (policy=stall waits for them, join= or t0= gives them more time)",
                    list(regions)
                )?,
                Event::Waiting { generation, regions } => writeln!(
                    io::stderr(),
                    "region {region}: generation {generation} waits for the halo of region {} (policy=stall)",
                    list(regions)
                )?,
                Event::Joined(generation) => writeln!(
                    io::stderr(),
                    "region {region}: the others are at generation {generation} already: joining there, this board is not \
                     exact (start all agents within join=, or give all the same t0=)"
                )?,
            }
        }
        Ok(())
    }

    fn summary(&mut self) -> String {
        let measures = &self.measures;
        let generation = measures.generation.get() as u64;
        let rate = (generation - self.last.1.min(generation)) as f64 / self.last.0.elapsed().as_secs_f64();
        self.last = (Instant::now(), generation);
        let micros = |duration: Duration| duration.as_nanos().div_ceil(1000);
        let timing = if self.params.period.is_zero() {
            format!("{rate:.0} generations/s")
        } else {
            let jitter = &measures.release_jitter;
            let [median, p99, p999] = [0.5, 0.99, 0.999].map(|quantile| micros(jitter.quantile(quantile)));
            format!(
                "missed {} by halo {} by compute, release jitter p50 {median} us p99 {p99} us p99.9 {p999} us max {} us",
                measures.halo_misses.get(),
                measures.compute_misses.get(),
                micros(jitter.max())
            )
        };
        let tails = |histogram: &Histogram| {
            format!("p99 {} us max {} us", micros(histogram.quantile(0.99)), micros(histogram.max()))
        };
        let stale = if self.params.policy == Policy::Stall { 0 } else { measures.reused.get() };
        format!(
            "region {} generation {generation}: {timing}, compute {}, halo latency {}, halo round p50 {} us p99.9 {} us, \
             reused {stale} absent {}",
            self.params.region,
            tails(&measures.compute),
            tails(&measures.halo_latency),
            micros(measures.halo_round.quantile(0.5)),
            micros(measures.halo_round.quantile(0.999)),
            measures.absent.get()
        )
    }
}

fn list(regions: [u32; 8]) -> String {
    let regions: Vec<String> = regions.iter().filter(|region| **region > 0).map(u32::to_string).collect();
    regions.join(", ")
}

fn refusal(why: Refused, source: u32) -> String {
    match why {
        Refused::Run => format!(
            "region {source} is of another run: board=, cells=, edges=, halo=, pattern=, at= and run= must be the same for all \
             (in {ENVIRONMENT}* too); its halos are refused"
        ),
        Refused::Version => "a peer speaks another version of the protocol: use the same gol-agent everywhere".into(),
        Refused::Foreign => "something that is no agent sends to this port: choose another port=".into(),
        Refused::Instance => format!("a second agent computes region {source}: the first one's halos are used"),
        Refused::Stranger => format!("region {source} is no neighbour of this one, yet sends to it: check peers="),
        Refused::Future => format!("region {source} is ahead by more than a halo: are the clocks in step?"),
        Refused::Duplicate | Refused::Late | Refused::Corrupt => format!("a message of region {source} was no use"),
    }
}
