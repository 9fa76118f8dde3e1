//! How much of everything a job may have.
//!
//! These hold for every runner and every profile: they keep a document from costing more to read than to send, and
//! from asking for what no kernel can do. A deployment's own, lower ceilings do not belong here.

/// The largest document that is parsed at all.
pub const MAX_JOB_BYTES: usize = 16 * 1024 * 1024;
/// Files of a job.
pub const MAX_FILES: usize = 1_000;
/// Tests of a job. Each is a cell of its own, and all have to end before the broker's consumer timeout.
pub const MAX_TESTS: usize = 1_000;
/// Arguments of a program.
pub const MAX_ARGS: usize = 1_000;
/// Environment variables of a program.
pub const MAX_ENV: usize = 1_000;
/// One argument, or one variable with its name: the kernel takes less than 128 KiB.
pub const MAX_ARG_BYTES: usize = 100 * 1024;
/// All arguments and variables together, each with its ending zero.
pub const MAX_ARGS_ENV_BYTES: usize = 128 * 1024;
/// Globs of files to hand back.
pub const MAX_OUTPUTS: usize = 100;
/// One component of a path, as in the kernel.
pub const MAX_COMPONENT_BYTES: usize = 255;
/// A whole path.
pub const MAX_PATH_BYTES: usize = 1_024;
/// Entries of `metadata`.
pub const MAX_METADATA: usize = 64;
/// All keys and values of `metadata` together.
pub const MAX_METADATA_BYTES: usize = 16 * 1024;
/// The name of a language.
pub const MAX_LANGUAGE_BYTES: usize = 64;
/// Hosts that a job asks the proxy for.
pub const MAX_HOSTS: usize = 64;
/// One of them, or the URL of an upstream proxy: names have at most 253 bytes (RFC 1035).
pub const MAX_HOST_BYTES: usize = 300;
/// Ports that a job asks the proxy for.
pub const MAX_PORTS: usize = 64;
/// The name of a test.
pub const MAX_TEST_NAME_BYTES: usize = 200;
/// The URL of a callback.
pub const MAX_CALLBACK_URL_BYTES: usize = 2_048;
/// Headers of a callback.
pub const MAX_CALLBACK_HEADERS: usize = 16;
/// All their names and values together.
pub const MAX_CALLBACK_HEADER_BYTES: usize = 8 * 1024;
