//! Several generations in one pass over a board.
//!
//! A halo of `w` cells carries `w` generations. They are computed as a wavefront: a band of rows goes through every
//! generation while it is in the cache, each generation two rows behind the one before, so that the board itself is read
//! and written once a pass and not once a generation. The result is written over the board, behind what is still read.

use crate::board::{Board, Geometry, Rows};
use crate::kernel::Kernel;
use std::ops::Range;

/// Bytes of one generation's rows in a band: two of them fit a first-level cache of 32 KiB.
const BAND_BYTES: usize = 14 * 1024;

/// Sides beyond which there are no cells, and none are ever born.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dead {
    /// No cells north of row 0.
    pub north: bool,
    /// No cells south of the last row.
    pub south: bool,
    /// No cells west of column 0.
    pub west: bool,
    /// No cells east of the last column.
    pub east: bool,
}

impl Dead {
    /// Dead on all sides.
    pub const ALL: Dead = Dead { north: true, south: true, west: true, east: true };
    /// Dead on none: a neighbour on each.
    pub const NONE: Dead = Dead { north: false, south: false, west: false, east: false };

    /// Kills what lies beyond dead sides in `rows`, of which the first is row `y` of a board of `width` × `height`.
    fn kill(self, rows: &mut [u64], y: isize, board: &Geometry) {
        if self == Dead::NONE {
            return;
        }
        for (row, y) in rows.chunks_exact_mut(board.stride).zip(y..) {
            if self.north && y < 0 || self.south && y >= board.height as isize {
                row.fill(0);
            }
            if self.west {
                board.clear_west(row);
            }
            if self.east {
                board.clear_east(row);
            }
        }
    }
}

/// What advances boards of one geometry: a kernel and the rows in flight, allocated once.
pub struct Stepper {
    kernel: Kernel,
    dead: Dead,
    geometry: Geometry,
    /// Rows of generation 0 taken in at a time.
    band: usize,
    /// Rows of each generation but the last that the next generation still needs.
    levels: Vec<Rows>,
}

impl Stepper {
    /// For boards of `board`'s geometry, at most `board.halo()` generations at a time.
    pub fn new(board: &Board, kernel: Kernel, dead: Dead) -> Self {
        let band = (BAND_BYTES / (board.geometry().stride * 8)).clamp(4, 64);
        let levels = (0..board.halo()).map(|_| Rows::new(band + 2, board.geometry().stride)).collect();
        Stepper { kernel, dead, geometry: board.geometry(), band, levels }
    }

    /// Advances `board` by `generations`, and `spare` cells of the halo with it: together at most the halo's width. That
    /// much of the halo must hold the neighbours' cells of now; afterwards it holds `spare` cells of them, and nothing of
    /// use beyond. Halos on dead sides are taken as dead.
    pub fn advance(&mut self, board: &mut Board, generations: usize, spare: usize) {
        assert!(generations + spare <= self.levels.len() && board.geometry() == self.geometry);
        if generations == 0 {
            return;
        }
        // Row i of generation t is the board's row i - (reach - t), and follows from rows i to i + 2 of t - 1.
        let reach = generations + spare;
        let rows = board.height() + 2 * reach;
        let mut read = 0;
        while read < rows {
            let before = read;
            read = (before + self.band).min(rows);
            self.read(board, reach, before, read);
            for t in 1..=generations {
                self.compute(board, t, generations, reach, before..read);
            }
        }
    }

    /// Takes rows `before` to `read` of generation 0 from the board.
    fn read(&mut self, board: &Board, reach: usize, before: usize, read: usize) {
        let y = before as isize - reach as isize;
        let target = self.levels[0].rows_mut(before - done(1, before), read - before);
        target.copy_from_slice(board.rows(y, read - before));
        self.dead.kill(target, y, &board.geometry());
    }

    /// Computes the rows of generation `t` that follow from the rows of generation 0 just read; into the board when it is
    /// the last one. Forgets the rows of the generation before that are needed no more.
    fn compute(&mut self, board: &mut Board, t: usize, last: usize, reach: usize, read: Range<usize>) {
        let Range { start: before, end: read } = read;
        let (from, to) = (done(t, before), done(t, read));
        let geometry = board.geometry();
        let y = from as isize - (reach - t) as isize;
        let (sources, targets) = self.levels.split_at_mut(t);
        let source = &mut sources[t - 1];
        if from < to {
            let target = match targets.first_mut() {
                Some(level) if t < last => level.rows_mut(from - done(t + 1, before), to - from),
                _ => board.rows_mut(y, to - from),
            };
            self.kernel.band(source.with_neighbours(0, to - from + 2), target, geometry.stride, to - from);
            self.dead.kill(target, y, &geometry);
        }
        source.keep(to - from, done(t - 1, read) - to);
    }
}

/// How many rows of generation `t` are done when `read` rows of generation 0 are.
fn done(t: usize, read: usize) -> usize {
    read.saturating_sub(2 * t)
}
