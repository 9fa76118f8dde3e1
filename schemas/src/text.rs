//! Quotes what strangers wrote, for messages and logs.
//!
//! Nothing of a hostile value may leave this module unbounded or with a control character in it.

/// How many characters of a hostile value a message shows at most.
pub(crate) const MAX_QUOTED: usize = 80;

/// The value in double quotes, escaped and cut to [`MAX_QUOTED`] characters.
pub(crate) fn quote(value: &str) -> String {
    format!("\"{}\"", clip(value))
}

/// The value escaped and cut to [`MAX_QUOTED`] characters.
pub(crate) fn clip(value: &str) -> String {
    cut(value.chars().flat_map(escape))
}

/// Cuts a text that is escaped already; a control character in it is still never passed on.
pub(crate) fn clip_escaped(value: &str) -> String {
    cut(value.chars().flat_map(|c| match c {
        '"' | '\\' => Escaped::Same(Some(c)),
        other => escape(other),
    }))
}

fn cut(mut escaped: impl Iterator<Item = char>) -> String {
    let mut shown: String = escaped.by_ref().take(MAX_QUOTED).collect();
    if escaped.next().is_some() {
        shown.push('…');
    }
    shown
}

enum Escaped {
    Same(Option<char>),
    Debug(std::char::EscapeDebug),
}

impl Iterator for Escaped {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Self::Same(c) => c.take(),
            Self::Debug(escape) => escape.next(),
        }
    }
}

fn escape(c: char) -> Escaped {
    if c == '\'' {
        Escaped::Same(Some(c))
    } else {
        Escaped::Debug(c.escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_values_are_cut_and_escaped() {
        assert_eq!(quote("plain it's"), "\"plain it's\"");
        assert_eq!(
            quote("a\n\u{1b}[31m\"\0\u{202e}"),
            "\"a\\n\\u{1b}[31m\\\"\\0\\u{202e}\""
        );
        assert_eq!(quote(&"x".repeat(5_000)).chars().count(), MAX_QUOTED + 3);
        assert_eq!(clip_escaped("string \"a\\n\""), "string \"a\\n\"");
        assert_eq!(clip_escaped("a\u{1b}b"), "a\\u{1b}b");
    }
}
