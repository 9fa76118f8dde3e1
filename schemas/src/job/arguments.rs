//! Arguments and environment: what `execve` takes, and no more.
//!
//! A job that gets past here must never fail with `E2BIG` or `EINVAL` inside the cell, where the sender would read it
//! as our failure.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::caps::{MAX_ARG_BYTES, MAX_ARGS_ENV_BYTES};
use crate::codes;
use crate::rejection::Rejection;
use crate::text::quote;

const USE_FILES: &str = "hand large inputs over in \"stdin\" or \"files\"";

/// Checks each variable and returns how many bytes they take together.
pub(super) fn check_env(env: &BTreeMap<String, String>) -> Result<usize, Rejection> {
    let mut total = 0;
    for (name, value) in env {
        if !is_variable(name) {
            return Err(Rejection::new(
                codes::INVALID_VALUE,
                format!("env: {} cannot be a variable's name", quote(name)),
                "use letters, digits and \"_\", and no digit first",
            ));
        }
        let size = name.len() + 1 + value.len();
        check_one(|| format!("env.{}", crate::text::clip(name)), value, size)?;
        total += size + 1;
    }
    Ok(total)
}

/// Checks each argument, and that they fit together with an environment of this size.
pub(super) fn check_args(
    field: impl Display,
    args: &[String],
    env_bytes: usize,
) -> Result<(), Rejection> {
    let mut total = env_bytes;
    for (index, arg) in args.iter().enumerate() {
        check_one(|| format!("{field}[{index}]"), arg, arg.len())?;
        total += arg.len() + 1;
    }
    if total > MAX_ARGS_ENV_BYTES {
        return Err(Rejection::new(
            codes::TOO_LONG,
            format!(
                "{field}: {total} bytes together with env, at most {MAX_ARGS_ENV_BYTES} are allowed"
            ),
            USE_FILES,
        ));
    }
    Ok(())
}

fn check_one(field: impl Fn() -> String, value: &str, size: usize) -> Result<(), Rejection> {
    if value.contains('\0') {
        let message = format!("{}: has a NUL character in it", field());
        return Err(Rejection::new(codes::INVALID_VALUE, message, USE_FILES));
    }
    if size > MAX_ARG_BYTES {
        let message = format!(
            "{}: {size} bytes, at most {MAX_ARG_BYTES} are allowed",
            field()
        );
        return Err(Rejection::new(codes::TOO_LONG, message, USE_FILES));
    }
    Ok(())
}

fn is_variable(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    name.bytes().next().is_some_and(letter) && name.bytes().all(|b| letter(b) || b.is_ascii_digit())
}
