//! One region through time: release, exchange, compute, again.

pub mod clock;
pub mod exchange;
pub mod measures;
pub mod report;
pub mod trust;

use crate::advance::Stepper;
use crate::board::Board;
use crate::params::{Params, Policy, Start};
use crate::start::Origin;
use crate::transport::Transport;
use exchange::{Exchange, ExchangeError};
use report::Event;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use trust::Trust;

/// How long a board stands still until that is said, and said again.
const COMPLAIN: Duration = Duration::from_secs(1);

/// A region and its exchange with the neighbours.
pub struct Agent<'a, T> {
    params: &'a Params,
    board: Board,
    stepper: Stepper,
    exchange: Exchange<T>,
    trust: Trust,
    generation: u64,
    /// CLOCK_REALTIME of generation 0's release.
    start: u64,
    stop: &'a AtomicBool,
}

impl<'a, T: Transport> Agent<'a, T> {
    /// The region at generation 0. `board` is of the region's measures, with its cells of generation 0.
    pub fn new(params: &'a Params, board: Board, exchange: Exchange<T>, stop: &'a AtomicBool) -> Self {
        let stepper = Stepper::new(&board, params.kernel, params.layout.dead(params.region));
        let trust = Trust::new(params.layout.width, params.layout.height);
        exchange.measures.trusted.set(trust.cells() as f64);
        Agent { params, board, stepper, exchange, trust, generation: 0, start: 0, stop }
    }

    /// Computes until the last generation or until `stop` is set. Returns the board and whether all its cells are right.
    pub fn run(mut self) -> Result<(Board, bool), ExchangeError> {
        self.settle_start()?;
        while !self.stop.load(Relaxed) && !self.is_last() {
            if self.is_checked() {
                self.check();
            }
            if !self.release() {
                continue;
            }
            let halo = self.params.layout.halo as u64;
            if self.generation % halo == 0 && !self.exchange_halos()? {
                continue;
            }
            self.compute();
        }
        let stopped = self.stop.load(Relaxed);
        self.check();
        let stay = self.params.policy == Policy::Stall && !stopped;
        self.exchange.close(self.generation, stay, self.params.retry)?;
        Ok((self.board, self.trust.is_exact()))
    }

    fn is_last(&self) -> bool {
        self.params.generations > 0 && self.generation >= self.params.generations
    }

    fn is_checked(&self) -> bool {
        self.params.check > 0 && self.generation % self.params.check == 0
    }

    /// Tells the hash of the cells now.
    fn check(&mut self) {
        let (x, y) = self.params.layout.origin(self.params.region);
        let hash = self.board.hash(x as u64, y as u64);
        let event =
            Event::Check { generation: self.generation, hash, population: self.board.population(), trust: self.trust };
        // Without a deadline a check may wait to be told; with one it may not.
        while !self.exchange.notices.tell(event) && self.params.period.is_zero() {
            std::thread::yield_now();
        }
    }

    /// Settles T0; joins those who are past it, at the generation that comes next.
    fn settle_start(&mut self) -> Result<(), ExchangeError> {
        let now = clock::now();
        let period = clock::nanos(self.params.period);
        self.start = match self.params.start {
            _ if period == 0 => now,
            Start::At(at) => at,
            Start::In(patience) => now + clock::nanos(patience),
            Start::Agreed(patience) => self.exchange.agree(now + clock::nanos(patience), self.stop)?,
        };
        if period == 0 || self.params.policy == Policy::Stall || self.stop.load(Relaxed) {
            return Ok(());
        }
        if matches!(self.params.start, Start::Agreed(_)) {
            self.give_up_silent();
        }
        // Who wakes a little late for generation 0 catches up; who started after it can't.
        if self.start < now {
            let over = clock::now().saturating_sub(self.start) / period;
            self.generation = (over + 1).next_multiple_of(self.params.layout.halo as u64);
            self.trust.lose();
            self.exchange.notices.tell(Event::Joined(self.generation));
        }
        Ok(())
    }

    /// CLOCK_REALTIME of a generation's release.
    fn released(&self, generation: u64) -> u64 {
        self.start.saturating_add(generation.saturating_mul(clock::nanos(self.params.period)))
    }

    /// Waits for this generation's release; `false` when a signal came first.
    fn release(&mut self) -> bool {
        if self.params.period.is_zero() {
            return true;
        }
        match clock::sleep_until(self.released(self.generation)) {
            Some(late) => self.exchange.measures.release_jitter.observe(late),
            None => return false,
        }
        true
    }

