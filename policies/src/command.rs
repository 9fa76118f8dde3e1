//! Command lines with placeholders, as profiles write them.
//!
//! A job chooses the names of its files. None of them may ever become an option of a program: one that begins with a dash
//! gets `./` before it.

use crate::document::Item;
use crate::error::PolicyError;

/// The file that is run.
pub(crate) const ENTRYPOINT: &str = "{entrypoint}";
/// The same without its suffix.
const STEM: &str = "{stem}";
/// A word of its own: every file of the job with the entrypoint's suffix, the entrypoint first.
const SOURCES: &str = "{sources}";

/// A placeholder that a command has to hold, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// `{entrypoint}` or `{stem}`, once.
    Program,
    /// `{entrypoint}` or `{sources}`, once.
    Sources,
    /// Nothing: the command is complete.
    Nothing,
    /// As `Program`, or nothing: the compiler made what is run.
    ProgramOrNothing,
}

/// Reads a command: an absolute path and its words.
pub(crate) fn command(item: &Item<'_>, holds: Holds) -> Result<Vec<String>, PolicyError> {
    let words = item.texts()?;
    if !words
        .first()
        .is_some_and(|program| program.starts_with('/') && !program.contains('{'))
    {
        return Err(item.refuse(
            "does not begin with the absolute path of a program",
            "write [\"/usr/bin/interpreter\", …]",
        ));
    }
    if let Some(word) = words
        .iter()
        .find(|word| word.contains(SOURCES) && *word != SOURCES)
    {
        return Err(item.refuse(
            format!("{word:?} has {SOURCES} within a word, and it becomes several"),
            format!("make {SOURCES:?} a word of its own"),
        ));
    }
    let count = |names: &[&str]| {
        let held = |word: &String| {
            names
                .iter()
                .map(|name| word.matches(name).count())
                .sum::<usize>()
        };
        words.iter().map(held).sum::<usize>()
    };
    let (wanted, other, what): (&[&str], &[&str], &str) = match holds {
        Holds::Program | Holds::ProgramOrNothing => {
            (&[ENTRYPOINT, STEM], &[SOURCES], "{entrypoint} (or {stem})")
        }
        Holds::Sources => (&[ENTRYPOINT, SOURCES], &[STEM], "{entrypoint} or {sources}"),
        Holds::Nothing => (&[], &[ENTRYPOINT, STEM, SOURCES], "no placeholder"),
    };
    let enough = match holds {
        Holds::Nothing => count(wanted) == 0,
        Holds::ProgramOrNothing => count(wanted) <= 1,
        Holds::Program | Holds::Sources => count(wanted) == 1,
    };
    if enough && count(other) == 0 {
        return Ok(words);
    }
    Err(item.refuse(
        format!(
            "has to hold {what}{}",
            if wanted.is_empty() { "" } else { " once" }
        ),
        "put the placeholder where the program takes the job's file, and no other",
    ))
}

/// The command for an entrypoint: a path relative to the working folder.
pub(crate) fn fill(words: &[String], entrypoint: &str, sources: &[String]) -> Vec<String> {
    let file = never_an_option(entrypoint);
    let stem = file
        .rsplit_once('.')
        .filter(|(stem, suffix)| !stem.is_empty() && !stem.ends_with('/') && !suffix.contains('/'))
        .map_or(file.as_str(), |(stem, _)| stem);
    let mut filled = Vec::with_capacity(words.len());
    for word in words {
        if word == SOURCES {
            filled.push(file.clone());
            let others = sources
                .iter()
                .filter(|source| *source != entrypoint && suffix(source) == suffix(entrypoint));
            filled.extend(others.map(|source| never_an_option(source)));
        } else {
            // The two are never in one word: a stem that reads "{entrypoint}" stays what it is.
            let placeholder = if word.contains(STEM) {
                (STEM, stem)
            } else {
                (ENTRYPOINT, &*file)
            };
            filled.push(word.replace(placeholder.0, placeholder.1));
        }
    }
    filled
}

fn suffix(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    name.rsplit_once('.').map(|(_, suffix)| suffix)
}

fn never_an_option(path: &str) -> String {
    // Some programs read a list of arguments from a file that is named behind an @.
    if path.starts_with(['-', '@']) {
        format!("./{path}")
    } else {
        path.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(words: &[&str], entrypoint: &str, sources: &[&str]) -> Vec<String> {
        let own = |words: &[&str]| {
            words
                .iter()
                .map(|&word| word.to_owned())
                .collect::<Vec<_>>()
        };
        fill(&own(words), entrypoint, &own(sources))
    }

    #[test]
    fn sources_are_those_of_the_suffix_with_the_entrypoint_first() {
        let sources = ["a.h", "-l.c", "b/x.c", "main.c", "@y.c", "c", "d.c/e"];
        assert_eq!(
            filled(&["cc", "{sources}", "-lm"], "main.c", &sources),
            ["cc", "main.c", "./-l.c", "b/x.c", "./@y.c", "-lm"]
        );
        assert_eq!(
            filled(&["cc", "{sources}"], "-c.c", &["-c.c"]),
            ["cc", "./-c.c"]
        );
    }

    #[test]
    fn a_stem_has_lost_its_suffix_and_no_more() {
        for (entrypoint, stem) in [
            ("Main.java", "Main"),
            ("a.b/Main.java", "a.b/Main"),
            ("a.b/Main", "a.b/Main"),
            ("-cp.java", "./-cp"),
            (".java", ".java"),
            ("a/.java", "a/.java"),
            ("{entrypoint}.java", "{entrypoint}"),
        ] {
            assert_eq!(filled(&["{stem}"], entrypoint, &[]), [stem], "{entrypoint}");
        }
    }
}
