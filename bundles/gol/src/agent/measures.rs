//! What an agent measures, as its metrics.

use rtrun_agent_metrics::{Counter, Exporter, Gauge, Histogram, Metrics};

/// Why a message was no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Changed on its way, or its strips don't have the length they should.
    Corrupt,
    /// Not of this protocol.
    Foreign,
    /// Of another version of the protocol.
    Version,
    /// Of another run.
    Run,
    /// From a region that is no neighbour.
    Stranger,
    /// From a second agent of a region.
    Instance,
    /// A halo that was there already.
    Duplicate,
    /// A halo of a generation that is over.
    Late,
    /// A halo of a generation that can't have been reached.
    Future,
}

const REFUSED: [&str; 9] =
    ["corrupt", "foreign", "version", "run", "stranger", "instance", "duplicate", "late", "future"];

/// An agent's metrics.
pub struct Measures {
    /// How late generations were released.
    pub release_jitter: Histogram,
    /// Time to compute a pass: one generation, or those between two exchanges.
    pub compute: Histogram,
    /// From a halo's sending to its receipt, as two clocks have it.
    pub halo_latency: Histogram,
    /// How far off the latency may be: the sum of both clocks' bounds; 0 on one host, infinite when unknown.
    pub latency_bound: Gauge,
    /// From the first strip packed to the last one in the halo.
    pub halo_round: Histogram,
    /// Between the first and the last neighbour's sending of a generation's halo.
    pub barrier_skew: Histogram,
    /// Generations whose halo was not whole at the deadline.
    pub halo_misses: Counter,
    /// Generations that were not computed when the next one was due.
    pub compute_misses: Counter,
    /// Sides of halos of which an older one had to do.
    pub reused: Counter,
    /// Sides of halos of which no neighbour was ever heard.
    pub absent: Counter,
    /// Halos asked for again, and sent again.
    pub asked: Counter,
    /// Halos sent again.
    pub resent: Counter,
    /// The generation that the region is at.
    pub generation: Gauge,
    /// Cells of the region that are certainly right.
    pub trusted: Gauge,
    refused: [Counter; REFUSED.len()],
}

impl Measures {
    /// The metrics of `region` in `run`, and what exports them.
    pub fn new(region: u32, run: u64) -> (Self, Exporter) {
        let mut metrics = Metrics::new("gol", [("region", region.to_string()), ("run", format!("{run:016x}"))]);
        let [halo_misses, compute_misses] = metrics.counters(
            "deadline_misses",
            "Generations whose halo or computation was late",
            "what",
            ["halo", "compute"],
        );
        let measures = Measures {
            release_jitter: metrics.histogram("release_jitter", "How late generations were released"),
            compute: metrics.histogram("compute", "Time to compute a pass of generations"),
            halo_latency: metrics.histogram("halo_latency", "From a halo's sending to its receipt"),
            latency_bound: metrics
                .gauge_seconds("halo_latency_bound", "How far off the latency may be, by both clocks"),
            halo_round: metrics.histogram("halo_round", "From the first strip packed to the last one in the halo"),
            barrier_skew: metrics.histogram("barrier_skew", "Between the first and the last neighbour's sending"),
            halo_misses,
            compute_misses,
            reused: metrics.counter("halo_reused", "Sides of halos of which an older one had to do"),
            absent: metrics.counter("halo_absent", "Sides of halos of which no neighbour was ever heard"),
            asked: metrics.counter("halo_asked", "Halos asked for again"),
            resent: metrics.counter("halo_resent", "Halos sent again"),
            generation: metrics.gauge("generation", "The generation that the region is at"),
            trusted: metrics.gauge("trusted_cells", "Cells of the region that are certainly right"),
            refused: metrics.counters("messages_refused", "Messages that were no use", "why", REFUSED),
        };
        (measures, metrics.exporter())
    }

    /// Counts a message that was no use.
    pub fn refuse(&self, why: Refused) {
        self.refused[why as usize].inc();
    }

    /// How many messages were no use for this reason.
    pub fn refused(&self, why: Refused) -> u64 {
        self.refused[why as usize].get()
    }
}
