//! The regions' hashes add up to the whole board's at every checked generation, whatever the network does.

mod common;

use common::{distributed, reference};

const FAULTS: &str = "faults=loss:0.08,duplicate:0.08,reorder:0.08,corrupt:0.04,seed:7 retry=2ms";

/// Compares a distributed run with the reference, to `generations`, at every `check`.
#[track_caller]
fn same(board: &str, words: &str, carrier: &str) {
    let whole = reference(&format!("board={board} {words}"));
    let parts = distributed(board, &format!("{words} period=0 {carrier}"));
    assert!(whole.len() > 10, "too few generations are checked");
    assert_eq!(parts, whole);
}

#[test]
fn udp_with_faults_on_a_torus() {
    same("2x2", "cells=90x70 halo=3 pattern=random:1 generations=300 check=20", &format!("transport=udp {FAULTS}"));
}

#[test]
fn udp_with_faults_and_dead_edges() {
    same(
        "3x2",
        "cells=64x33 edges=dead halo=1 pattern=random:2 generations=150 check=10",
        &format!("transport=udp {FAULTS}"),
    );
}

#[test]
fn tcp_with_faults() {
    same("2x2", "cells=130x64 halo=8 pattern=random:3 generations=400 check=25", &format!("transport=tcp {FAULTS}"));
}

#[test]
fn multicast_with_faults() {
    let carrier = format!("transport=multicast interface=127.0.0.1 {FAULTS}");
    same("2x2", "cells=64x64 halo=2 pattern=random:4 generations=200 check=15", &carrier);
}

#[test]
fn checks_between_exchanges() {
    same("2x1", "cells=65x40 halo=16 pattern=random:5 generations=333 check=7", "transport=udp");
}

#[test]
fn every_release_on_time_is_exact_too() {
    let words = "cells=64x64 halo=4 pattern=random:6 generations=100 check=9";
    let whole = reference(&format!("board=2x2 {words}"));
    let parts = distributed("2x2", &format!("{words} period=2ms policy=stall t0=+0.2"));
    assert_eq!(parts, whole);
}

#[test]
fn sixteen_regions_find_the_r_pentomino_stable_at_generation_1103() {
    let words = "cells=200x200 pattern=r-pentomino edges=dead halo=20 generations=1110 check=1103";
    let parts = distributed("4x4", &format!("{words} period=0"));
    assert_eq!((parts[&1103].0, parts[&1110].0), (116, 116));
    assert_eq!(parts, reference(&format!("board=4x4 {words}")));
}

#[test]
fn one_region_is_its_own_neighbour() {
    same("1x1", "cells=100x80 halo=5 pattern=random:8 generations=200 check=10", "");
}
