//! Rows of text, one column for each program.

use std::fmt::Write as _;

/// A table under way: the first column names the row.
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        let mut table = Self {
            title: title.into(),
            rows: Vec::new(),
        };
        table.row("", columns);
        table
    }

    pub fn row(&mut self, name: &str, cells: &[impl AsRef<str>]) {
        let mut row = vec![name.to_owned()];
        row.extend(cells.iter().map(|cell| cell.as_ref().to_owned()));
        self.rows.push(row);
    }

    /// Prints it in aligned columns.
    pub fn print(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        println!("\n{}", self.title);
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Writing to a String cannot fail.
                let _ = if column == 0 {
                    write!(line, "  {cell:<width$}")
                } else {
                    write!(line, "  {cell:>width$}")
                };
            }
            println!("{}", line.trim_end());
        }
    }
}
