//! The rule by the book, a byte a cell: what the kernels are checked against, and the baseline of their speed.

/// A board of a byte a cell, 0 or 1, with a border of one cell.
pub struct Naive {
    width: usize,
    height: usize,
    torus: bool,
    cells: Vec<u8>,
    next: Vec<u8>,
}

impl Naive {
    /// A dead board, a torus or with dead cells around it.
    pub fn new(width: usize, height: usize, torus: bool) -> Self {
        let cells = vec![0; (width + 2) * (height + 2)];
        Naive { width, height, torus, next: cells.clone(), cells }
    }

    /// The cell at column `x`, row `y`.
    pub fn cell(&self, x: usize, y: usize) -> bool {
        self.cells[(y + 1) * (self.width + 2) + x + 1] != 0
    }

    /// Sets the cell at column `x`, row `y`.
    pub fn set_cell(&mut self, x: usize, y: usize, alive: bool) {
        self.cells[(y + 1) * (self.width + 2) + x + 1] = u8::from(alive);
    }

    /// Advances by one generation.
    pub fn step(&mut self) {
        let (width, height, stride) = (self.width, self.height, self.width + 2);
        if self.torus {
            for y in 1..=height {
                self.cells[y * stride] = self.cells[y * stride + width];
                self.cells[y * stride + width + 1] = self.cells[y * stride + 1];
            }
            self.cells.copy_within(height * stride..(height + 1) * stride, 0);
            self.cells.copy_within(stride..2 * stride, (height + 1) * stride);
        }
        for y in 1..=height {
            let above = &self.cells[(y - 1) * stride..y * stride];
            let here = &self.cells[y * stride..(y + 1) * stride];
            let below = &self.cells[(y + 1) * stride..(y + 2) * stride];
            let next = &mut self.next[y * stride..(y + 1) * stride];
            for x in 1..=width {
                let neighbours = above[x - 1]
                    + above[x]
                    + above[x + 1]
                    + here[x - 1]
                    + here[x + 1]
                    + below[x - 1]
                    + below[x]
                    + below[x + 1];
                next[x] = u8::from(neighbours == 3) | u8::from(neighbours == 2) & here[x];
            }
        }
        std::mem::swap(&mut self.cells, &mut self.next);
    }
}
