//! Messages, in the two shapes that callers parse: logrus's text and JSON lines.

use super::globals::Globals;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// `--log-format`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// `time="…" level=error msg="…"`.
    #[default]
    Text,
    /// `{"level":"error","msg":"…","time":"…"}`.
    Json,
}

/// How grave a message is, the gravest first.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// The command failed.
    Error,
    /// It did something else than was asked.
    #[default]
    Warning,
    /// Nothing of this level is written as yet; callers may ask for it.
    Debug,
}

impl Level {
    /// The level of `--log-level`.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "error" | "fatal" | "panic" => Some(Level::Error),
            "warn" | "warning" => Some(Level::Warning),
            "info" | "debug" | "trace" => Some(Level::Debug),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Debug => "debug",
        }
    }
}

/// Says that something was not done as asked.
pub(super) fn warning(globals: &Globals, message: &str) {
    if globals.level >= Level::Warning {
        say(globals, Level::Warning, message);
    }
}

/// Says why the command failed: in the log file, and on standard error for conmon and people.
pub(super) fn error(globals: &Globals, message: &str) {
    say(globals, Level::Error, message);
    if globals.log.is_some() {
        to_stderr(message);
    }
}

fn say(globals: &Globals, level: Level, message: &str) {
    let line = line(globals.format, level, message, &crate::time::rfc3339(crate::time::now()));
    match &globals.log {
        None => to_stderr(&line),
        Some(file) => {
            if let Err(error) = append(file, &line) {
                to_stderr(&format!("appending to the log {}: {error}", file.display()));
                to_stderr(&line);
            }
        }
    }
}

/// Opened only when there is something to say; appended in one write, for the file is shared by all calls of a caller.
fn append(file: &Path, line: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o644).open(file)?;
    file.write_all(format!("{line}\n").as_bytes())
}

/// A closed standard error leaves nobody to tell.
fn to_stderr(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn line(format: Format, level: Level, message: &str, time: &str) -> String {
    let (level, message) = (level.name(), quoted(message));
    match format {
        Format::Text => format!("time=\"{time}\" level={level} msg={message}"),
        Format::Json => format!("{{\"level\":\"{level}\",\"msg\":{message},\"time\":\"{time}\"}}"),
    }
}

/// A JSON string, which Go's `%q` of logrus's text form reads like as well.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c < ' ' || c == '\u{7f}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines_are_what_callers_parse() {
        let line = line(Format::Json, Level::Error, "a \"b\"\n\\c\u{1}", "2026-01-02T03:04:05Z");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["level"], "error");
        assert_eq!(value["msg"], "a \"b\"\n\\c\u{1}");
        assert_eq!(value["time"], "2026-01-02T03:04:05Z");
    }

    #[test]
    fn text_lines_are_logrus_lines() {
        let line = line(Format::Text, Level::Warning, "x", "t");
        assert_eq!(line, r#"time="t" level=warning msg="x""#);
    }

    #[test]
    fn the_log_is_appended_to() {
        let file = std::env::temp_dir().join(format!("rtrun-log-{}", std::process::id()));
        append(&file, "one").unwrap();
        append(&file, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntwo\n");
        std::fs::remove_file(&file).unwrap();
    }
}
