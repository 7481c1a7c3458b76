//! Whether a member is well: its metrics are fresh, and deadlines are not missed too often.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Health;

/// What was seen of a member so far.
#[derive(Debug)]
pub struct Watch {
    health: Health,
    /// Since when it runs, as far as we know: a heartbeat is not asked for before one is due.
    since: Instant,
    looked: Instant,
    misses: Option<u64>,
}

impl Watch {
    /// From now on.
    pub fn new(health: Health) -> Watch {
        Watch { health, since: Instant::now(), looked: Instant::now(), misses: None }
    }

    /// A member that was started again has time until its first heartbeat again.
    pub fn restarted(&mut self) {
        *self = Watch::new(self.health);
    }

    /// What is wrong with it, if it is time to look and something is.
    pub fn look(&mut self, metrics: &Path) -> Option<String> {
        if self.looked.elapsed() < self.health.every {
            return None;
        }
        self.looked = Instant::now();
        self.silent(metrics).or_else(|| self.late(metrics))
    }

    fn silent(&self, metrics: &Path) -> Option<String> {
        let limit = self.health.heartbeat?;
        let age =
            fs::metadata(metrics).and_then(|metadata| metadata.modified()).ok().and_then(|time| time.elapsed().ok());
        // What an earlier life left says nothing of this one.
        let age = age.filter(|age| *age <= self.since.elapsed()).unwrap_or(self.since.elapsed());
        (age > limit).then(|| format!("no heartbeat for {:.1} s", age.as_secs_f64()))
    }

    fn late(&mut self, metrics: &Path) -> Option<String> {
        let most = self.health.max_misses?;
        let now = misses(&fs::read_to_string(metrics).ok()?);
        let before = self.misses.replace(now)?;
        // A counter that fell belongs to a new process.
        let grown = now.saturating_sub(before);
        (grown > most)
            .then(|| format!("{grown} deadlines missed in {:?}", self.health.every.max(Duration::from_millis(1))))
    }
}

/// The sum of all `…deadline_misses_total` of an OpenMetrics text.
fn misses(text: &str) -> u64 {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let counts = samples.filter_map(|line| {
        let name = line.split(['{', ' ']).next()?;
        let rest = line.rsplit_once('}').map_or(&line[name.len()..], |(_, rest)| rest);
        name.ends_with("deadline_misses_total").then(|| rest.split_whitespace().next()?.parse::<f64>().ok())?
    });
    counts.sum::<f64>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_of_every_label_are_summed() {
        let text = "# TYPE gol_deadline_misses counter\ngol_deadline_misses_total{source=\"a b\"} 3\n\
                    gol_deadline_misses_total{source=\"c\"} 4\ngol_other_total 9\n# EOF\n";
        assert_eq!(misses(text), 7);
    }

    #[test]
    fn silence_is_an_illness_only_after_the_limit() {
        let health = Health { heartbeat: Some(Duration::from_millis(20)), max_misses: None, every: Duration::ZERO };
        let mut watch = Watch::new(health);
        assert_eq!(watch.look(Path::new("/nonexistent")), None);
        std::thread::sleep(Duration::from_millis(30));
        assert!(watch.look(Path::new("/nonexistent")).is_some());
        watch.restarted();
        assert_eq!(watch.look(Path::new("/nonexistent")), None);
    }
}
