//! The README's figures, between two marks: the goals, and Python's way through everything.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;

use super::{Report, table};

const BEGIN: &str = "<!-- figures: written by ops/bench/run -->\n";
const END: &str = "<!-- /figures -->";

/// Exchanges what is between the marks.
pub(super) fn write(report: &Report, path: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let text = exchanged(&text, &figures(report)?)?;
    std::fs::write(path, text).with_context(|| path.display().to_string())
}

fn figures(report: &Report) -> anyhow::Result<String> {
    let mut text = table::goals(report)?;
    let host = &report.host;
    writeln!(
        text,
        "\n`python3 -I -S -c 'print(1)'` and the job that is the same, on {} processors, Linux {}:\n",
        host.processors, host.kernel
    )?;
    text.push_str(&table::program_table(report, "python")?);
    text.push('\n');
    text.push_str(&table::besides(report)?);
    Ok(text)
}

fn exchanged(text: &str, figures: &str) -> anyhow::Result<String> {
    let (before, rest) = text
        .split_once(BEGIN)
        .context("the README has no figures")?;
    let (_, after) = rest
        .split_once(END)
        .context("the README's figures have no end")?;
    Ok(format!("{before}{BEGIN}{figures}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_exchanged() {
        let text = format!("a\n{BEGIN}old\n{END}\nb\n");
        let new = exchanged(&text, "new\n").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}new\n{END}\nb\n"));
        assert!(exchanged("a", "new").is_err());
    }
}
