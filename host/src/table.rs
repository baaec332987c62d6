//! Tables for terminals.

use std::fmt;

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a head line, in columns as wide as their widest cell.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new<const N: usize>(columns: [(&'static str, Align); N]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; control characters in it are escaped, since names come from files.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| printable(&cell)).to_vec());
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// `text` with control characters escaped.
pub fn printable(text: &str) -> String {
    if text.contains(char::is_control) { text.escape_debug().collect() } else { text.to_owned() }
}

/// A layer's name as tables show it: of the names that a converter joined with `;` the first, and of a
/// long one its end.
pub fn short_name(name: &str) -> String {
    const MAX: usize = 40;
    let first = name.split(';').next().unwrap_or_default();
    let length = first.chars().count();
    match length > MAX {
        true => format!("...{}", first.chars().skip(length - MAX + 3).collect::<String>()),
        false => first.to_owned(),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&head]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        for row in [&head].into_iter().chain(&self.rows) {
            let mut line = String::from(" ");
            for ((cell, &width), &(_, align)) in row.iter().zip(&widths).zip(&self.columns) {
                line.push(' ');
                line.push_str(&match align {
                    Align::Left => format!("{cell:<width$} "),
                    Align::Right => format!("{cell:>width$} "),
                });
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A count and what is counted: `1 output`, `2 outputs`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A number of bytes, in the unit that suits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        let text = match self.0 {
            0..1024 => format!("{} B", self.0),
            1024..1_048_576 => format!("{:.1} KiB", bytes / 1024.0),
            _ => format!("{:.1} MiB", bytes / 1_048_576.0),
        };
        f.pad(&text)
    }
}

/// A count, with a thin mark between thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// A tensor's extents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape<'a>(pub &'a [usize]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extents: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.pad(&if extents.is_empty() { "scalar".to_owned() } else { extents.join("x") })
    }
}

/// A share of 1 as a percentage with one decimal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percent(pub f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.1} %", self.0 * 100.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let mut table = Table::new([("layer", Align::Left), ("bytes", Align::Right)]);
        table.row(["dense\u{1b}".into(), Count(1_234_567).to_string()]);
        table.row(["x".into(), "7".into()]);
        assert_eq!(
            table.to_string(),
            "  layer            bytes\n  dense\\u{1b}  1,234,567\n  x                    7\n"
        );
    }

    #[test]
    fn long_names_are_shortened() {
        assert_eq!(short_name("a/Relu;b/BiasAdd"), "a/Relu");
        assert_eq!(short_name(&"x".repeat(40)), "x".repeat(40));
        assert_eq!(short_name(&format!("head/{}", "x".repeat(40))), format!("...{}", "x".repeat(37)));
    }

    #[test]
    fn quantities() {
        assert_eq!(Bytes(1023).to_string(), "1023 B");
        assert_eq!(Bytes(16_384).to_string(), "16.0 KiB");
        assert_eq!(Bytes(4 << 20).to_string(), "4.0 MiB");
        assert_eq!(Count(999).to_string(), "999");
        assert_eq!(Count(1000).to_string(), "1,000");
        assert_eq!(Shape(&[1, 49, 10, 1]).to_string(), "1x49x10x1");
        assert_eq!(Shape(&[]).to_string(), "scalar");
        assert_eq!(Percent(0.92666).to_string(), "92.7 %");
    }
}
