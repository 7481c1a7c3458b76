//! Every kernel against the rule by the book, and known patterns.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use gol_agent::advance::{Dead, Stepper};
use gol_agent::board::{Board, MAX_HALO};
use gol_agent::kernel::Kernel;
use gol_agent::naive::Naive;
use gol_agent::pattern::Pattern;
use proptest::prelude::*;

/// The same random cells on a board and on a naive one.
fn soup(width: usize, height: usize, halo: usize, seed: u64, torus: bool) -> (Board, Naive) {
    let mut board = Board::new(width, height, halo).unwrap();
    let mut naive = Naive::new(width, height, torus);
    let mut state = seed | 1;
    for y in 0..height {
        for x in 0..width {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            board.set_cell(x as isize, y as isize, state % 3 == 0);
            naive.set_cell(x, y, state % 3 == 0);
        }
    }
    (board, naive)
}

fn assert_same(board: &Board, naive: &Naive, what: &str) {
    for y in 0..board.height() {
        for x in 0..board.width() {
            assert_eq!(board.cell(x as isize, y as isize), naive.cell(x, y), "{what}: cell ({x}, {y})");
        }
    }
}

/// Advances both by `rounds` passes of up to `halo` generations and compares after each.
fn compare(kernel: Kernel, size: (usize, usize), halo: usize, seed: u64, torus: bool, rounds: &[usize]) {
    let (mut board, mut naive) = soup(size.0, size.1, halo, seed, torus);
    let mut stepper = Stepper::new(&board, kernel, if torus { Dead::NONE } else { Dead::ALL });
    for generations in rounds {
        let generations = generations % (halo + 1);
        if torus {
            board.wrap();
        }
        let (first, second) = (generations / 2, generations - generations / 2);
        stepper.advance(&mut board, first, second);
        stepper.advance(&mut board, second, 0);
        (0..generations).for_each(|_| naive.step());
        assert_same(&board, &naive, &format!("{} {size:?} halo {halo} torus {torus}", kernel.name()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn every_kernel_computes_the_rule(
        width in 1usize..200, height in 1usize..70, halo in 1usize..=MAX_HALO, seed: u64, torus: bool,
        rounds in prop::collection::vec(0usize..=MAX_HALO, 1..5),
    ) {
        let halo = halo.min(width).min(height);
        for kernel in Kernel::available() {
            compare(kernel, (width, height), halo, seed, torus, &rounds);
        }
    }
}

#[test]
fn rows_of_many_blocks_and_bands_of_many_rows() {
    for kernel in Kernel::available() {
        for torus in [true, false] {
            compare(kernel, (2048 + 17, 300), 16, 7, torus, &[16, 1, 5]);
        }
    }
}

#[test]
fn r_pentomino_is_stable_at_generation_1103_with_116_cells() {
    for kernel in Kernel::available() {
        let mut board = Board::new(1024, 1024, 16).unwrap();
        Pattern::named("r-pentomino").unwrap().place(&mut board, 500, 500);
        let mut stepper = Stepper::new(&board, kernel, Dead::ALL);
        let mut population = Vec::new();
        for generation in 1..=1120 {
            stepper.advance(&mut board, 1, 0);
            if generation == 1102 || generation >= 1103 {
                population.push(board.population());
            }
        }
        assert_eq!(population[1], 116, "{}", kernel.name());
        assert!(population[1..].iter().all(|cells| *cells == 116), "{} {population:?}", kernel.name());
    }
}

#[test]
fn a_gosper_gun_fires_every_30_generations() {
    let mut board = Board::new(512, 512, 30).unwrap();
    Pattern::named("gosper-gun").unwrap().place(&mut board, 20, 20);
    let mut stepper = Stepper::new(&board, Kernel::best(), Dead::ALL);
    let start = board.population();
    for guns in 1..=10 {
        stepper.advance(&mut board, 30, 0);
        assert_eq!(board.population(), start + 5 * guns);
    }
}

#[test]
fn a_hash_of_parts_adds_up_to_the_whole() {
    let (whole, _) = soup(150, 90, 1, 3, false);
    let mut sum = 0u64;
    for (x, y) in [(0, 0), (75, 0), (0, 45), (75, 45)] {
        let mut part = Board::new(75, 45, 1).unwrap();
        for (dx, dy) in (0..45).flat_map(|dy| (0..75).map(move |dx| (dx, dy))) {
            part.set_cell(dx, dy, whole.cell(x + dx, y + dy));
        }
        sum = sum.wrapping_add(part.hash(x as u64, y as u64));
    }
    assert_eq!(sum, whole.hash(0, 0));
    assert_ne!(sum, whole.hash(1, 0));
}

proptest! {
    #[test]
    fn patterns_survive_both_formats(cells in prop::collection::btree_set((0usize..90, 0usize..200), 0..80)) {
        let mut board = Board::new(200, 90, 1).unwrap();
        cells.iter().for_each(|(y, x)| board.set_cell(*x as isize, *y as isize, true));
        let pattern = Pattern::of(&board);
        prop_assert_eq!(&Pattern::parse(&pattern.to_rle()).unwrap(), &pattern);
        prop_assert_eq!(&Pattern::parse(&pattern.to_plaintext()).unwrap(), &pattern);
    }

    #[test]
    fn any_text_is_a_pattern_or_an_error(text in "[bo$!0-9xO.* \n#=,/a-zA-Z]{0,60}") {
        let _ = Pattern::parse(&text);
    }
}
