//! Which cells of a region are certainly right when halos were missing.

use crate::decomposition::Side;
use std::fmt;

/// Cells from each side that may be wrong. What is uncertain spreads by a cell a generation, and is never certain again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    width: usize,
    height: usize,
    north: usize,
    east: usize,
    south: usize,
    west: usize,
}

impl Trust {
    /// All cells of a region are right.
    pub fn new(width: usize, height: usize) -> Self {
        Trust { width, height, north: 0, east: 0, south: 0, west: 0 }
    }

    /// None is.
    pub fn lose(&mut self) {
        self.north = self.height;
    }

    /// Takes into account that `generations` were computed with what came in on `wrong` sides not being right.
    pub fn spread(&mut self, wrong: u8, generations: usize) {
        let touches = |sides: [Side; 3]| sides.iter().any(|side| wrong & side.bit() != 0);
        for (margin, sides) in [
            (&mut self.north, [Side::NW, Side::N, Side::NE]),
            (&mut self.south, [Side::SW, Side::S, Side::SE]),
            // a corner that is wrong is part of its northern or southern side already
            (&mut self.west, [Side::W; 3]),
            (&mut self.east, [Side::E; 3]),
        ] {
            if *margin > 0 || touches(sides) {
                *margin += generations;
            }
        }
    }

    /// Whether all cells are right.
    pub fn is_exact(&self) -> bool {
        [self.north, self.east, self.south, self.west] == [0; 4]
    }

    /// Width and height of the rectangle of cells that are right.
    fn size(&self) -> (usize, usize) {
        (self.width.saturating_sub(self.west + self.east), self.height.saturating_sub(self.north + self.south))
    }

    /// How many cells are right.
    pub fn cells(&self) -> usize {
        let (width, height) = self.size();
        width * height
    }
}

impl fmt::Display for Trust {
    /// The rectangle as `WxH+X+Y`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size() {
            (0, _) | (_, 0) => write!(f, "none"),
            (width, height) => write!(f, "{width}x{height}+{}+{}", self.west, self.north),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uncertainty_spreads_and_stays() {
        let mut trust = Trust::new(100, 50);
        trust.spread(0, 8);
        assert!(trust.is_exact());
        trust.spread(Side::W.bit() | Side::SE.bit(), 2);
        assert_eq!(trust.to_string(), "98x48+2+0");
        trust.spread(0, 2);
        assert_eq!((trust.to_string().as_str(), trust.cells()), ("96x46+4+0", 96 * 46));
        trust.lose();
        assert_eq!((trust.to_string().as_str(), trust.cells()), ("none", 0));
    }
}
