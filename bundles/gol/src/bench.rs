//! `gol-agent bench`: what a kernel does on this core, and the bounds it could do no better than.

use crate::advance::{Dead, Stepper};
use crate::board::{Board, Words};
use crate::kernel::{BLOCK, Kernel};
use crate::naive::Naive;
use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long a thing is repeated; the fastest repetition counts, since whatever disturbs can only slow it down.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Rows of the band that stays in the first-level cache.
const CACHED_ROWS: usize = 8;
/// Words a row of that band.
const CACHED_STRIDE: usize = 16 * BLOCK;

/// One kernel's speed on a torus, and its bounds, in cells a second.
pub struct Speed {
    /// The kernel.
    pub kernel: Kernel,
    /// Cells a side of the torus.
    pub side: usize,
    /// Generations a pass over the board.
    pub generations: usize,
    /// Reached.
    pub cells: f64,
    /// The same kernel over and over on a band in the first-level cache: no better without fewer instructions.
    pub cached: f64,
    /// The board copied onto itself once every `generations`: no better without a larger cache.
    pub memory: f64,
    /// The core's clock while this was measured, in Hz.
    pub clock: f64,
}

/// The shortest of many calls of `work`.
fn fastest(mut work: impl FnMut()) -> Duration {
    work();
    let start = Instant::now();
    let mut best = Duration::MAX;
    while start.elapsed() < PATIENCE {
        let call = Instant::now();
        work();
        best = best.min(call.elapsed());
    }
    best
}

impl Speed {
    /// Measures `kernel` on a torus of `side` × `side` random cells, `generations` a pass. `None` where the board can't be.
    pub fn measure(kernel: Kernel, side: usize, generations: usize) -> Option<Self> {
        let mut board = soup(side, generations)?;
        let mut stepper = Stepper::new(&board, kernel, Dead::NONE);
        let pass = fastest(|| {
            board.wrap();
            stepper.advance(&mut board, generations, 0);
        });
        let cells = (side * side) as f64;
        Some(Speed {
            kernel,
            side,
            generations,
            cells: cells * generations as f64 / pass.as_secs_f64(),
            cached: cached(kernel),
            memory: cells * generations as f64 / copy(side * side / 64).as_secs_f64(),
            clock: clock(),
        })
    }

    /// The lesser of the two bounds.
    pub fn bound(&self) -> f64 {
        self.cached.min(self.memory)
    }

    /// Vector operations (shifts, logic) that the core completed a cycle.
    pub fn operations_a_cycle(&self) -> f64 {
        self.cells / self.clock / self.kernel.cells_an_operation()
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Speed { side, generations, .. } = self;
        let [cells, cached, memory, clock] =
            [self.cells, self.cached, self.memory, self.clock].map(|value| value / 1e9);
        write!(
            f,
            "{:<9}{side}² torus, {generations:>2} generations a pass: {cells:7.1} Gcell/s, {:4.0} % of the bound (in the \
             first-level cache {cached:.1}, memory {memory:.1}); {:.1} vector operations a cycle at {clock:.2} GHz",
            self.kernel.name(),
            self.cells / self.bound() * 100.0,
            self.operations_a_cycle(),
        )
    }
}

/// Cells a second of the loop by the book, a byte a cell.
pub fn naive(side: usize) -> f64 {
    let mut board = Naive::new(side, side, true);
    for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
        board.set_cell(x, y, crate::board::mix((y << 32 | x) as u64) % 3 == 0);
    }
    (side * side) as f64 / fastest(|| board.step()).as_secs_f64()
}

fn soup(side: usize, halo: usize) -> Option<Board> {
    let mut board = Board::new(side, side, halo)?;
    for (x, y) in (0..side).flat_map(|y| (0..side).step_by(64).map(move |x| (x, y))) {
        let random = crate::board::mix((y << 32 | x) as u64);
        board.set_bits(x as isize, y as isize, (side - x).min(64), random & random.rotate_left(17));
    }
    Some(board)
}

/// Cells a second of a kernel that reads and writes the first-level cache only.
fn cached(kernel: Kernel) -> f64 {
    let mut source = Words::new((CACHED_ROWS + 2) * CACHED_STRIDE + 2 * BLOCK);
    let mut target = Words::new(CACHED_ROWS * CACHED_STRIDE);
    source.get_mut().iter_mut().zip(0..).for_each(|(word, index)| *word = crate::board::mix(index));
    let calls = 1000;
    let time = fastest(|| {
        for _ in 0..calls {
            kernel.band(black_box(&source.get()[BLOCK - 1..]), target.get_mut(), CACHED_STRIDE, CACHED_ROWS);
        }
    });
    (CACHED_ROWS * CACHED_STRIDE * 64 * calls) as f64 / time.as_secs_f64()
}

/// How long it takes to read and to write `words` words once.
fn copy(words: usize) -> Duration {
    let mut board = Words::new(words);
    board.get_mut().fill(1);
    let mut band = vec![0; 16 * 1024 / 8];
    fastest(|| {
        for rows in board.get_mut().chunks_mut(band.len()) {
            band[..rows.len()].copy_from_slice(rows);
            black_box(&mut band);
            rows.copy_from_slice(&band[..rows.len()]);
        }
    })
}

/// The core's clock in Hz, from a chain of rotations and additions of one cycle each.
fn clock() -> f64 {
    let steps = 1_000_000u64;
    let mut value = black_box(1u64);
    let time = fastest(|| {
        for _ in 0..steps {
            value = value.rotate_left(7) ^ 0x9e37_79b9;
        }
        black_box(value);
    });
    2.0 * steps as f64 / time.as_secs_f64()
}
