//! Patterns: a handful of cells from a file, a name or a seed, and back to a file.

mod plaintext;
mod rle;

use crate::board::Board;

/// The largest side of a pattern, in cells.
pub const MAX_SIDE: usize = 1 << 20;
/// The most living cells of a pattern.
const MAX_CELLS: usize = 1 << 26;

/// The patterns that have a name, in RLE.
const NAMED: [(&str, &str); 7] = [
    ("acorn", "bo$3bo$2o2b3o!"),
    ("blinker", "3o!"),
    ("block", "2o$2o!"),
    ("glider", "bo$2bo$3o!"),
    (
        "gosper-gun",
        "24bo$22bobo$12b2o6b2o12b2o$11bo3bo4b2o12b2o$2o8bo5bo3b2o$2o8bo3bob2o4bobo$10bo5bo7bo$11bo3bo$12b2o!",
    ),
    ("lwss", "bo2bo$o$o3bo$4o!"),
    ("r-pentomino", "b2o$2o$bo!"),
];

/// What is wrong with a pattern.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A character that the format does not have.
    #[error("line {line}, column {column}: `{found}` is no part of a pattern ({expected})")]
    Character {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The character.
        found: char,
        /// What may stand there.
        expected: &'static str,
    },
    /// The file's rule is not Conway's.
    #[error("line {line}: rule {rule}: only Conway's B3/S23 is computed here")]
    Rule {
        /// Line, from 1.
        line: usize,
        /// The rule as written.
        rule: String,
    },
    /// Larger than [`MAX_SIDE`] or with more cells than can be held.
    #[error("line {line}: the pattern is larger than {MAX_SIDE} cells a side or {MAX_CELLS} living cells")]
    TooLarge {
        /// Line, from 1.
        line: usize,
    },
    /// An RLE without its closing `!`: a part of the file is missing.
    #[error("the RLE ends without `!`: a part of it is missing")]
    Unfinished,
    /// No pattern has this name.
    #[error("no pattern is named {0}; named are {list}, or give a file's path, or random:SEED", list = names())]
    Name(String),
}

fn names() -> String {
    NAMED.map(|(name, _)| name).join(", ")
}

/// Living cells, relative to the pattern's north-west corner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// Column and row of each living cell, row by row.
    cells: Vec<(usize, usize)>,
}

impl Pattern {
    /// A pattern by its name.
    pub fn named(name: &str) -> Result<Self, PatternError> {
        let (_, text) =
            NAMED.iter().find(|(known, _)| *known == name).ok_or_else(|| PatternError::Name(name.into()))?;
        rle::parse(text)
    }

    /// Reads RLE or plaintext: plaintext is what has no RLE header and only `.`, `O`, `*` and comments beginning with `!`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("!");
        if first.starts_with(['!', '.', 'O', '*']) { plaintext::parse(text) } else { rle::parse(text) }
    }

    /// The cells of a board that live.
    pub fn of(board: &Board) -> Self {
        let mut cells = Vec::new();
        for y in 0..board.height() {
            for (word, mut bits) in board.row_words(y).enumerate() {
                while bits != 0 {
                    cells.push((word * 64 + bits.trailing_zeros() as usize, y));
                    bits &= bits - 1;
                }
            }
        }
        Pattern { cells }
    }

    /// As RLE, lines of at most 70 characters.
    pub fn to_rle(&self) -> String {
        rle::write(self)
    }

    /// As plaintext (`.cells`).
    pub fn to_plaintext(&self) -> String {
        plaintext::write(self)
    }

    /// Cells from west to east.
    pub fn width(&self) -> usize {
        self.cells.iter().map(|(x, _)| x + 1).max().unwrap_or(0)
    }

    /// Cells from north to south.
    pub fn height(&self) -> usize {
        self.cells.last().map_or(0, |(_, y)| y + 1)
    }

    /// Column and row of each living cell, row by row.
    pub fn cells(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.cells.iter().copied()
    }

    /// Brings the pattern's cells to life, its corner at column `x`, row `y`; cells off the board are left out.
    pub fn place(&self, board: &mut Board, x: isize, y: isize) {
        for (dx, dy) in &self.cells {
            let (x, y) = (x + *dx as isize, y + *dy as isize);
            if (0..board.width() as isize).contains(&x) && (0..board.height() as isize).contains(&y) {
                board.set_cell(x, y, true);
            }
        }
    }

    /// Appends `count` living cells from (`x`, `y`) eastwards, within the limits of a pattern.
    fn push(&mut self, x: usize, y: usize, count: usize, line: usize) -> Result<(), PatternError> {
        if x.saturating_add(count) > MAX_SIDE || y >= MAX_SIDE || self.cells.len() + count > MAX_CELLS {
            return Err(PatternError::TooLarge { line });
        }
        self.cells.extend((x..x + count).map(|x| (x, y)));
        Ok(())
    }
}
