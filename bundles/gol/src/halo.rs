//! A region's edges to bytes, and a neighbour's bytes into the halo.
//!
//! A strip is written row by row, each row's cells from the west in little-endian bits, rounded up to whole bytes.

use crate::board::Board;
use crate::decomposition::Side;

/// First cell and count of cells, along one axis.
pub type Span = (isize, usize);

/// Along one axis: where the strip towards `direction` (-1, 0, 1) lies in the halo.
fn halo_span(direction: isize, cells: usize, halo: usize) -> Span {
    match direction {
        -1 => (-(halo as isize), halo),
        0 => (0, cells),
        _ => (cells as isize, halo),
    }
}

/// Along one axis: where the cells lie that the neighbour towards `direction` needs.
fn edge_span(direction: isize, cells: usize, halo: usize) -> Span {
    match direction {
        -1 => (0, halo),
        0 => (0, cells),
        _ => ((cells - halo) as isize, halo),
    }
}

/// Bytes of a row of `cells` cells.
fn row_bytes(cells: usize) -> usize {
    cells / 64 * 8 + (cells % 64).div_ceil(8)
}

/// Bytes of a rectangle of cells.
pub fn rectangle_bytes(columns: usize, rows: usize) -> usize {
    row_bytes(columns) * rows
}

/// Writes the cells of the rectangle of these columns and rows to `bytes`, [`rectangle_bytes`] long.
pub fn pack_rectangle(board: &Board, (x, columns): Span, (y, rows): Span, bytes: &mut [u8]) {
    for (bytes, y) in bytes.chunks_exact_mut(row_bytes(columns)).zip(y..y + rows as isize) {
        for (index, word) in bytes.chunks_mut(8).enumerate() {
            let bits = board.bits(x + index as isize * 64, y, (columns - index * 64).min(64));
            word.copy_from_slice(&bits.to_le_bytes()[..word.len()]);
        }
    }
}

/// Puts the cells that [`pack_rectangle`] wrote into the rectangle of these columns and rows.
pub fn unpack_rectangle(board: &mut Board, (x, columns): Span, (y, rows): Span, bytes: &[u8]) {
    for (bytes, y) in bytes.chunks_exact(row_bytes(columns)).zip(y..y + rows as isize) {
        for (index, word) in bytes.chunks(8).enumerate() {
            let mut bits = [0; 8];
            bits[..word.len()].copy_from_slice(word);
            board.set_bits(x + index as isize * 64, y, (columns - index * 64).min(64), u64::from_le_bytes(bits));
        }
    }
}

/// Bytes of the strip on `side` of a region of `width` × `height` cells.
pub fn strip_bytes(side: Side, width: usize, height: usize, halo: usize) -> usize {
    let (east, south) = side.direction();
    rectangle_bytes(halo_span(east, width, halo).1, halo_span(south, height, halo).1)
}

/// Writes the cells that the neighbour on `side` needs to `strip`, [`strip_bytes`] long.
pub fn pack(board: &Board, side: Side, strip: &mut [u8]) {
    let (east, south) = side.direction();
    let columns = edge_span(east, board.width(), board.halo());
    let rows = edge_span(south, board.height(), board.halo());
    pack_rectangle(board, columns, rows, strip);
}

/// Puts what the neighbour on `side` packed (for the opposite side) into the halo.
pub fn unpack(board: &mut Board, side: Side, strip: &[u8]) {
    let (east, south) = side.direction();
    let columns = halo_span(east, board.width(), board.halo());
    let rows = halo_span(south, board.height(), board.halo());
    unpack_rectangle(board, columns, rows, strip);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A torus of one region exchanges with itself: what comes in must be what wrapping gives.
    #[test]
    fn exchanging_with_oneself_is_wrapping() {
        for (width, height, halo) in [(64, 64, 1), (130, 20, 7), (200, 70, 64), (9, 9, 9), (1, 1, 1)] {
            let mut packed = Board::new(width, height, halo).unwrap();
            let mut wrapped = Board::new(width, height, halo).unwrap();
            for (x, y) in (0..height as isize).flat_map(|y| (0..width as isize).map(move |x| (x, y))) {
                let alive = crate::board::mix((y * 1000 + x) as u64) % 2 == 0;
                packed.set_cell(x, y, alive);
                wrapped.set_cell(x, y, alive);
            }
            wrapped.wrap();
            for side in Side::ALL {
                let mut strip = vec![0; strip_bytes(side, width, height, halo)];
                pack(&packed, side.opposite(), &mut strip);
                unpack(&mut packed, side, &strip);
            }
            let halo = halo as isize;
            for (x, y) in
                (-halo..height as isize + halo).flat_map(|y| (-halo..width as isize + halo).map(move |x| (x, y)))
            {
                assert_eq!(packed.cell(x, y), wrapped.cell(x, y), "{width}x{height} halo {halo}: ({x}, {y})");
            }
        }
    }
}
