//! The kernel for programs in C: what the comparison with MPI links (feature `capi`).

use crate::advance::{Dead, Stepper};
use crate::board::Board;
use crate::decomposition::Layout;
use crate::halo::{pack_rectangle, rectangle_bytes, unpack_rectangle};
use crate::kernel::Kernel;
use crate::start::Origin;

/// A region of a torus.
pub struct Gol {
    board: Board,
    stepper: Stepper,
    origin: (usize, usize),
}

/// A region of random cells; null where there is no such region.
#[unsafe(no_mangle)]
pub extern "C" fn gol_new(
    columns: usize,
    rows: usize,
    region: usize,
    width: usize,
    height: usize,
    halo: usize,
    seed: u64,
) -> *mut Gol {
    let layout = Layout { columns: columns as u32, rows: rows as u32, width, height, torus: true, halo };
    let region = region as u32;
    let Some(mut board) = layout.check(region).ok().and_then(|()| layout.board()) else { return std::ptr::null_mut() };
    Origin::Random(seed).place(&layout, region, &mut board);
    let stepper = Stepper::new(&board, Kernel::best(), Dead::NONE);
    Box::into_raw(Box::new(Gol { board, stepper, origin: layout.origin(region) }))
}

/// Bytes of a rectangle of cells.
#[unsafe(no_mangle)]
pub extern "C" fn gol_rectangle_bytes(columns: usize, rows: usize) -> usize {
    rectangle_bytes(columns, rows)
}

/// Writes a rectangle of cells to `bytes`.
///
/// # Safety
/// `gol` is from [`gol_new`], and `bytes` has room for [`gol_rectangle_bytes`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gol_pack(gol: *const Gol, x: isize, columns: usize, y: isize, rows: usize, bytes: *mut u8) {
    // SAFETY: the caller's
    let (gol, bytes) = unsafe { (&*gol, std::slice::from_raw_parts_mut(bytes, rectangle_bytes(columns, rows))) };
    pack_rectangle(&gol.board, (x, columns), (y, rows), bytes);
}

/// Reads a rectangle of cells from `bytes`.
///
/// # Safety
/// As [`gol_pack`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gol_unpack(gol: *mut Gol, x: isize, columns: usize, y: isize, rows: usize, bytes: *const u8) {
    // SAFETY: the caller's
    let (gol, bytes) = unsafe { (&mut *gol, std::slice::from_raw_parts(bytes, rectangle_bytes(columns, rows))) };
    unpack_rectangle(&mut gol.board, (x, columns), (y, rows), bytes);
}

/// Advances by `generations`, at most the halo's width.
///
/// # Safety
/// `gol` is from [`gol_new`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gol_advance(gol: *mut Gol, generations: usize) {
    // SAFETY: the caller's
    let gol = unsafe { &mut *gol };
    gol.stepper.advance(&mut gol.board, generations, 0);
}

/// The region's part of the whole board's hash.
///
/// # Safety
/// `gol` is from [`gol_new`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gol_hash(gol: *const Gol) -> u64 {
    // SAFETY: the caller's
    let gol = unsafe { &*gol };
    gol.board.hash(gol.origin.0 as u64, gol.origin.1 as u64)
}
