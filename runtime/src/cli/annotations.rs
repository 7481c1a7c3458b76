use super::table::{Format, columns};
use super::{Command, Error, Globals, print};
use rtrun_hooks::annotation::{ALIASES, Alias, KEYS, Key, PREFIX};
use serde::Serialize;

/// List the annotations by which a container asks for real-time treatment
#[derive(clap::Parser)]
pub(super) struct Annotations {
    /// How to print them
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// What the JSON has of a key.
#[derive(Serialize)]
struct Described {
    key: String,
    values: &'static str,
    unit: &'static str,
    default: &'static str,
    meaning: &'static str,
    example: &'static str,
}

/// What the JSON has of an alias.
#[derive(Serialize)]
struct Foreign {
    key: &'static str,
    stands_for: String,
    values: &'static str,
    example: &'static str,
}

/// The JSON.
#[derive(Serialize)]
struct All {
    annotations: Vec<Described>,
    aliases: Vec<Foreign>,
}

impl Command for Annotations {
    fn run(self, _: &Globals) -> Result<u8, Error> {
        match self.format {
            Format::Json => {
                let all = All {
                    annotations: KEYS.iter().map(described).collect(),
                    aliases: ALIASES.iter().map(foreign).collect(),
                };
                print(&format!("{}\n", serde_json::to_string_pretty(&all)?))
            }
            Format::Table => print(&table()),
        }
    }
}

fn table() -> String {
    let mut rows = vec![["KEY", "VALUES", "DEFAULT", "EXAMPLE", "MEANING"].map(String::from)];
    rows.extend(KEYS.iter().map(described).map(|Described { key, values, unit, default, meaning, example }| {
        let values = if unit.is_empty() { values.to_owned() } else { format!("{values} ({unit})") };
        [key, values, default.to_owned(), example.to_owned(), meaning.to_owned()]
    }));
    rows.extend(ALIASES.iter().map(foreign).map(|Foreign { key, stands_for, values, example }| {
        let meaning = format!("CRI-O's name of {stands_for}");
        [key.to_owned(), values.to_owned(), String::new(), example.to_owned(), meaning]
    }));
    columns(&rows)
}

fn described(key: &Key) -> Described {
    let Key { name, values, unit, default, meaning, example, .. } = *key;
    Described { key: format!("{PREFIX}{name}"), values, unit, default, meaning, example }
}

fn foreign(alias: &Alias) -> Foreign {
    let Alias { key, name, values, example, .. } = *alias;
    Foreign { key, stands_for: format!("{PREFIX}{name}"), values, example }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_alias_is_a_row() {
        let table = table();
        assert_eq!(table.lines().count(), 1 + KEYS.len() + ALIASES.len());
        assert!(table.contains("org.rtrun.cpus.partition") && table.contains("cpu-quota.crio.io"), "{table}");
    }
}