    /// Exchanges this generation's halos and fills the board's; `false` when told to stop meanwhile.
    fn exchange_halos(&mut self) -> Result<bool, ExchangeError> {
        let begin = Instant::now();
        self.exchange.post(&self.board, self.generation, !self.trust.is_exact())?;
        let missing = match self.params.policy {
            Policy::Stall => self.stall()?,
            Policy::Reuse | Policy::Stale => self.wait_until_deadline()?,
        };
        if self.stop.load(Relaxed) {
            return Ok(false);
        }
        let wrong = self.exchange.fill(&mut self.board, missing);
        self.exchange.measures.halo_round.observe(begin.elapsed());
        match self.params.policy {
            Policy::Reuse if wrong != 0 => self.trust.lose(),
            _ => self.trust.spread(wrong, self.params.layout.halo),
        }
        Ok(true)
    }

    /// Waits for every neighbour, asking again and again. A deadline that passes meanwhile is a miss.
    fn stall(&mut self) -> Result<u8, ExchangeError> {
        let retry = clock::nanos(self.params.retry);
        let period = clock::nanos(self.params.period);
        let deadline = self.released(self.generation) + clock::nanos(self.params.deadline);
        let (mut missed, mut complained) = (period == 0, Instant::now());
        let all = self.exchange.all();
        let mut until = clock::now() + retry;
        loop {
            let missing = self.exchange.collect(all, until)?;
            if !missed && clock::now() > deadline {
                missed = true;
                self.exchange.measures.halo_misses.inc();
            }
            if missing == 0 || self.stop.load(Relaxed) {
                return Ok(missing);
            }
            if clock::now() < until {
                continue;
            }
            until = clock::now() + retry;
            self.exchange.ask(missing)?;
            if complained.elapsed() > COMPLAIN {
                complained = Instant::now();
                let regions = self.exchange.regions(missing);
                self.exchange.notices.tell(Event::Waiting { generation: self.generation, regions });
            }
        }
    }

    /// Waits for the neighbours that are there, until the deadline. Returns all sides that are missing then.
    fn wait_until_deadline(&mut self) -> Result<u8, ExchangeError> {
        self.exchange.hear()?;
        let deadline = self.released(self.generation) + clock::nanos(self.params.deadline);
        loop {
            let missing = self.exchange.collect(self.exchange.present(), deadline)?;
            if missing != 0 && clock::now() < deadline && !self.stop.load(Relaxed) {
                continue;
            }
            if missing != 0 {
                self.exchange.measures.halo_misses.inc();
                self.give_up_silent();
            }
            let all = self.exchange.missing(self.exchange.all());
            let absent = all & !self.exchange.present();
            self.exchange.measures.absent.inc_by(absent.count_ones().into());
            return Ok(all);
        }
    }

    /// Waits no more for neighbours that have never been heard of, and says so.
    fn give_up_silent(&mut self) {
        let absent = self.exchange.give_up_silent();
        if absent != 0 {
            let regions = self.exchange.regions(absent);
            self.exchange.notices.tell(Event::Absent(regions));
        }
    }

    /// Computes up to the next exchange, release, check or end, whichever is first.
    fn compute(&mut self) {
        let halo = self.params.layout.halo as u64;
        let used = self.generation % halo;
        let mut steps = if self.params.period.is_zero() { halo - used } else { 1 };
        if self.params.generations > 0 {
            steps = steps.min(self.params.generations - self.generation);
        }
        if self.params.check > 0 {
            steps = steps.min(self.params.check - self.generation % self.params.check);
        }
        let begin = Instant::now();
        self.stepper.advance(&mut self.board, steps as usize, (halo - used - steps) as usize);
        let measures = &self.exchange.measures;
        measures.compute.observe(begin.elapsed());
        self.generation += steps;
        measures.generation.set(self.generation as f64);
        measures.trusted.set(self.trust.cells() as f64);
        if !self.params.period.is_zero() && clock::now() > self.released(self.generation) {
            measures.compute_misses.inc();
        }
    }
}

/// A region's first board.
pub fn first_board(params: &Params, origin: &Origin) -> Option<Board> {
    let mut board = params.layout.board()?;
    origin.place(&params.layout, params.region, &mut board);
    Some(board)
}
