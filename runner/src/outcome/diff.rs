//! Saying where an output differs from what was expected, for people: a line, and for one test the lines around it.
//!
//! What is shown was written by strangers. Must never pass on a control character, nor more than a few KiB, however
//! much there is to compare: only a window around the first difference is looked at more closely.

use std::fmt::Write as _;

use glovebox_schemas::job::Compare;
use similar::{Algorithm, ChangeTag, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};

use super::compare::Sides;
use super::unordered::{self, Surplus};

/// Pieces around a difference that are shown with it.
const CONTEXT: usize = 3;
/// Pieces of each side that are looked at.
const WINDOW: usize = 80;
/// Bytes of a piece that are shown.
const MOST_OF_A_PIECE: usize = 160;
/// Of these, bytes before the first that differs, where that is far from the beginning.
const LEAD: usize = 40;
/// Bytes of a diff, beyond its first line.
const MOST_BYTES: usize = 4096;

/// What is different: in one line, or with the lines around it. `None` if nothing is.
pub(super) fn difference(sides: &Sides<'_>, with_context: bool) -> Option<String> {
    if sides.how.compare == Compare::UnorderedLines {
        let (missing, unexpected) = unordered::surplus(sides);
        return (missing.count + unexpected.count > 0)
            .then(|| of_any_order(&missing, &unexpected, with_context));
    }
    let at = sides.first_difference()?;
    let mut text = headline(sides, at);
    if with_context {
        text.push_str(&unified(sides, at));
    }
    Some(text)
}

fn unit(sides: &Sides<'_>) -> &'static str {
    match sides.how.compare {
        Compare::Tokens | Compare::Floats => "token",
        _ => "line",
    }
}

fn headline(sides: &Sides<'_>, at: usize) -> String {
    let (got, expected) = (sides.got().nth(at), sides.expected().nth(at));
    let alike = match (got, expected) {
        (Some(got), Some(expected)) => got.iter().zip(expected).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    let is_far = alike > MOST_OF_A_PIECE / 2;
    let from = if is_far { alike - LEAD } else { 0 };
    let quoted = |piece: Option<&[u8]>| match piece {
        Some(piece) => format!("\"{}\"", excerpt(piece, from)),
        None => "nothing".to_owned(),
    };
    let byte = match is_far {
        true => format!(", byte {}", alike + 1),
        false => String::new(),
    };
    format!(
        "{} {}{byte}: expected {}, got {}",
        unit(sides),
        at + 1,
        quoted(expected),
        quoted(got)
    )
}

/// What differs around the piece `at`, in the manner of `diff -u`.
fn unified(sides: &Sides<'_>, at: usize) -> String {
    let first = at.saturating_sub(CONTEXT);
    let expected: Vec<&[u8]> = sides.expected().skip(first).take(WINDOW).collect();
    let got = sides.got().skip(first).take(WINDOW).enumerate();
    // A number that is near enough is no difference.
    let got: Vec<&[u8]> = got
        .map(|(index, piece)| match expected.get(index) {
            Some(expected) if sides.are_alike(piece, expected) => expected,
            _ => piece,
        })
        .collect();
    let mut ops = capture_diff_slices(Algorithm::Myers, &expected, &got);
    if expected.len() == WINDOW || got.len() == WINDOW {
        forget_the_edge(&mut ops);
    }
    let mut text = Bounded::new();
    for group in group_diff_ops(ops, CONTEXT) {
        let start = group.first().map_or(0, |op| op.old_range().start);
        text.line('@', &format!("@ {} {} @@", unit(sides), first + start + 1));
        for change in group.iter().flat_map(|op| op.iter_changes(&expected, &got)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            text.piece(sign, change.value(), sides.how.compare);
        }
    }
    text.0
}

/// What differs at the end of the window may only do so because the one side is seen farther than the other.
fn forget_the_edge(ops: &mut Vec<DiffOp>) {
    let is_equal = |op: &DiffOp| op.tag() == DiffTag::Equal;
    let first_change = ops.iter().position(|op| !is_equal(op));
    let last_equal = ops.iter().rposition(is_equal);
    if let (Some(change), Some(equal)) = (first_change, last_equal)
        && equal > change
    {
        ops.truncate(equal + 1);
    }
}

fn of_any_order(missing: &Surplus<'_>, unexpected: &Surplus<'_>, with_context: bool) -> String {
    let said = |surplus: &Surplus<'_>, what: &str| {
        let first = surplus.first.first()?;
        let more = match surplus.count - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("{what} line \"{}\"{more}", excerpt(first, 0)))
    };
    let parts = [said(missing, "missing"), said(unexpected, "unexpected")];
    let mut text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if with_context {
        let mut lines = Bounded::new();
        for (sign, surplus) in [('-', missing), ('+', unexpected)] {
            for line in &surplus.first {
                lines.piece(sign, line, Compare::UnorderedLines);
            }
        }
        text.push_str(&lines.0);
    }
    text
}

