//! The board cut into a grid of equal regions, one an agent.
//!
//! Regions are numbered from 1, row by row from the north-west: in a grid of 4 × 4, region 1 is the north-western corner,
//! region 4 the north-eastern, region 16 the south-eastern one.

use crate::advance::Dead;
use crate::board::{Board, MAX_HALO};

/// A side or corner of a region's halo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Side {
    /// North.
    N = 0,
    /// North-east.
    NE = 1,
    /// East.
    E = 2,
    /// South-east.
    SE = 3,
    /// South.
    S = 4,
    /// South-west.
    SW = 5,
    /// West.
    W = 6,
    /// North-west.
    NW = 7,
}

impl Side {
    /// All sides, clockwise from the north; a side's index is its number.
    pub const ALL: [Side; 8] = [Side::N, Side::NE, Side::E, Side::SE, Side::S, Side::SW, Side::W, Side::NW];

    /// Regions to the east and to the south that the side is away: -1, 0 or 1 each.
    pub fn direction(self) -> (isize, isize) {
        match self {
            Side::N => (0, -1),
            Side::NE => (1, -1),
            Side::E => (1, 0),
            Side::SE => (1, 1),
            Side::S => (0, 1),
            Side::SW => (-1, 1),
            Side::W => (-1, 0),
            Side::NW => (-1, -1),
        }
    }

    /// The side across.
    pub fn opposite(self) -> Side {
        Side::ALL[(self as usize + 4) % 8]
    }

    /// The side's bit in a set of sides.
    pub fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The whole board's measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Regions from west to east.
    pub columns: u32,
    /// Regions from north to south.
    pub rows: u32,
    /// Cells of a region from west to east.
    pub width: usize,
    /// Cells of a region from north to south.
    pub height: usize,
    /// Whether opposite edges of the whole board meet; else what lies beyond them is dead.
    pub torus: bool,
    /// Cells that a region knows of its neighbours, and so the generations between two exchanges.
    pub halo: usize,
}

/// What is wrong with a layout or a region.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// No such region.
    #[error("region={region}: a board of {columns}x{rows} has regions 1 to {last}")]
    Region {
        /// The number asked for.
        region: u32,
        /// Regions from west to east.
        columns: u32,
        /// Regions from north to south.
        rows: u32,
        /// The last region's number.
        last: u32,
    },
    /// The halo is wider than a region, or than a halo can be.
    #[error("halo={halo}: from 1 to {MAX_HALO} cells, and no wider or higher than a region of {width}x{height} cells")]
    Halo {
        /// The width asked for.
        halo: usize,
        /// A region's width.
        width: usize,
        /// A region's height.
        height: usize,
    },
}

impl Layout {
    /// How many regions there are.
    pub fn regions(&self) -> u32 {
        self.columns * self.rows
    }

    /// Checks the halo and that there is a region of this number.
    pub fn check(&self, region: u32) -> Result<(), LayoutError> {
        let Layout { columns, rows, width, height, halo, .. } = *self;
        if !(1..=self.regions()).contains(&region) {
            return Err(LayoutError::Region { region, columns, rows, last: self.regions() });
        }
        let fits = (1..=MAX_HALO.min(width).min(height)).contains(&halo);
        if fits { Ok(()) } else { Err(LayoutError::Halo { halo, width, height }) }
    }

    /// A dead board of a region's measures; `None` where the halo does not fit.
    pub fn board(&self) -> Option<Board> {
        Board::new(self.width, self.height, self.halo)
    }

    /// Column and row of a region in the grid, from 0.
    fn place(&self, region: u32) -> (u32, u32) {
        ((region - 1) % self.columns, (region - 1) / self.columns)
    }

    /// Column and row of a region's first cell on the whole board.
    pub fn origin(&self, region: u32) -> (usize, usize) {
        let (column, row) = self.place(region);
        (column as usize * self.width, row as usize * self.height)
    }

    /// The region on a side of `region`, itself where the board is one region wide; `None` beyond a dead edge.
    pub fn neighbour(&self, region: u32, side: Side) -> Option<u32> {
        let (column, row) = self.place(region);
        let (east, south) = side.direction();
        let (columns, rows) = (self.columns as isize, self.rows as isize);
        let (column, row) = (column as isize + east, row as isize + south);
        let inside = (0..columns).contains(&column) && (0..rows).contains(&row);
        let (column, row) = (column.rem_euclid(columns), row.rem_euclid(rows));
        (inside || self.torus).then(|| (row * columns + column) as u32 + 1)
    }

    /// The sides of a region beyond which all is dead.
    pub fn dead(&self, region: u32) -> Dead {
        let none = |side| self.neighbour(region, side).is_none();
        Dead { north: none(Side::N), south: none(Side::S), west: none(Side::W), east: none(Side::E) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Layout = Layout { columns: 4, rows: 4, width: 10, height: 10, torus: true, halo: 2 };

    #[test]
    fn regions_are_numbered_row_by_row_from_the_north_west() {
        assert_eq!(GRID.origin(1), (0, 0));
        assert_eq!(GRID.origin(4), (30, 0));
        assert_eq!(GRID.origin(5), (0, 10));
        assert_eq!(GRID.origin(16), (30, 30));
        assert_eq!(Side::ALL.map(|side| GRID.neighbour(6, side)), [2, 3, 7, 11, 10, 9, 5, 1].map(Some));
        assert_eq!(Side::ALL.map(|side| GRID.neighbour(1, side)), [13, 14, 2, 6, 5, 8, 4, 16].map(Some));
    }

    #[test]
    fn neighbours_know_each_other() {
        for (columns, rows, torus) in [(1, 1, true), (2, 2, true), (3, 1, false), (4, 4, false)] {
            let layout = Layout { columns, rows, torus, ..GRID };
            for (region, side) in (1..=layout.regions()).flat_map(|region| Side::ALL.map(|side| (region, side))) {
                if let Some(other) = layout.neighbour(region, side) {
                    assert_eq!(layout.neighbour(other, side.opposite()), Some(region));
                }
            }
        }
        let dead = Layout { torus: false, ..GRID };
        assert_eq!(dead.dead(1), Dead { north: true, south: false, west: true, east: false });
        assert_eq!(GRID.dead(1), Dead::NONE);
    }

    #[test]
    fn a_region_off_the_board_is_named_with_those_there_are() {
        for region in [0, 17] {
            let error = GRID.check(region).unwrap_err().to_string();
            assert_eq!(error, format!("region={region}: a board of 4x4 has regions 1 to 16"));
        }
        let error = Layout { halo: 11, ..GRID }.check(1).unwrap_err().to_string();
        assert!(error.starts_with("halo=11: from 1 to 64 cells"), "{error}");
    }
}
