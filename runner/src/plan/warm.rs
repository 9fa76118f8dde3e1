//! Whether a job can be given an interpreter that has started already, without noticing.
//!
//! Where there is any doubt it starts cold: that is slower, and always right.

use std::collections::BTreeMap;

use glovebox_policies::{Profile, WarmMode};
use glovebox_schemas::job::Job;

use super::Input;

/// The end of a zip archive, which a program may be, or carry behind its text (APPNOTE 4.3.16).
const ARCHIVE_END: &[u8] = b"PK\x05\x06";
/// The first byte of the mark that a UTF-8 text may begin with.
const TEXT_MARK: u8 = 0xef;

/// Whether an interpreter of this profile, which was started with the variables `own`, does for the job. That no file of
/// the job hides a module which the template has imported is seen where that is known.
pub(super) fn is_possible(
    job: &Job,
    profile: &Profile,
    program: &Input,
    own: &BTreeMap<String, String>,
) -> bool {
    let Some(warm) = &profile.warm else {
        return false;
    };
    let set = |(name, value): (&String, &String)| {
        own.get(name) != Some(value) && warm.is_read_at_start(name)
    };
    let is_the_text = warm.mode == WarmMode::Ahead || is_source(&program.content);
    is_the_text && !job.env.iter().any(set)
}

/// Whether Python takes this for the text of a program, and not for compiled code or an archive.
fn is_source(content: &[u8]) -> bool {
    let first = content.first().copied().unwrap_or_default();
    let is_archive = || {
        content
            .windows(ARCHIVE_END.len())
            .any(|four| four == ARCHIVE_END)
    };
    (first.is_ascii() || first == TEXT_MARK) && !is_archive()
}

#[cfg(test)]
mod tests {
    use super::is_source;

    #[test]
    fn only_text_is_source() {
        for text in ["", "print(1)", "\u{feff}print(1)", "# PK\n"] {
            assert!(is_source(text.as_bytes()), "{text:?}");
        }
        for other in [
            &b"\xa7\r\r\n"[..],
            b"PK\x03\x04..PK\x05\x06..",
            b"print(1)\nPK\x05\x06",
        ] {
            assert!(!is_source(other), "{other:?}");
        }
    }
}
