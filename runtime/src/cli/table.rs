//! Tables as runc prints them.

/// `--format` of `list` and `ps`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For callers.
    Json,
}

/// The rows with their columns aligned: 12 wide at least, 3 spaces between.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count() + 3).fold(12, usize::max);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: String = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["ID", "PID"].map(String::from), ["a-long-name-of-it", "1"].map(String::from)];
        assert_eq!(columns(&rows), "ID                  PID\na-long-name-of-it   1\n");
    }
}
