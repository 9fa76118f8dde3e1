//! Comparing what a test wrote with what was expected: whether they agree, and if not, where they first differ.
//!
//! What is written is hostile: one pass over it, and no memory that grows with it.

use std::str;

use glovebox_schemas::job::{Compare, Tolerance};

use super::unordered;
use crate::plan::How;

/// What is compared with what, and how.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) got: &'a [u8],
    pub(super) expected: &'a [u8],
    pub(super) how: How,
}

/// Lines or tokens, as a mode sees them.
pub(super) type Pieces<'a> = Box<dyn Iterator<Item = &'a [u8]> + 'a>;

impl<'a> Sides<'a> {
    /// Whether that is the output expected.
    pub(super) fn agree(&self) -> bool {
        match self.how.compare {
            Compare::UnorderedLines => unordered::agree(self),
            _ => self.first_difference().is_none(),
        }
    }

    /// Which piece is the first to differ, from 0.
    pub(super) fn first_difference(&self) -> Option<usize> {
        let (mut got, mut expected) = (self.got(), self.expected());
        for at in 0.. {
            match (got.next(), expected.next()) {
                (None, None) => return None,
                (Some(got), Some(expected)) if self.are_alike(got, expected) => {}
                _ => return Some(at),
            }
        }
        None
    }

    pub(super) fn got(&self) -> Pieces<'a> {
        pieces(self.got, self.how.compare)
    }

    pub(super) fn expected(&self) -> Pieces<'a> {
        pieces(self.expected, self.how.compare)
    }

    /// Whether one piece will do for another.
    pub(super) fn are_alike(&self, got: &[u8], expected: &[u8]) -> bool {
        let as_numbers = self.how.compare == Compare::Floats;
        got == expected || as_numbers && are_near(got, expected, self.how.tolerance)
    }
}

fn pieces(text: &[u8], compare: Compare) -> Pieces<'_> {
    match compare {
        Compare::Exact => Box::new(text.split_inclusive(is_newline)),
        Compare::Tokens | Compare::Floats => tokens(text),
        Compare::Trimmed | Compare::UnorderedLines | Compare::Checker => {
            let text = trim_end(text);
            let lines = (!text.is_empty()).then(|| text.split(is_newline).map(trim_end));
            Box::new(lines.into_iter().flatten())
        }
    }
}

fn is_newline(byte: &u8) -> bool {
    *byte == b'\n'
}

fn tokens(text: &[u8]) -> Pieces<'_> {
    match str::from_utf8(text) {
        Ok(text) => Box::new(text.split_whitespace().map(str::as_bytes)),
        // It differs from any text that was expected; this is only about where.
        Err(_) => Box::new(
            text.split(u8::is_ascii_whitespace)
                .filter(|token| !token.is_empty()),
        ),
    }
}

fn trim_end(text: &[u8]) -> &[u8] {
    match str::from_utf8(text) {
        Ok(text) => text.trim_end().as_bytes(),
        Err(_) => text.trim_ascii_end(),
    }
}

/// Whether both are numbers, and near enough. What is not a number (NaN) is like another that is none, and infinity like
/// itself alone.
fn are_near(got: &[u8], expected: &[u8], tolerance: Tolerance) -> bool {
    let (Some(got), Some(expected)) = (number(got), number(expected)) else {
        return false;
    };
    if !(got.is_finite() && expected.is_finite()) {
        return got == expected || got.is_nan() && expected.is_nan();
    }
    let off = (got - expected).abs();
    off <= tolerance.absolute || off <= tolerance.relative * expected.abs()
}

