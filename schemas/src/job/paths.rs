//! Paths of files and globs of outputs: always inside the working folder, always what a kernel takes.
//!
//! A path that is wrong is refused, never cleaned up: two readers of one path must not come to different files.

use std::collections::HashMap;
use std::fmt::Display;

use super::JobFile;
use super::caps::{MAX_COMPONENT_BYTES, MAX_PATH_BYTES};
use crate::codes;
use crate::rejection::Rejection;
use crate::text::quote;

/// Refuses a path that leaves the working folder or cannot be a file's.
pub(super) fn check(field: impl Display, path: &str) -> Result<(), Rejection> {
    let reason = match flaw(path) {
        None => return Ok(()),
        Some(reason) => reason,
    };
    Err(Rejection::new(
        codes::INVALID_PATH,
        format!("{field}: {} {reason}", quote(path)),
        "write a path relative to the working folder, such as \"src/main.py\"",
    ))
}

fn flaw(path: &str) -> Option<String> {
    if path.is_empty() {
        return Some("is empty".into());
    }
    if path.len() > MAX_PATH_BYTES {
        return Some(format!(
            "is {} bytes long, at most {MAX_PATH_BYTES} are allowed",
            path.len()
        ));
    }
    if path.contains(char::is_control) {
        return Some("has a control character in it".into());
    }
    if path.starts_with('/') {
        return Some("is absolute".into());
    }
    path.split('/').find_map(|component| match component {
        "" => Some("has an empty component or ends with \"/\"".into()),
        "." | ".." => Some(format!("has the component \"{component}\"")),
        long if long.len() > MAX_COMPONENT_BYTES => Some(format!(
            "has a component of more than {MAX_COMPONENT_BYTES} bytes"
        )),
        _ => None,
    })
}

/// Refuses two files of one path, and a file where another needs a folder.
pub(super) fn check_conflicts(field: &str, files: &[JobFile]) -> Result<(), Rejection> {
    let mut seen = HashMap::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        if let Some(first) = seen.insert(file.path.as_str(), index) {
            return Err(Rejection::new(
                codes::PATH_CONFLICT,
                format!(
                    "{field}[{index}].path: {} is also the path of {field}[{first}]",
                    quote(&file.path)
                ),
                "give each file a path of its own",
            ));
        }
    }
    for (index, file) in files.iter().enumerate() {
        for (slash, _) in file.path.match_indices('/') {
            if let Some(other) = seen.get(&file.path[..slash]) {
                return Err(Rejection::new(
                    codes::PATH_CONFLICT,
                    format!(
                        "{field}[{index}].path: {} needs a folder where {field}[{other}] is a file",
                        quote(&file.path)
                    ),
                    "rename one of the two",
                ));
            }
        }
    }
    Ok(())
}
