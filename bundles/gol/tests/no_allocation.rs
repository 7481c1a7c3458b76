//! From generation 0 on, an agent's thread takes no memory from the allocator, whose locks and system calls would be a
//! deadline's risk.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use gol_agent::agent::exchange::{Exchange, Identity};
use gol_agent::agent::measures::Measures;
use gol_agent::agent::report::Reporter;
use gol_agent::agent::{Agent, first_board};
use gol_agent::params::Params;
use gol_agent::start::Origin;
use gol_agent::transport::{Transport, Udp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The system's allocator, which counts the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: all is passed on to the system's allocator
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static STOP: AtomicBool = AtomicBool::new(false);

/// Runs a region; how often its thread called the allocator during the run.
fn run(words: &str) -> u64 {
    let params = Params::new([words.to_owned()], []).unwrap();
    let origin = Origin::new(&params.pattern, None, &params.layout).unwrap();
    let measures = Arc::new(Measures::new(params.region, 1).0);
    let (_reporter, notices) = Reporter::new(&params, measures.clone()).unwrap();
    let transport: Box<dyn Transport> = Box::new(Udp::new(params.region, params.peers.clone(), params.wait).unwrap());
    let me = Identity { region: params.region, run: 1, instance: params.region, host: 1 };
    let exchange = Exchange::new(transport, params.layout, me, measures, notices).unwrap();
    let agent = Agent::new(&params, first_board(&params, &origin).unwrap(), exchange, &STOP);
    let before = CALLS.get();
    let ended = agent.run();
    let during = CALLS.get() - before;
    ended.unwrap();
    during
}

/// What the allocator is called for when all that the agent owns is freed at the run's end: the board is kept.
const END: u64 = 150;

#[track_caller]
fn constant(words: &str) {
    let run = |generations: u32| {
        let port = common::ports();
        let regions = [1, 2].map(|region| {
            let words = format!("board=2x1 region={region} port={port} report=0 generations={generations} {words}");
            std::thread::spawn(move || run(&words))
        });
        regions.map(|region| region.join().unwrap())
    };
    for (calls, more) in run(50).into_iter().zip(run(400)) {
        assert_eq!(calls, more, "the longer run called the allocator more often");
        assert!(calls < END, "{calls} calls");
    }
}

#[test]
fn exchanging_and_computing_takes_no_memory() {
    constant("cells=128x64 halo=2 period=0 check=10");
}

#[test]
fn keeping_time_takes_no_memory() {
    constant("cells=64x64 period=1ms policy=stale join=300ms");
}
