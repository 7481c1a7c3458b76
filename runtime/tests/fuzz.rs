//! The fuzz targets without a fuzzer: mutations of the kept corpus on the stable toolchain. Some thousand, the same each time,
//! with every test; with `FUZZ_SECONDS=60` (`make fuzz`) new ones for that long, a target. It mutates blindly where libFuzzer
//! follows coverage: `cargo fuzz` in conformance/fuzz runs the same targets where there is a nightly toolchain.
//!
//! An input that breaks a target is written to `FUZZ_FOUND` (default: the temporary directory), to be kept in the corpus.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../conformance/fuzz/targets.rs"]
mod targets;

use std::time::{Duration, Instant};

/// What JSON readers and this one's fields trip over.
const WORDS: [&str; 28] = [
    "null",
    "{}",
    "[]",
    "\"\"",
    "-1",
    "0",
    "4294967296",
    "18446744073709551616",
    "1e400",
    "true",
    "\"\\u0000\"",
    "\"0-8191\"",
    "\"SCMP_ACT_NOTIFY\"",
    "\"SCMP_ACT_TRACE\"",
    "\"SCMP_CMP_LT\"",
    "\"SCHED_FIFO\"",
    "\"..\"",
    ",",
    "\"CAP_SYS_ADMIN\"",
    "\\ud800",
    "\"0s\"",
    "\"18446744073709551616ns\"",
    "\"-1us\"",
    "\"SCHED_DEADLINE\"",
    "\"3-1\"",
    "\"org.rtrun.cpus\"",
    "\"org.rtrun.sched.polcy\"",
    "\"4096Gi\"",
];

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// Where the values of a JSON text lie, roughly: between the punctuation.
fn values(text: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut starts = vec![0];
    starts.extend(text.iter().enumerate().filter(|(_, byte)| b":,[]{}".contains(byte)).map(|(at, _)| at + 1));
    starts.push(text.len() + 1);
    starts.windows(2).map(|pair| pair[0]..pair[1] - 1).filter(|range| !range.is_empty()).collect()
}

fn mutate(text: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=dice.below(2) {
        let (a, b) = (dice.below(text.len()), dice.below(40));
        let end = (a + b).min(text.len());
        let ranges = values(&text);
        if ranges.is_empty() {
            break;
        }
        match dice.below(8) {
            0 => text[a] ^= 1 << dice.below(8),
            1 => drop(text.drain(a..end)),
            2 => text.truncate(a),
            3 => {
                let piece = text[a..end].to_vec();
                text.splice(a..a, piece);
            }
            4 => {
                let from = text[ranges[dice.below(ranges.len())].clone()].to_vec();
                text.splice(ranges[dice.below(ranges.len())].clone(), from);
            }
            _ => {
                let word = WORDS[dice.below(WORDS.len())].bytes();
                text.splice(ranges[dice.below(ranges.len())].clone(), word);
            }
        }
    }
    text
}

/// Runs the target on one input; where it panics the input is kept.
fn check(corpus: &str, input: &[u8], target: &impl Fn(&[u8]) -> bool) -> bool {
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(input)));
    ran.unwrap_or_else(|panic| {
        let found = std::env::var_os("FUZZ_FOUND").map_or_else(std::env::temp_dir, std::path::PathBuf::from);
        let path = found.join(format!("fuzz-{corpus}-{}", std::process::id()));
        std::fs::write(&path, input).unwrap();
        eprintln!("{corpus}: the input is in {}", path.display());
        std::panic::resume_unwind(panic)
    })
}

fn run(corpus: &str, rounds: usize, target: impl Fn(&[u8]) -> bool) {
    let directory = format!("{}/../conformance/fuzz/corpus/{corpus}", env!("CARGO_MANIFEST_DIR"));
    let mut seeds: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    let texts: Vec<Vec<u8>> = seeds.iter().map(|seed| std::fs::read(seed).unwrap()).collect();
    for (seed, text) in seeds.iter().zip(&texts) {
        assert!(target(text), "{} is refused", seed.display());
    }
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let (mut total, mut accepted) = (0, 0);
    for text in &texts {
        total += rounds;
        accepted += (0..rounds).filter(|_| check(corpus, &mutate(text, &mut dice), &target)).count();
    }
    println!("{corpus}: {total} mutations, {accepted} of them accepted");
    assert!(accepted > total / 100 && accepted < total, "the mutations test one side only");
    if let Some(seconds) = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()) {
        explore(corpus, Duration::from_secs(seconds), texts, &target);
    }
}

/// Mutations of mutations: what is still accepted is mutated further, from a seed of its own each time.
fn explore(corpus: &str, time: Duration, mut pool: Vec<Vec<u8>>, target: &impl Fn(&[u8]) -> bool) {
    let begin = Instant::now();
    let kept = pool.len();
    let mut dice = Dice(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1);
    let (mut total, mut accepted) = (0u64, 0u64);
    while begin.elapsed() < time {
        let input = mutate(&pool[dice.below(pool.len())], &mut dice);
        total += 1;
        if check(corpus, &input, target) {
            accepted += 1;
            // The corpus itself stays; what was added gives way, so that depth grows and memory does not.
            match pool.len() < kept + 200 {
                true => pool.push(input),
                false => pool[kept + dice.below(200)] = input,
            }
        }
    }
    println!("{corpus}: {total} more in {} s, {accepted} of them accepted", time.as_secs());
}

#[test]
fn config() {
    run("config", 2000, targets::config);
}

#[test]
fn state() {
    run("state", 8000, targets::state);
}

#[test]
fn seccomp() {
    run("seccomp", 2000, targets::seccomp);
}

#[test]
fn annotations() {
    run("annotations", 4000, targets::annotations);
}
