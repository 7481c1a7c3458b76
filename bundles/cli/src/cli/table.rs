//! The options of `run` as names and values, for fleet files and the REST API. clap reads them, as from a command line.

use std::collections::BTreeMap;

use clap::{ArgAction, CommandFactory, Parser};
use rtrun_hooks::nearest;
use toml::Value;

use super::LaunchOptions;

/// Names and values.
pub type Table = BTreeMap<String, Value>;

/// `run`'s options by themselves.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Line {
    #[command(flatten)]
    options: LaunchOptions,
}

/// Who reads a table, and which names are not those of options then.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// As a refusal names it.
    pub who: &'static str,
    /// Names that it reads itself.
    pub own: &'static [&'static str],
    /// Options that it decides itself.
    pub decided: &'static [&'static str],
}

impl Reader {
    /// `cpus = "2"` is `--cpus 2`, `env = ["A=1"]` is `--env A=1`, `mlock = true` is `--mlock`.
    ///
    /// # Errors
    /// A name that is none, with the nearest; a value of the wrong kind; what clap says of it.
    pub fn options(&self, table: &Table) -> Result<LaunchOptions, String> {
        let command = Line::command();
        let mut words = Vec::new();
        for (key, value) in table.iter().filter(|(key, _)| !self.own.contains(&key.as_str())) {
            if self.decided.contains(&key.as_str()) {
                return Err(format!("{key} is {} to decide", self.who));
            }
            let Some(argument) = command.get_arguments().find(|argument| argument.get_long() == Some(key)) else {
                let names = command.get_arguments().filter_map(clap::Arg::get_long).chain(self.own.iter().copied());
                return Err(format!("there is no {key}; did you mean {}?", nearest(key, names)));
            };
            match (argument.get_action(), value) {
                (ArgAction::SetTrue, Value::Boolean(false)) => {}
                (ArgAction::SetTrue, Value::Boolean(true)) => words.push(format!("--{key}")),
                (ArgAction::SetTrue, _) => return Err(format!("{key} is true or false")),
                (ArgAction::Append, _) => {
                    words.extend(texts(key, value)?.into_iter().map(|text| format!("--{key}={text}")));
                }
                (_, Value::String(text)) => words.push(format!("--{key}={text}")),
                (_, Value::Integer(number)) => words.push(format!("--{key}={number}")),
                (_, other) => return Err(format!("{key} is a {}, not a text", other.type_str())),
            }
        }
        Line::try_parse_from(words).map(|line| line.options).map_err(|error| first_paragraph(&error.to_string()))
    }

    /// The options that it takes: name, help, and whether a flag, a list or a single value.
    pub fn known(&self) -> Vec<(String, String, ArgAction)> {
        let command = Line::command();
        let arguments = command.get_arguments().filter_map(|argument| {
            let name = argument.get_long().filter(|name| !self.own.contains(name) && !self.decided.contains(name))?;
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            Some((name.to_owned(), help, argument.get_action().clone()))
        });
        arguments.collect()
    }
}

/// A list of texts, or a single one.
///
/// # Errors
/// Something else.
pub fn texts(key: &str, value: &Value) -> Result<Vec<String>, String> {
    let one = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| format!("{key} is not a list of texts"));
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        single => Ok(vec![one(single)?]),
    }
}

fn first_paragraph(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_the_kind_that_the_option_has() {
        let reader = Reader { who: "the test's", own: &[], decided: &["detach"] };
        let read = |text: &str| reader.options(&toml::from_str::<Table>(text).unwrap());
        let options = read("app = '/x'\nenv = ['A=1', 'B=2']\nmlock = true\nprio = 5\n").unwrap();
        assert!(options.mlock && options.env.len() == 2 && options.prio == Some(5));
        for (text, wanted) in [
            ("app = '/x'\ncpu = '1'", "did you mean cpus"),
            ("app = '/x'\ndetach = true", "the test's to decide"),
            ("app = '/x'\nmlock = 'yes'", "true or false"),
            ("app = '/x'\ncpus = false", "not a text"),
            ("app = '/x'\ncpus = ['1']", "not a text"),
            ("app = '/x'\nenv = [1]", "not a list of texts"),
            ("cpus = '1'", "--app"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
