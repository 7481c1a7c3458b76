//! What is asked: one definition gives flags, `key=value` words, environment variables, help and suggestions.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Measures how late threads wake: one thread a CPU, absolute periods.
///
/// Every option can be given as `--interval 200us`, as a word `interval=200us` (the form in which rt-container-cli's
/// --params arrive), or as an environment variable `LATENCY_INTERVAL=200us`.
#[derive(Parser, Clone, Debug)]
#[command(name = "latency-agent", version)]
pub struct Options {
    /// Period of each thread
    #[arg(long, env = "LATENCY_INTERVAL", default_value = "1ms", value_parser = humantime::parse_duration)]
    pub interval: Duration,
    /// Releases that each thread measures; 0: until the duration ends or SIGINT or SIGTERM comes
    #[arg(long, env = "LATENCY_LOOPS", default_value_t = 0)]
    pub loops: u64,
    /// How long to measure; without it, and without loops, until a signal
    #[arg(long, env = "LATENCY_DURATION", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// How a thread waits for its release
    #[arg(long, env = "LATENCY_METHOD", value_enum, default_value_t = Method::Nanosleep)]
    pub method: Method,
    /// CPUs to measure, one thread each (kernel list format); default: all that this process may use
    #[arg(long, env = "LATENCY_CPUS", value_name = "LIST")]
    pub cpus: Option<String>,
    /// Policy of the threads; `inherit` leaves what the runtime has set
    #[arg(long, env = "LATENCY_POLICY", value_enum, default_value_t = Policy::Inherit)]
    pub policy: Policy,
    /// Priority with policy fifo or rr
    #[arg(long, env = "LATENCY_PRIO", value_parser = clap::value_parser!(u8).range(1..=99))]
    pub prio: Option<u8>,
    /// Width of the histogram, microseconds; later wake-ups are counted as overflows
    #[arg(long, env = "LATENCY_HISTOGRAM", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub histogram: u32,
    /// Lock all memory (mlockall): true, false, or try, which measures unlocked where it is not allowed
    #[arg(long, env = "LATENCY_MLOCK", value_enum, default_value_t = Lock::True)]
    pub mlock: Lock,
    /// Bound on the idle states' exit latency while measuring, microseconds, or `off` to leave them as they are
    #[arg(long, env = "LATENCY_DMA_LATENCY", default_value = "0", value_parser = dma_latency)]
    pub dma_latency: DmaLatency,
    /// Final results as cyclictest's --json; `-` for standard output, without the text
    #[arg(long, env = "LATENCY_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Histogram as cyclictest's --histfile
    #[arg(long, env = "LATENCY_HISTFILE", value_name = "FILE")]
    pub histfile: Option<PathBuf>,
    /// HdrHistogram log (.hlog), one tagged line a CPU, nanoseconds
    #[arg(long, env = "LATENCY_HLOG", value_name = "FILE")]
    pub hlog: Option<PathBuf>,
}

/// How a thread waits.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// clock_nanosleep(2), absolute
    Nanosleep,
    /// timerfd_settime(2), absolute, and read(2)
    Timerfd,
}

/// Whether memory is locked.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// It must be
    True,
    /// It is not
    False,
    /// It is where that is allowed
    Try,
}

/// Scheduling policy of the measuring threads.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// As started
    Inherit,
    /// SCHED_OTHER
    Other,
    /// SCHED_FIFO
    Fifo,
    /// SCHED_RR
    Rr,
}

/// `/dev/cpu_dma_latency`, microseconds; `None` leaves it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaLatency(pub Option<u32>);

fn dma_latency(text: &str) -> Result<DmaLatency, String> {
    match text {
        "off" => Ok(DmaLatency(None)),
        number => number
            .parse()
            .map(|microseconds| DmaLatency(Some(microseconds)))
            .map_err(|_| format!("{text:?}: microseconds, or off")),
    }
}

impl Options {
    /// Parses a command line in which `key=value` stands for `--key=value`; ends the process on `--help` and on errors.
    pub fn from_words(words: impl Iterator<Item = OsString>) -> Options {
        Options::parse_from(words.enumerate().map(|(index, word)| if index == 0 { word } else { as_flag(word) }))
    }
}

fn as_flag(word: OsString) -> OsString {
    match word.to_str() {
        Some(text) if !text.starts_with('-') && text.contains('=') => format!("--{text}").into(),
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once("latency-agent".into()).chain(words.iter().map(|w| as_flag(w.into()))))
    }

    #[test]
    fn words_are_flags() {
        let options = parse(&["interval=200us", "loops=10", "--method", "timerfd", "dma-latency=off"]).unwrap();
        assert_eq!(options.interval, Duration::from_micros(200));
        assert_eq!((options.loops, options.method, options.dma_latency), (10, Method::Timerfd, DmaLatency(None)));
    }

    #[test]
    fn a_misspelt_word_names_the_nearest() {
        let error = parse(&["intervall=200us"]).unwrap_err().to_string();
        assert!(error.contains("--interval"), "{error}");
    }

    #[test]
    fn illegal_values_are_refused() {
        for words in
            [["prio=100"], ["interval=fast"], ["method=busy"], ["histogram=0"], ["dma-latency=x"], ["loops=-1"]]
        {
            assert!(parse(&words).is_err(), "{words:?}");
        }
    }
}
