//! Run-length encoded patterns (`.rle`): <https://conwaylife.com/wiki/Run_Length_Encoded>.

use super::{MAX_SIDE, Pattern, PatternError};

/// The longest line that other programs promise to read.
const LINE: usize = 70;
const EXPECTED: &str = "a count, b, o, $, or ! at the end";

/// Reads a pattern up to its `!`; what follows is a comment.
pub(super) fn parse(text: &str) -> Result<Pattern, PatternError> {
    let mut pattern = Pattern::default();
    let (mut x, mut y, mut count) = (0usize, 0usize, None::<usize>);
    for (line, row) in text.lines().enumerate().map(|(index, row)| (index + 1, row)) {
        let row = row.trim_end();
        if row.starts_with('#') {
            continue;
        }
        if row.trim_start().starts_with('x') {
            check_rule(row, line)?;
            continue;
        }
        for (column, found) in row.chars().enumerate() {
            if let Some(digit) = found.to_digit(10) {
                let value = count.unwrap_or(0) * 10 + digit as usize;
                if value > MAX_SIDE {
                    return Err(PatternError::TooLarge { line });
                }
                count = Some(value);
                continue;
            }
            let run = count.take().unwrap_or(1);
            match found {
                'b' => x = x.saturating_add(run),
                'o' => {
                    pattern.push(x, y, run, line)?;
                    x += run;
                }
                '$' => (x, y) = (0, y.saturating_add(run)),
                '!' => return Ok(pattern),
                _ if found.is_whitespace() => count = (run != 1).then_some(run),
                _ => return Err(PatternError::Character { line, column: column + 1, found, expected: EXPECTED }),
            }
        }
    }
    Err(PatternError::Unfinished)
}

/// The header is `x = m, y = n, rule = B3/S23`; the measures are those of the cells anyway.
fn check_rule(header: &str, line: usize) -> Result<(), PatternError> {
    let rule = header.split(',').filter_map(|part| part.split_once('=')).find(|(key, _)| key.trim() == "rule");
    match rule.map(|(_, rule)| rule.trim()) {
        Some(rule) if !["b3/s23", "23/3"].contains(&rule.to_ascii_lowercase().as_str()) => {
            Err(PatternError::Rule { line, rule: rule.into() })
        }
        _ => Ok(()),
    }
}

/// Writes a pattern with its header.
pub(super) fn write(pattern: &Pattern) -> String {
    let mut text = Lines(format!("x = {}, y = {}, rule = B3/S23\n", pattern.width(), pattern.height()), 0);
    let (mut x, mut y) = (0, 0);
    let mut cells = pattern.cells.iter().copied().peekable();
    while let Some((column, row)) = cells.next() {
        if row > y {
            text.run(row - y, '$');
            (x, y) = (0, row);
        }
        text.run(column - x, 'b');
        let mut end = column + 1;
        while cells.next_if_eq(&(end, row)).is_some() {
            end += 1;
        }
        text.run(end - column, 'o');
        x = end;
    }
    text.put("!");
    text.0.push('\n');
    text.0
}

/// Text broken into lines between runs: the text, and the length of its last line.
struct Lines(String, usize);

impl Lines {
    fn run(&mut self, count: usize, what: char) {
        match count {
            0 => {}
            1 => self.put(what.encode_utf8(&mut [0; 4])),
            _ => self.put(&format!("{count}{what}")),
        }
    }

    fn put(&mut self, run: &str) {
        if self.1 + run.len() > LINE {
            self.0.push('\n');
            self.1 = 0;
        }
        self.0.push_str(run);
        self.1 += run.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glider_with_header_and_comments() {
        let glider = parse("#N Glider\nx = 3, y = 3, rule = B3/S23\nbob$2bo$3o!\nwhat follows is a comment").unwrap();
        assert_eq!(glider.cells, [(1, 0), (2, 1), (0, 2), (1, 2), (2, 2)]);
        assert_eq!(write(&glider), "x = 3, y = 3, rule = B3/S23\nbo$2bo$3o!\n");
    }

    #[test]
    fn a_count_may_be_broken_off_by_a_line() {
        assert_eq!(parse("1\n2bo!").unwrap().cells, [(12, 0)]);
    }

    #[test]
    fn what_is_wrong_is_said_where() {
        assert_eq!(
            parse("x = 1, y = 1\nbo$z!"),
            Err(PatternError::Character { line: 2, column: 4, found: 'z', expected: EXPECTED })
        );
        assert_eq!(parse("x=1,y=1,rule=B36/S23\no!"), Err(PatternError::Rule { line: 1, rule: "B36/S23".into() }));
        assert_eq!(parse("bo$"), Err(PatternError::Unfinished));
        assert_eq!(parse("99999999999999999999o!"), Err(PatternError::TooLarge { line: 1 }));
        assert_eq!(parse("1048576$o!"), Err(PatternError::TooLarge { line: 1 }));
    }
}
