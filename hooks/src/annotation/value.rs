//! Values that are text with a unit, a number in a range, or one word of a few. A problem is a text for [`super::Error::Value`].

use crate::{CpuSet, nearest};
use std::ops::RangeInclusive;
use std::time::Duration;

const TIME_UNITS: [(&str, u64); 5] =
    [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("min", 60_000_000_000)];

/// `500us`, `2ms`, `30s`: whole numbers of ns, us, ms, s or min.
///
/// # Errors
/// What is wrong with the text, as the end of a sentence that names it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text)?;
    let Some((_, scale)) = TIME_UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(unit_problem(text, unit, "ns, us, ms, s, min", "us"));
    };
    number.checked_mul(*scale).map(Duration::from_nanos).ok_or_else(|| "is more than 584 years".to_owned())
}

/// A duration within bounds, both given as they are written.
pub(super) fn duration_within(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let duration = duration(text)?;
    if (least..=most).contains(&duration) {
        return Ok(duration);
    }
    Err(format!("is not within {} to {}", show(least), show(most)))
}

/// A duration in the largest unit that leaves it whole: `1500us`.
pub fn show(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let whole = |&&(unit, scale): &&(&str, u64)| unit != "min" && nanoseconds % u128::from(scale) == 0;
    let (unit, scale) = TIME_UNITS.iter().rfind(whole).copied().unwrap_or(("ns", 1));
    format!("{}{unit}", nanoseconds / u128::from(scale))
}

/// `256Mi`, `256m`, `1g`: bytes in powers of 1024, as podman and docker write sizes; `B` for bytes.
///
/// # Errors
/// What is wrong with the text, as the end of a sentence that names it.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text)?;
    let lower = unit.to_ascii_lowercase();
    let bare = lower.strip_suffix("ib").or_else(|| lower.strip_suffix('i')).unwrap_or(&lower);
    let bare = if bare == "b" { bare } else { bare.strip_suffix('b').unwrap_or(bare) };
    let power = match bare {
        "b" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(unit_problem(text, unit, "B, Ki, Mi, Gi, Ti, or k, m, g, t for the same", "Mi")),
    };
    number.checked_mul(1 << power).ok_or_else(|| "is more than 2^64 bytes".to_owned())
}

fn split_unit(text: &str) -> Result<(u64, &str), String> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(at);
    match digits.parse() {
        Ok(number) => Ok((number, unit)),
        Err(_) if digits.is_empty() => Err("does not start with a whole number".to_owned()),
        Err(_) => Err(format!("{digits} is more than 2^64")),
    }
}

fn unit_problem(text: &str, unit: &str, known: &str, likely: &str) -> String {
    match unit {
        "" => format!("has no unit; write {text}{likely}, or another of {known}"),
        _ => format!("{unit:?} is no unit; known are {known}"),
    }
}

/// A list of at least one CPU.
pub(super) fn cpus(text: &str) -> Result<CpuSet, String> {
    match CpuSet::parse(text) {
        Ok(set) if set.is_empty() => Err("names no CPU".to_owned()),
        Ok(set) => Ok(set),
        Err(error) => Err(error.to_string()),
    }
}

/// `true` or `false`.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

/// A whole number in a range.
pub(super) fn number(text: &str, range: RangeInclusive<i32>) -> Result<i32, String> {
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(_) => Err(format!("is not within {} to {}", range.start(), range.end())),
        Err(_) => Err("is no whole number".to_owned()),
    }
}

/// The items of a list with `,`, blanks around them allowed; none may be empty or there twice.
pub(super) fn list<T: PartialEq>(text: &str, item: fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let mut items = Vec::new();
    for word in text.split(',').map(str::trim) {
        let next = item(word).map_err(|problem| if word == text { problem } else { format!("{word:?} {problem}") })?;
        if items.contains(&next) {
            return Err(format!("{word:?} is there twice"));
        }
        items.push(next);
    }
    Ok(items)
}

/// What [`words`] reports for a text that is none of its words.
pub(super) fn no_word(text: &str, known: &[&'static str]) -> String {
    format!("is none of these; the nearest is {}", nearest(text, known.iter().copied()))
}

/// An enumeration of words: the type, its parser and its `Display` from one list.
macro_rules! words {
    ($(#[$of_type:meta])* $name:ident { $($(#[$of_variant:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$of_type])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$of_variant])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word, in the order of the variants.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word of an annotation.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub(super) fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(super::value::no_word(text, Self::WORDS)),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(super) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, nanoseconds) in
            [("500us", 500_000), ("2ms", 2_000_000), ("30s", 30_000_000_000), ("7ns", 7), ("2min", 120_000_000_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for (text, part) in [
            ("500", "write 500us"),
            ("", "whole number"),
            ("us", "whole number"),
            ("-1us", "whole number"),
            ("1.5ms", "\".5ms\" is no unit"),
            ("3 s", "\" s\" is no unit"),
            ("3sec", "\"sec\" is no unit; known are ns, us, ms, s, min"),
            ("99999999999s", "584 years"),
            ("99999999999999999999s", "2^64"),
        ] {
            let problem = duration(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["500us", "2ms", "30s", "120s", "1500us", "7ns"] {
            assert_eq!(show(duration(text).unwrap()), text);
        }
        assert_eq!(show(Duration::ZERO), "0s");
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("256Mi", 256 << 20),
            ("256m", 256 << 20),
            ("256MiB", 256 << 20),
            ("1g", 1 << 30),
            ("1GB", 1 << 30),
            ("4k", 4096),
            ("4Ki", 4096),
            ("512B", 512),
            ("1T", 1 << 40),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for (text, part) in [
            ("256", "write 256Mi"),
            ("x", "whole number"),
            ("1x", "\"x\" is no unit"),
            ("1us", "is no unit"),
            ("99999999999t", "2^64 bytes"),
        ] {
            let problem = size(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }
}
