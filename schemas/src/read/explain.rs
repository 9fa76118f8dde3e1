//! Turns what serde has to say into a rejection: which field, what is wrong, how to mend it.
//!
//! serde tells its seven complaints as text only, so this is the one place that reads that text; each branch has a
//! test that asserts the whole message. Names and values in it are a stranger's and must never pass unquoted.

use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::codes;
use crate::rejection::Rejection;
use crate::text::{clip, clip_escaped, quote};

/// How alike a written name and a right one must be for the right one to be suggested (Jaro-Winkler).
const ALIKE: f64 = 0.8;

/// A longer name is no slip of the pen, and comparing takes time.
const MAX_COMPARED: usize = 64;

/// The rejection for an error that came up while a document was read.
pub(super) fn rejection(what: &str, path: &Path, error: &serde_json::Error) -> Rejection {
    if error.classify() != Category::Data {
        return not_json(what, error);
    }
    let text = without_position(error);
    let segments: Vec<&Segment> = path.iter().collect();
    if let Some((name, known)) = named(&text, "unknown field `") {
        // The path ends with the unknown name itself: say where it stands.
        let parent = segments.split_last().map_or(&[][..], |(_, parent)| parent);
        return unknown_field(&field(parent), name, &known);
    }
    let at = field(&segments);
    let place = if at.is_empty() {
        format!("the {what}")
    } else {
        at.clone()
    };
    if let Some((name, known)) = named(&text, "unknown variant `") {
        return unknown_word(&place, name, &known);
    }
    if let Some(name) = unquoted(&text, "missing field `") {
        return Rejection::new(
            codes::MISSING_FIELD,
            format!("missing field {}{}", quote(name), inside(&at)),
            format!("add the field {}{}", quote(name), inside(&at)),
        );
    }
    if let Some(name) = unquoted(&text, "duplicate field `") {
        return Rejection::new(
            codes::DUPLICATE_FIELD,
            format!("duplicate field {}{}", quote(name), inside(&at)),
            "name each field once",
        );
    }
    mismatch(&place, &text)
}

/// The rejection for bytes that are no JSON.
pub(super) fn not_json(what: &str, error: &serde_json::Error) -> Rejection {
    Rejection::new(
        codes::INVALID_JSON,
        format!(
            "the {what} is not valid JSON: {}",
            clip_escaped(&error.to_string())
        ),
        "send one JSON object in UTF-8",
    )
}

fn unknown_field(parent: &str, name: &str, known: &[&str]) -> Rejection {
    let message = format!("unknown field {}{}", quote(name), inside(parent));
    match nearest(name, known) {
        Some(right) => Rejection::new(
            codes::UNKNOWN_FIELD,
            format!("{message}; did you mean \"{right}\"?"),
            format!("rename it to \"{right}\""),
        ),
        None => Rejection::new(
            codes::UNKNOWN_FIELD,
            message,
            format!("remove it; the fields here are {}", known.join(", ")),
        ),
    }
}

fn unknown_word(place: &str, word: &str, known: &[&str]) -> Rejection {
    let mut message = format!(
        "{place}: {} is not one of {}",
        quote(word),
        known.join(", ")
    );
    if let Some(right) = nearest(word, known) {
        message.push_str(&format!("; did you mean \"{right}\"?"));
    }
    Rejection::new(
        codes::INVALID_VALUE,
        message,
        format!("use one of {}", known.join(", ")),
    )
}

fn mismatch(place: &str, text: &str) -> Rejection {
    let (complaint, expected) = text.rsplit_once(", expected ").unwrap_or((text, ""));
    let expected = in_json_words(expected);
    if let Some(found) = complaint.strip_prefix("invalid type: ") {
        let found = clip_escaped(in_json_words(found));
        let hint = format!("write {place} as {expected}");
        Rejection::new(
            codes::WRONG_TYPE,
            format!("{place}: expected {expected}, found {found}"),
            hint,
        )
    } else if complaint.starts_with("invalid length ") {
        let hint = format!("use {expected}, or split the job");
        Rejection::new(
            codes::TOO_MANY,
            format!("{place}: too many, expected {expected}"),
            hint,
        )
    } else if let Some(found) = complaint.strip_prefix("invalid value: ") {
        let found = clip_escaped(found);
        let hint = format!("write {place} as {expected}");
        Rejection::new(
            codes::INVALID_VALUE,
            format!("{place}: expected {expected}, found {found}"),
            hint,
        )
    } else {
        let hint = "compare the field with the JSON Schema of the document";
        Rejection::new(
            codes::INVALID_VALUE,
            format!("{place}: {}", clip(text)),
            hint,
        )
    }
}

/// serde's words for types, in JSON's.
fn in_json_words(word: &str) -> &str {
    match word {
        "u32" => "a whole number",
        "u64" => "a positive whole number",
        "f64" => "a number",
        "map" => "an object",
        "sequence" => "a list",
        other => other,
    }
}

/// `files[2].path`, each name in it bounded and escaped.
fn field(segments: &[&Segment]) -> String {
    let mut text = String::new();
    for segment in segments {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&clip(name));
            }
            Segment::Unknown => text.push('?'),
        }
    }
    text
}

fn inside(parent: &str) -> String {
    if parent.is_empty() {
        String::new()
    } else {
        format!(" in {parent}")
    }
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    let name = name.to_lowercase();
    known
        .iter()
        .map(|right| (strsim::jaro_winkler(&name, right), *right))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, right)| right)
}

/// The name after `prefix`, and the names that serde would have known.
fn named<'a>(text: &'a str, prefix: &str) -> Option<(&'a str, Vec<&'a str>)> {
    // The name may hold anything, the right names may not: so the last separator is the true one.
    let (name, known) = text.strip_prefix(prefix)?.rsplit_once("`, expected ")?;
    Some((name, known.split('`').skip(1).step_by(2).collect()))
}

fn unquoted<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.strip_prefix(prefix)?.strip_suffix('`')
}

fn without_position(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    if text.ends_with(&position) {
        text.truncate(text.len() - position.len());
    }
    text
}
