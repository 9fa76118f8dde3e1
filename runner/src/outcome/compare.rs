//! Comparing a test's output with what was expected.

use glovebox_schemas::job::Compare;

/// The first place where output and expectation differ, in a line; `None` when they agree.
pub(super) fn difference(got: &[u8], expected: &[u8], compare: Compare) -> Option<String> {
    let (got, expected) = (
        String::from_utf8_lossy(got),
        String::from_utf8_lossy(expected),
    );
    let lines = |text: &str| -> Vec<String> {
        match compare {
            Compare::Exact => text.split('\n').map(str::to_owned).collect(),
            Compare::Trimmed => text
                .trim_end()
                .lines()
                .map(|l| l.trim_end().to_owned())
                .collect(),
            Compare::Tokens => text.split_whitespace().map(str::to_owned).collect(),
        }
    };
    let (got, expected) = (lines(&got), lines(&expected));
    let unit = if compare == Compare::Tokens {
        "token"
    } else {
        "line"
    };
    let longest = got.len().max(expected.len());
    (0..longest)
        .find(|at| got.get(*at) != expected.get(*at))
        .map(|at| {
            let shown = |side: &[String]| match side.get(at) {
                Some(text) => format!("{:?}", text.chars().take(200).collect::<String>()),
                None => "nothing".to_owned(),
            };
            format!(
                "{unit} {}: expected {}, got {}",
                at + 1,
                shown(&expected),
                shown(&got)
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_forgives_what_it_says() {
        for (got, expected, exact, trimmed, tokens) in [
            ("a\n", "a\n", true, true, true),
            ("a", "a\n", false, true, true),
            ("a  \nb\n\n", "a\nb", false, true, true),
            ("a b", "a\nb", false, false, true),
            ("a b", "ab", false, false, false),
            ("", "", true, true, true),
        ] {
            let agrees = |mode| difference(got.as_bytes(), expected.as_bytes(), mode).is_none();
            assert_eq!(agrees(Compare::Exact), exact, "{got:?} {expected:?}");
            assert_eq!(agrees(Compare::Trimmed), trimmed, "{got:?} {expected:?}");
            assert_eq!(agrees(Compare::Tokens), tokens, "{got:?} {expected:?}");
        }
    }

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(
            difference(b"1\n2\n4\n", b"1\n2\n3\n", Compare::Trimmed).as_deref(),
            Some("line 3: expected \"3\", got \"4\"")
        );
        assert_eq!(
            difference(b"1", b"1 2", Compare::Tokens).as_deref(),
            Some("token 2: expected \"2\", got nothing")
        );
    }
}
