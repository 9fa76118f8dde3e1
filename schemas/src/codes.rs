//! The stable codes of what is wrong with a document.
//!
//! Programs compare them, so none may ever change its meaning. Codes that only a runner can find out, such as an
//! unknown language, belong to the runner and must not be added here.

/// The document is larger than its cap; it was not parsed.
pub const TOO_LARGE: &str = "too_large";
/// The bytes are not JSON.
pub const INVALID_JSON: &str = "invalid_json";
/// The document is of a version that this release does not know.
pub const UNSUPPORTED_VERSION: &str = "unsupported_version";
/// A field that the contract does not have.
pub const UNKNOWN_FIELD: &str = "unknown_field";
/// One object names the same field twice.
pub const DUPLICATE_FIELD: &str = "duplicate_field";
/// A field that must be there is not.
pub const MISSING_FIELD: &str = "missing_field";
/// A field has another JSON type than the contract says.
pub const WRONG_TYPE: &str = "wrong_type";
/// A field has the right type and a value that is not allowed.
pub const INVALID_VALUE: &str = "invalid_value";
/// The job's id is not one.
pub const INVALID_ID: &str = "invalid_id";
/// A path that is absolute, climbs, or cannot be a file name.
pub const INVALID_PATH: &str = "invalid_path";
/// Two files that cannot both exist.
pub const PATH_CONFLICT: &str = "path_conflict";
/// A file's content is not what its `encoding` says.
pub const INVALID_BASE64: &str = "invalid_base64";
/// A list or map has too many entries.
pub const TOO_MANY: &str = "too_many";
/// A string, or several together, are too long.
pub const TOO_LONG: &str = "too_long";
/// Two fields that exclude each other are both there.
pub const CONFLICTING_FIELDS: &str = "conflicting_fields";