/// A number as most languages print it: `-1.5e3`, `inf`, `nan`. One that is too large for 64 bits is none.
fn number(token: &[u8]) -> Option<f64> {
    let value: f64 = str::from_utf8(token).ok()?.parse().ok()?;
    let is_meant = value.is_finite() || !token.iter().any(u8::is_ascii_digit);
    is_meant.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agree(got: &str, expected: &str, compare: Compare) -> bool {
        near(got, expected, compare, Tolerance::default())
    }

    fn near(got: &str, expected: &str, compare: Compare, tolerance: Tolerance) -> bool {
        let how = How { compare, tolerance };
        let (got, expected) = (got.as_bytes(), expected.as_bytes());
        Sides { got, expected, how }.agree()
    }

    #[test]
    fn each_mode_forgives_what_it_says() {
        for (got, expected, forgiving) in [
            ("a\n", "a\n", "exact trimmed tokens unordered"),
            ("a", "a\n", "trimmed tokens unordered"),
            ("a  \nb\n\n", "a\nb", "trimmed tokens unordered"),
            ("a\r\nb\r\n", "a\nb\n", "trimmed tokens unordered"),
            ("a\u{2003}\n", "a", "trimmed tokens unordered"),
            (" a", "a", "tokens"),
            ("a b", "a\nb", "tokens"),
            ("a b", "ab", ""),
            ("a\n\nb", "a\nb", "tokens unordered"),
            ("b\na\n", "a\nb\n", "unordered"),
            ("a\nb\na", "b\na\na", "unordered"),
            ("a\nb\nb", "b\na\na", ""),
            ("a\na", "a", ""),
            ("", "", "exact trimmed tokens unordered"),
            ("\n \n", "", "trimmed tokens unordered"),
            ("\u{fffd}", "\u{fffd}", "exact trimmed tokens unordered"),
        ] {
            for (name, compare) in [
                ("exact", Compare::Exact),
                ("trimmed", Compare::Trimmed),
                ("tokens", Compare::Tokens),
                ("unordered", Compare::UnorderedLines),
            ] {
                let forgives = forgiving.contains(name);
                let case = format!("{got:?} {expected:?} {name}");
                assert_eq!(agree(got, expected, compare), forgives, "{case}");
                assert_eq!(agree(expected, got, compare), forgives, "{case}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_not_what_stands_for_it() {
        for compare in [
            Compare::Exact,
            Compare::Trimmed,
            Compare::Tokens,
            Compare::Floats,
            Compare::UnorderedLines,
        ] {
            let how = How {
                compare,
                tolerance: Tolerance::default(),
            };
            let (got, expected) = (&b"a \xff"[..], "a \u{fffd}".as_bytes());
            assert!(!Sides { got, expected, how }.agree(), "{compare:?}");
        }
    }

    #[test]
    fn numbers_may_differ_by_either_tolerance() {
        let floats = |got, expected, absolute, relative| {
            near(
                got,
                expected,
                Compare::Floats,
                Tolerance { absolute, relative },
            )
        };
        for (got, expected, absolute, relative, agrees) in [
            ("1.0", "1", 0.0, 0.0, true),
            ("+1e0", "1", 0.0, 0.0, true),
            (".5", "0.5", 0.0, 0.0, true),
            ("1.25", "1", 0.25, 0.0, true),
            ("1.25", "1", 0.24, 0.0, false),
            ("125", "100", 0.0, 0.25, true),
            ("126", "100", 0.0, 0.25, false),
            // A part of what was expected, not of what was written.
            ("100", "125", 0.0, 0.21, true),
            ("125", "100", 0.0, 0.21, false),
            ("-0.0", "0", 0.0, 0.0, true),
            ("0.1", "0", 0.0, 1e9, false),
            ("nan", "NaN", 0.0, 0.0, true),
            ("nan", "0", 1e9, 1e9, false),
            ("0", "nan", 1e9, 1e9, false),
            ("inf", "Infinity", 0.0, 0.0, true),
            ("-inf", "inf", 1e9, 1e9, false),
            ("1e308", "inf", 1e9, 1e9, false),
            ("inf", "1e308", 1e9, 1e9, false),
            ("1e999", "2e999", 1e9, 1e9, false),
            ("1e999", "inf", 1e9, 1e9, false),
            ("1e999", "1e999", 0.0, 0.0, true),
            ("1,5", "1.5", 1e9, 1e9, false),
            ("0x10", "16", 1e9, 1e9, false),
            ("x = 1.0001", "x  =\n1", 0.001, 0.0, true),
            ("y = 1", "x = 1", 0.001, 0.0, false),
            ("1 2", "1", 1e9, 1e9, false),
        ] {
            let case = format!("{got} {expected} {absolute} {relative}");
            assert_eq!(floats(got, expected, absolute, relative), agrees, "{case}");
        }
    }

    /// Few letters, so that two texts are often nearly the same.
    fn text() -> impl Strategy<Value = String> {
        "[ab1. \t\n]{0,12}"
    }

    proptest! {
        #[test]
        fn a_text_agrees_with_itself(text in any::<String>()) {
            for compare in [Compare::Exact, Compare::Trimmed, Compare::Tokens, Compare::Floats, Compare::UnorderedLines] {
                prop_assert!(agree(&text, &text, compare));
            }
        }

        #[test]
        fn each_mode_is_the_plain_one_and_forgives_more_than_the_one_before(got in text(), expected in text()) {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let lines = |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
            let sorted = |text: &str| {
                let mut lines = lines(text);
                lines.retain(|line| !line.is_empty());
                lines.sort();
                lines
            };
            prop_assert_eq!(agree(&got, &expected, Compare::Exact), got == expected);
            prop_assert_eq!(agree(&got, &expected, Compare::Trimmed), lines(&got) == lines(&expected));
            prop_assert_eq!(agree(&got, &expected, Compare::Tokens), words(&got) == words(&expected));
            prop_assert_eq!(agree(&got, &expected, Compare::UnorderedLines), sorted(&got) == sorted(&expected));
            for (strict, mild) in [
                (Compare::Exact, Compare::Trimmed),
                (Compare::Trimmed, Compare::Tokens),
                (Compare::Trimmed, Compare::UnorderedLines),
                (Compare::Tokens, Compare::Floats),
            ] {
                prop_assert!(!agree(&got, &expected, strict) || agree(&got, &expected, mild));
            }
        }

        #[test]
        fn lines_may_come_in_any_order(mut lines in proptest::collection::vec("[a-c]{0,3}", 0..8), seed in any::<u64>()) {
            let expected = lines.join("\n");
            fastrand::Rng::with_seed(seed).shuffle(&mut lines);
            prop_assert!(agree(&lines.join("\n"), &expected, Compare::UnorderedLines));
            lines.push("d".to_owned());
            prop_assert!(!agree(&lines.join("\n"), &expected, Compare::UnorderedLines));
        }

        #[test]
        fn a_number_is_near_itself_however_it_is_written(value in any::<f64>()) {
            let tolerance = Tolerance { absolute: 0.0, relative: 0.0 };
            let (got, expected) = (format!("{value:e}"), value.to_string());
            prop_assert!(near(&got, &expected, Compare::Floats, tolerance));
        }

        #[test]
        fn numbers_are_as_near_as_is_said(expected in -1e6..1e6_f64, off in -2.0..2.0_f64, absolute in 0.0..1.0_f64) {
            let tolerance = Tolerance { absolute, relative: 0.0 };
            let got = expected + off;
            let is_near = (got - expected).abs() <= absolute;
            prop_assert_eq!(near(&got.to_string(), &expected.to_string(), Compare::Floats, tolerance), is_near);
        }

        #[test]
        fn bytes_never_panic(got in proptest::collection::vec(any::<u8>(), 0..64), expected in any::<String>()) {
            for compare in [Compare::Exact, Compare::Trimmed, Compare::Tokens, Compare::Floats, Compare::UnorderedLines] {
                let how = How { compare, tolerance: Tolerance::default() };
                let sides = Sides { got: &got, expected: expected.as_bytes(), how };
                prop_assert_eq!(sides.agree(), super::super::diff::difference(&sides, true).is_none());
            }
        }
    }
}
