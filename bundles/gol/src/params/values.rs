//! Words and variables to values.

use super::{ENVIRONMENT, KEYS, ParamError, Start};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// Words to a table of values, the environment first.
pub(super) fn collect(
    arguments: impl IntoIterator<Item = String>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<&'static str, String>, ParamError> {
    let mut values = BTreeMap::new();
    for (name, value) in environment {
        if let Some(key) = name.strip_prefix(ENVIRONMENT) {
            values.insert(known(&key.to_ascii_lowercase())?, value);
        }
    }
    let mut given = BTreeMap::new();
    for argument in arguments {
        for word in argument.split_whitespace() {
            let (key, value) = word.split_once('=').ok_or_else(|| ParamError::NotAWord(word.into()))?;
            let before = given.insert(known(key)?, value.to_owned());
            if before.is_some_and(|before| before != value) {
                return Err(ParamError::Twice(key.into()));
            }
        }
    }
    values.extend(given);
    Ok(values)
}

/// The parameter of this name.
fn known(key: &str) -> Result<&'static str, ParamError> {
    let found = KEYS.iter().map(|(name, ..)| *name).find(|name| *name == key);
    found.ok_or_else(|| {
        let nearest = KEYS.iter().map(|(name, ..)| *name).min_by_key(|name| distance(key, name)).unwrap_or("board");
        ParamError::Unknown { key: key.into(), nearest }
    })
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The values, taken out one by one.
pub(super) struct Values(pub(super) BTreeMap<&'static str, String>);

impl Values {
    /// A parameter's value through `parse`, or its default.
    pub(super) fn get<T>(
        &mut self,
        key: &'static str,
        default: T,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ParamError> {
        match self.0.remove(key) {
            None => Ok(default),
            Some(value) => parse(&value).ok_or(ParamError::Value { key, value, expected }),
        }
    }

    /// One of the named values, or the default.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        default: T,
        expected: &'static str,
        choices: &[(&str, T)],
    ) -> Result<T, ParamError> {
        self.get(key, default, expected, |text| choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value))
    }

    pub(super) fn number<T: FromStr>(
        &mut self,
        key: &'static str,
        default: T,
        expected: &'static str,
    ) -> Result<T, ParamError> {
        self.get(key, default, expected, |value| value.parse().ok())
    }

    pub(super) fn duration(&mut self, key: &'static str, default: Duration) -> Result<Duration, ParamError> {
        self.get(key, default, "a duration with its unit, as in 10ms, 500us, 2s, or 0", duration)
    }
}

/// `10ms`, `500us`, `100ns`, `2s`, `0`
fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let unit = text.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let scale = match &text[unit..] {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(text[..unit].parse::<f64>().ok()? * scale).ok()
}

/// `4x4`
pub(super) fn pair<T: FromStr>(text: &str, separator: char) -> Option<(T, T)> {
    let (a, b) = text.split_once(separator)?;
    Some((a.parse().ok()?, b.parse().ok()?))
}

/// `t0=1800000000.5` or `t0=+2`
pub(super) fn instant(text: &str) -> Option<Start> {
    match text.strip_prefix('+') {
        Some(seconds) => Duration::try_from_secs_f64(seconds.parse().ok()?).ok().map(Start::In),
        None => Duration::try_from_secs_f64(text.parse().ok()?).ok().map(|at| Start::At(at.as_nanos() as u64)),
    }
}

/// `2=10.0.0.2,3=10.0.0.3:5000`
pub(super) fn peers(text: &str, base: u16) -> Option<BTreeMap<u32, SocketAddr>> {
    let peer = |part: &str| {
        let (region, address) = part.split_once('=')?;
        let region: u32 = region.parse().ok()?;
        let with_port = || Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, base.wrapping_add(region as u16)));
        Some((region, address.parse().ok().or_else(with_port)?))
    };
    text.split(',').map(peer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, nanos) in [("10ms", 10_000_000), ("1.5us", 1500), ("2s", 2_000_000_000), ("7ns", 7), ("0", 0)] {
            assert_eq!(duration(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for text in ["10", "", "ms", "-1s", "1h", "1e400s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
