//! Plaintext patterns (`.cells`): <https://conwaylife.com/wiki/Plaintext>.

use super::{Pattern, PatternError};

/// Reads a pattern: `!` begins a comment line, `.` is a dead cell, `O` or `*` a living one.
pub(super) fn parse(text: &str) -> Result<Pattern, PatternError> {
    let mut pattern = Pattern::default();
    let rows = text.lines().enumerate().filter(|(_, row)| !row.starts_with('!'));
    for (y, (line, row)) in rows.enumerate() {
        for (x, found) in row.trim_end().chars().enumerate() {
            match found {
                'O' | '*' => pattern.push(x, y, 1, line + 1)?,
                '.' | ' ' => {}
                _ => {
                    let expected = "`.` or `O`, comments begin with `!`";
                    return Err(PatternError::Character { line: line + 1, column: x + 1, found, expected });
                }
            }
        }
    }
    Ok(pattern)
}

/// Writes a pattern, rows cut after their last living cell.
pub(super) fn write(pattern: &Pattern) -> String {
    let mut text = String::from("!\n");
    let (mut x, mut y) = (0, 0);
    for (column, row) in &pattern.cells {
        while y < *row {
            text.push('\n');
            (x, y) = (0, y + 1);
        }
        text.extend(std::iter::repeat_n('.', column - x));
        text.push('O');
        x = column + 1;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glider_there_and_back() {
        let glider = parse("!Name: Glider\n!\n.O.\n..O\nOOO\n").unwrap();
        assert_eq!(glider, Pattern::named("glider").unwrap());
        assert_eq!(write(&glider), "!\n.O\n..O\nOOO\n");
    }

    #[test]
    fn what_is_wrong_is_said_where() {
        let error = parse("!\n.O\n.x").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 3, column 2: `x` is no part of a pattern (`.` or `O`, comments begin with `!`)"
        );
    }
}
