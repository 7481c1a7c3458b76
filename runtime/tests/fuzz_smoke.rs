//! The fuzz targets on stable: some thousand mutations of the corpus, the same each time. `make fuzz` goes on from here.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../conformance/fuzz/targets.rs"]
mod targets;

/// What JSON readers and this one's fields trip over.
const WORDS: [&str; 20] = [
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

fn run(corpus: &str, rounds: usize, target: impl Fn(&[u8]) -> bool) {
    let directory = format!("{}/../conformance/fuzz/corpus/{corpus}", env!("CARGO_MANIFEST_DIR"));
    let mut seeds: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut accepted = 0;
    for seed in &seeds {
        let text = std::fs::read(seed).unwrap();
        assert!(target(&text), "{} is refused", seed.display());
        for _ in 0..rounds {
            accepted += usize::from(target(&mutate(&text, &mut dice)));
        }
    }
    let total = rounds * seeds.len();
    println!("{corpus}: {total} mutations, {accepted} of them accepted");
    assert!(accepted > total / 100 && accepted < total, "the mutations test one side only");
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