/// The lines of a diff, as many as there is room for.
struct Bounded(String);

impl Bounded {
    fn new() -> Bounded {
        Bounded("\n--- expected\n+++ got".to_owned())
    }

    fn piece(&mut self, sign: char, piece: &[u8], compare: Compare) {
        let line = piece.strip_suffix(b"\n").unwrap_or(piece);
        self.line(sign, &excerpt(line, 0));
        if compare == Compare::Exact && line.len() == piece.len() {
            self.line('\\', " no newline at the end");
        }
    }

    fn line(&mut self, sign: char, text: &str) {
        const CUT: &str = "\n…";
        if self.0.len() + text.len() < MOST_BYTES {
            self.0.push('\n');
            self.0.push(sign);
            self.0.push_str(text);
        } else if !self.0.ends_with(CUT) {
            self.0.push_str(CUT);
        }
    }
}

/// Part of a piece, with `…` where more is.
fn excerpt(piece: &[u8], from: usize) -> String {
    let start = character_start(piece, from);
    let end = character_start(piece, start + MOST_OF_A_PIECE);
    let before = if start > 0 { "…" } else { "" };
    let after = if end < piece.len() { "…" } else { "" };
    let shown = piece.get(start..end).unwrap_or_default();
    format!("{before}{}{after}", printable(shown))
}

/// The beginning of the character that the byte belongs to (RFC 3629: at most three bytes before it).
fn character_start(piece: &[u8], at: usize) -> usize {
    let at = at.min(piece.len());
    let is_start = |at: &usize| piece.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    (at.saturating_sub(3)..=at)
        .rev()
        .find(is_start)
        .unwrap_or(at)
}

