//! The table of faults: what fails, and what its user gets.

use super::matrix::Row;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The faults, as call and error, that end in one answer to one kind of process.
type Lines<'a> = BTreeMap<(String, &'a str), Vec<(&'a str, &'a str)>>;

/// One Markdown table a command; calls that give the same text are one line.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "# Faults\n\nWhat a user gets when a system call of a command fails, call by call; written by\n`rtrun-crash --table`. \
         After each, nothing was left that the command had made, or the\ncontainer was as before, and `delete --force` \
         removed it. *child* is the init, or the process\nof exec, before its program.\n",
    );
    let mut deeds: BTreeMap<&str, Lines> = BTreeMap::new();
    for row in rows {
        let said = row.gets.replace(row.errno, "ERRNO").replace(row.described, "…");
        let line = deeds.entry(row.deed).or_default().entry((said, row.who)).or_default();
        if !line.contains(&(row.place.as_str(), row.errno)) {
            line.push((&row.place, row.errno));
        }
    }
    for (deed, lines) in deeds {
        let _ = writeln!(text, "\n## {deed}\n\n| gets | where | what fails |\n|---|---|---|");
        for ((gets, who), faults) in lines {
            let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            faults.iter().for_each(|(place, errno)| places.entry(place).or_default().push(errno));
            let list: Vec<String> =
                places.iter().map(|(place, errors)| format!("`{place}` {}", errors.join(", "))).collect();
            let _ = writeln!(text, "| {} | {who} | {} |", gets.replace('|', "\\|").replace('\n', " "), list.join("; "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_with_one_answer_are_one_line() {
        let row = |place: &str, errno, described, gets: &str| Row {
            deed: "create",
            who: "rtrun",
            place: place.into(),
            errno,
            described,
            gets: gets.into(),
        };
        let rows = [
            row("mkdir ROOT", "EIO", "I/O error", "making ROOT: EIO: I/O error"),
            row("mkdir ROOT", "ENOSPC", "No space left on device", "making ROOT: ENOSPC: No space left on device"),
            row("write", "EIO", "I/O error", "making ROOT: EIO: I/O error"),
        ];
        let text = markdown(&rows);
        assert!(text.contains("| making ROOT: ERRNO: … | rtrun | `mkdir ROOT` EIO, ENOSPC; `write` EIO |\n"), "{text}");
    }
}
