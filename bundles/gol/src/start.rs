//! Generation 0: the same for every agent of a run, each taking the cells of its own region.

use crate::board::{Board, mix};
use crate::decomposition::Layout;
use crate::pattern::{Pattern, PatternError};
use std::path::Path;

/// What the whole board begins as.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A pattern, its north-western corner at a column and a row of the whole board.
    Pattern(Pattern, isize, isize),
    /// Each cell alive with a chance of a third, by the seed and its place.
    Random(u64),
}

/// Why there is nothing to begin with.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// `random:` without a number.
    #[error("pattern={0}: give random:SEED, a number")]
    Seed(String),
    /// A file that can't be read.
    #[error("pattern={path}: read it: {error}")]
    Read {
        /// The file.
        path: String,
        /// The kernel's answer.
        error: std::io::Error,
    },
    /// A malformed pattern.
    #[error("pattern={pattern}: {error}")]
    Pattern {
        /// `pattern=` as written.
        pattern: String,
        /// What is wrong.
        error: PatternError,
    },
    /// A pattern that is not wholly on the board.
    #[error(
        "pattern={pattern}: {width}x{height} cells at {x},{y} are not all on a board of {board_width}x{board_height} cells"
    )]
    OffBoard {
        /// `pattern=` as written.
        pattern: String,
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
        /// Column of its corner.
        x: isize,
        /// Row of its corner.
        y: isize,
        /// The whole board's width.
        board_width: usize,
        /// The whole board's height.
        board_height: usize,
    },
}

impl Origin {
    /// From `pattern=` and `at=`: a pattern's name, a file, or `random:SEED`; in the board's middle unless `at` is given.
    pub fn new(pattern: &str, at: Option<(isize, isize)>, layout: &Layout) -> Result<Self, OriginError> {
        if let Some(seed) = pattern.strip_prefix("random:") {
            return seed.parse().map(Origin::Random).map_err(|_| OriginError::Seed(pattern.into()));
        }
        let failed = |error| OriginError::Pattern { pattern: pattern.into(), error };
        let found = if Path::new(pattern).components().count() > 1 || pattern.contains('.') {
            let text = std::fs::read_to_string(pattern);
            Pattern::parse(&text.map_err(|error| OriginError::Read { path: pattern.into(), error })?)
        } else {
            Pattern::named(pattern)
        };
        let found = found.map_err(failed)?;
        let (width, height) = (found.width(), found.height());
        let (board_width, board_height) =
            (layout.columns as usize * layout.width, layout.rows as usize * layout.height);
        let middle = |board: usize, pattern: usize| (board as isize - pattern as isize) / 2;
        let (x, y) = at.unwrap_or((middle(board_width, width), middle(board_height, height)));
        let fits = |at: isize, size: usize, board: usize| at >= 0 && at as usize + size <= board;
        if !fits(x, width, board_width) || !fits(y, height, board_height) {
            let pattern = pattern.into();
            return Err(OriginError::OffBoard { pattern, width, height, x, y, board_width, board_height });
        }
        Ok(Origin::Pattern(found, x, y))
    }

    /// Brings a region's cells of generation 0 to life.
    pub fn place(&self, layout: &Layout, region: u32, board: &mut Board) {
        let (west, north) = layout.origin(region);
        match self {
            Origin::Pattern(pattern, x, y) => pattern.place(board, x - west as isize, y - north as isize),
            Origin::Random(seed) => {
                for (x, y) in (0..layout.height).flat_map(|y| (0..layout.width).map(move |x| (x, y))) {
                    let place = ((north + y) as u64) << 32 | (west + x) as u64;
                    board.set_cell(x as isize, y as isize, mix(mix(*seed) ^ place) % 3 == 0);
                }
            }
        }
    }

    /// A number that differs between runs whose boards could not be put together.
    pub fn run(&self, layout: &Layout) -> u64 {
        let Layout { columns, rows, width, height, torus, halo } = *layout;
        let numbers =
            [columns as usize, rows as usize, width, height, usize::from(torus), halo].map(|number| number as u64);
        let fold = |run: u64, number: u64| mix(run ^ number);
        let measures = numbers.into_iter().fold(1, fold);
        match self {
            Origin::Random(seed) => fold(fold(measures, 1), *seed),
            Origin::Pattern(pattern, x, y) => {
                let place = [2, *x as u64, *y as u64].into_iter().fold(measures, fold);
                pattern.cells().fold(place, |run, (x, y)| fold(fold(run, x as u64), y as u64))
            }
        }
    }
}