/// A text as it can be shown anywhere: what is no letter, digit or sign is escaped, bytes that are no text are `\xff`.
/// Quotes stay as they are.
pub(super) fn printable(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\'' => shown.push(character),
                other => shown.extend(other.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            // Writing into a string does not fail.
            write!(shown, "\\x{byte:02x}").unwrap_or_default();
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::plan::How;
    use glovebox_schemas::job::Tolerance;

    fn said(got: &[u8], expected: &str, compare: Compare, with_context: bool) -> String {
        let how = How {
            compare,
            tolerance: Tolerance::default(),
        };
        let expected = expected.as_bytes();
        difference(&Sides { got, expected, how }, with_context).unwrap()
    }

    #[test]
    fn the_first_difference_is_named() {
        for (got, expected, compare, says) in [
            (
                "1\n2\n4\n",
                "1\n2\n3\n",
                Compare::Trimmed,
                r#"line 3: expected "3", got "4""#,
            ),
            (
                "1",
                "1 2",
                Compare::Tokens,
                r#"token 2: expected "2", got nothing"#,
            ),
            (
                "1.5 2.5",
                "1.5000001 3",
                Compare::Floats,
                r#"token 2: expected "3", got "2.5""#,
            ),
            (
                "1",
                "1\n",
                Compare::Exact,
                r#"line 1: expected "1\n", got "1""#,
            ),
            (
                "a\r\n",
                "a\n",
                Compare::Exact,
                r#"line 1: expected "a\n", got "a\r\n""#,
            ),
            (
                "b\nx",
                "a\nb\nc",
                Compare::UnorderedLines,
                r#"missing line "a" and 1 more, unexpected line "x""#,
            ),
            (
                "b\nb",
                "b",
                Compare::UnorderedLines,
                r#"unexpected line "b""#,
            ),
        ] {
            assert_eq!(said(got.as_bytes(), expected, compare, false), says);
        }
    }

    #[test]
    fn what_is_around_it_is_shown_as_by_diff() {
        let expected: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let got = expected
            .replace("\n10\n", "\nten\n")
            .replace("\n15\n", "\n");
        let text = said(got.as_bytes(), &expected, Compare::Trimmed, true);
        let shown = "line 10: expected \"10\", got \"ten\"\n--- expected\n+++ got\n@@ line 7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n 14\n-15\n 16\n 17\n 18";
        assert_eq!(text, shown);
        let text = said(b"a\nb", "a\nc\n", Compare::Exact, true);
        let shown = "line 2: expected \"c\\n\", got \"b\"\n--- expected\n+++ got\n@@ line 1 @@\n a\n-c\n+b\n\\ no newline at the end";
        assert_eq!(text, shown);
        let text = said(b"1.00000001 2 4", "1 2 3", Compare::Floats, true);
        assert!(text.ends_with("@@ token 1 @@\n 1\n 2\n-3\n+4"), "{text}");
        let text = said(b"b\nx", "a\nb\nc", Compare::UnorderedLines, true);
        assert!(
            text.ends_with("--- expected\n+++ got\n-a\n-c\n+x"),
            "{text}"
        );
    }

    #[test]
    fn a_line_more_at_the_top_is_that_and_nothing_at_the_end() {
        let expected: String = (0..1000).map(|n| format!("{n}\n")).collect();
        let got = format!("more\n{expected}");
        let text = said(got.as_bytes(), &expected, Compare::Trimmed, true);
        assert!(text.ends_with("@@ line 1 @@\n+more\n 0\n 1\n 2"), "{text}");
    }

    #[test]
    fn hostile_output_is_shown_short_and_printable() {
        let escapes = "\u{1b}[2J\u{202e}\0\r\t\\\"'é".as_bytes();
        assert_eq!(
            said(escapes, "", Compare::Tokens, false),
            r#"token 1: expected nothing, got "\u{1b}[2J\u{202e}\0""#
        );
        assert_eq!(printable(b"\xff\xfea\r\\\"'"), r#"\xff\xfea\r\\"'"#);
        let long = "é".repeat(5_000_000);
        let worst = "\u{10ffff}".repeat(1_000_000);
        let many = "\u{10ffff}\u{10ffff}\n".repeat(1_000_000);
        for got in [
            long.as_bytes(),
            worst.as_bytes(),
            many.as_bytes(),
            &[0xff; 10_000_000],
        ] {
            for compare in [
                Compare::Exact,
                Compare::Trimmed,
                Compare::Tokens,
                Compare::Floats,
                Compare::UnorderedLines,
            ] {
                let text = said(got, "é", compare, true);
                assert!(text.len() < 8 << 10, "{compare:?}: {}", text.len());
                let is_bad = |c: char| c.is_control() && c != '\n' || c == '\u{fffd}';
                assert!(!text.contains(is_bad), "{text}");
            }
        }
    }

    #[test]
    fn in_a_long_line_the_place_is_shown() {
        let line = "ab".repeat(100_000);
        let other = format!("{}X{}", &line[..150_000], &line[150_001..]);
        let text = said(line.as_bytes(), &other, Compare::Trimmed, false);
        let lead = "ab".repeat(20);
        let start = format!("line 1, byte 150001: expected \"…{lead}Xb");
        assert!(text.starts_with(&start), "{text}");
        assert!(text.contains(&format!("got \"…{lead}abab")), "{text}");
        // A character is shown whole or not at all.
        let line = "é".repeat(1000);
        let text = said(
            line.as_bytes(),
            &line.replacen('é', "è", 1),
            Compare::Trimmed,
            false,
        );
        assert!(
            text.contains(&format!("got \"{}…\"", "é".repeat(80))),
            "{text}"
        );
        let cut = format!("a{line}");
        let text = said(cut.as_bytes(), "b", Compare::Trimmed, false);
        assert!(
            text.contains(&format!("got \"a{}…\"", "é".repeat(79))),
            "{text}"
        );
    }
}
