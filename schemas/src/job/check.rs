//! The document becomes a [`Job`]: every invariant that needs no profile is checked here, once.
//!
//! Checks only ever refuse. None may repair, trim or default what the sender wrote, because another reader of the
//! same message would not.

use jiff::Timestamp;

use super::caps::{MAX_LANGUAGE_BYTES, MAX_METADATA_BYTES};
use super::wire::{FileDocument, JobDocument, ProxyDocument};
use super::{Job, JobFile, JobId, LimitsRequest, Network, ProxyRequest, arguments, judging, paths};
use crate::codes;
use crate::names::{is_environment, is_lane, is_tenant};
use crate::read;
use crate::rejection::Rejection;
use crate::strict::Object;
use crate::text::quote;

/// What to do about a document without an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    Required,
    MadeIfAbsent,
}

/// Checks a whole document.
pub(super) fn job(document: JobDocument, policy: Id) -> Result<Job, Rejection> {
    let known = document.id.as_deref().and_then(|id| id.parse().ok());
    let checked = read::check_version(document.version, "job")
        .and_then(|()| id(document.id.clone(), policy))
        .and_then(|id| fields(document, id));
    checked.map_err(|rejection| rejection.with_id(known))
}

fn id(written: Option<String>, policy: Id) -> Result<JobId, Rejection> {
    match (written, policy) {
        (Some(id), _) => Ok(JobId::try_from(id)?),
        (None, Id::MadeIfAbsent) => Ok(JobId::new_v7()),
        (None, Id::Required) => Err(Rejection::new(
            codes::MISSING_FIELD,
            "missing field \"id\"",
            "name the job, by a UUID for instance: its result is kept under that name",
        )),
    }
}

fn fields(document: JobDocument, id: JobId) -> Result<Job, Rejection> {
    check_names(&document)?;
    if document.code.is_none() && document.files.0.is_empty() {
        return Err(Rejection::new(
            codes::MISSING_FIELD,
            "the job has neither \"code\" nor \"files\"",
            "put the program into \"code\", or its files into \"files\"",
        ));
    }
    let files = files("files", document.files.0)?;
    if let Some(path) = &document.entrypoint {
        paths::check("entrypoint", path)?;
    }
    for (index, glob) in document.outputs.0.iter().enumerate() {
        paths::check(format_args!("outputs[{index}]"), glob)?;
    }
    let env_bytes = arguments::check_env(&document.env.0)?;
    arguments::check_args("args", &document.args.0, env_bytes)?;
    check_limits("limits", &document.limits.0)?;
    check_proxy(document.network.0, &document.proxy.0)?;
    if !document.tests.0.is_empty() {
        check_alone("stdin", document.stdin.is_empty())?;
        check_alone("args", document.args.0.is_empty())?;
    }
    let tests = judging::tests(document.tests.0, env_bytes)?;
    judging::check_order(
        document.parallel,
        document.stop_on_failure,
        !tests.is_empty(),
    )?;
    let metadata_bytes: usize = document
        .metadata
        .0
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if metadata_bytes > MAX_METADATA_BYTES {
        return Err(Rejection::new(
            codes::TOO_LONG,
            format!("metadata: {metadata_bytes} bytes, at most {MAX_METADATA_BYTES} are allowed"),
            "keep it where you keep the id, and send only a reference",
        ));
    }
    let proxy = document.proxy.0;
    Ok(Job {
        version: document.version,
        id,
        language: document.language,
        profile: document.profile,
        code: document.code,
        files,
        entrypoint: document.entrypoint,
        stdin: document.stdin,
        args: document.args.0,
        env: document.env.0,
        limits: document.limits.0,
        network: document.network.0,
        proxy: ProxyRequest {
            hosts: proxy.hosts.0,
            ports: proxy.ports.0,
            connections: proxy.connections,
            bytes: proxy.bytes,
            upstream: proxy.upstream,
        },
        checker: judging::checker(document.checker, &tests)?,
        tests,
        parallel: document.parallel,
        stop_on_failure: document.stop_on_failure,
        outputs: document.outputs.0,
        lane: document.lane,
        tenant: document.tenant,
        expires_at: document.expires_at.as_deref().map(expires_at).transpose()?,
        stream: document.stream,
        callback: document
            .callback
            .map(|Object(callback)| callback.checked())
            .transpose()?,
        metadata: document.metadata.0,
    })
}

fn check_names(document: &JobDocument) -> Result<(), Rejection> {
    check_language("language", &document.language)?;
    check_profile("profile", document.profile.as_deref())?;
    name(
        "lane",
        &document.lane,
        is_lane(&document.lane),
        "1 to 32 lower-case letters, digits or \"-\"",
    )?;
    let tenant = &document.tenant;
    name(
        "tenant",
        tenant,
        is_tenant(tenant),
        "1 to 64 letters, digits, \"_\", \".\" or \"-\"",
    )
}

fn is_plain(text: &str, max: usize, others: &[u8]) -> bool {
    (1..=max).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || others.contains(&b))
}

fn is_language(text: &str) -> bool {
    is_plain(text, MAX_LANGUAGE_BYTES, b"+#._-")
}

pub(super) fn check_language(field: &str, language: &str) -> Result<(), Rejection> {
    name(
        field,
        language,
        is_language(language),
        "1 to 64 letters, digits, \"+\", \"#\", \".\", \"_\" or \"-\"",
    )
}

pub(super) fn check_profile(field: &str, profile: Option<&str>) -> Result<(), Rejection> {
    let Some(profile) = profile else {
        return Ok(());
    };
    let valid = profile
        .split_once(':')
        .is_some_and(|(language, name)| is_language(language) && is_environment(name));
    name(
        field,
        profile,
        valid,
        "a language, a colon, and 1 to 64 lower-case letters, digits, \".\", \"_\" or \"-\", such as \"python:data\"",
    )
}

/// Refuses what is no name by this rule.
pub(super) fn name(field: &str, value: &str, valid: bool, rule: &str) -> Result<(), Rejection> {
    if valid {
        return Ok(());
    }
    let message = format!("{field}: {} is not a valid name", quote(value));
    Err(Rejection::new(
        codes::INVALID_VALUE,
        message,
        format!("use {rule}"),
    ))
}

/// Decodes the files of this field.
pub(super) fn files(
    field: &str,
    documents: Vec<Object<FileDocument>>,
) -> Result<Vec<JobFile>, Rejection> {
    let mut files = Vec::with_capacity(documents.len());
    for (index, Object(file)) in documents.into_iter().enumerate() {
        paths::check(format_args!("{field}[{index}].path"), &file.path)?;
        let content = file.encoding.0.decode(file.content).map_err(|_| {
            Rejection::new(
                codes::INVALID_BASE64,
                format!("{field}[{index}].content: the content of {} is not base64", quote(&file.path)),
                "encode it with the standard alphabet, padded and without line breaks, or leave \"encoding\" out for text",
            )
        })?;
        files.push(JobFile {
            path: file.path,
            content,
        });
    }
    paths::check_conflicts(field, &files)?;
    Ok(files)
}

/// Refuses limits of zero.
pub(super) fn check_limits(field: &str, limits: &LimitsRequest) -> Result<(), Rejection> {
    let LimitsRequest {
        wall_ms,
        cpu_ms,
        memory_bytes,
        disk_bytes,
        output_bytes,
        processes,
    } = limits;
    let all = [
        ("wall_ms", wall_ms),
        ("cpu_ms", cpu_ms),
        ("memory_bytes", memory_bytes),
        ("disk_bytes", disk_bytes),
        ("output_bytes", output_bytes),
        ("processes", processes),
    ];
    match all.into_iter().find(|(_, limit)| **limit == Some(0)) {
        None => Ok(()),
        Some((name, _)) => Err(Rejection::new(
            codes::INVALID_VALUE,
            format!("{field}.{name}: zero would let nothing run"),
            "use 1 or more, or leave it out for the profile's own limit",
        )),
    }
}

/// Limits of zero let nothing through, and a proxy that is not asked for is a mistake.
fn check_proxy(network: Network, proxy: &ProxyDocument) -> Result<(), Rejection> {
    if network != Network::Proxy && *proxy != ProxyDocument::default() {
        return Err(Rejection::new(
            codes::CONFLICTING_FIELDS,
            "proxy: the job has no network to go through it",
            "add \"network\": \"proxy\", or leave \"proxy\" out",
        ));
    }
    let zero = [
        ("connections", proxy.connections == Some(0)),
        ("bytes", proxy.bytes == Some(0)),
        ("ports", proxy.ports.0.contains(&0)),
    ];
    match zero.into_iter().find(|(_, zero)| *zero) {
        None => Ok(()),
        Some((name, _)) => Err(Rejection::new(
            codes::INVALID_VALUE,
            format!("proxy.{name}: zero would let nothing through"),
            "use 1 or more, or leave it out for the profile's own",
        )),
    }
}

fn check_alone(field: &str, empty: bool) -> Result<(), Rejection> {
    if empty {
        return Ok(());
    }
    Err(Rejection::new(
        codes::CONFLICTING_FIELDS,
        format!("{field}: excludes \"tests\", which have their own"),
        format!("move \"{field}\" into each test, or leave \"tests\" out"),
    ))
}

/// jiff also reads what is no RFC 3339, such as a zone in brackets, and other readers would not.
fn expires_at(text: &str) -> Result<Timestamp, Rejection> {
    let at = |index, allowed: &[u8]| {
        text.as_bytes()
            .get(index)
            .is_some_and(|b| allowed.contains(b))
    };
    let shaped = at(4, b"-")
        && at(7, b"-")
        && at(10, b"Tt")
        && at(13, b":")
        && at(16, b":")
        && !text.contains('[');
    text.parse().ok().filter(|_| shaped).ok_or_else(|| {
        Rejection::new(
            codes::INVALID_VALUE,
            format!("expires_at: {} is not a time", quote(text)),
            "use RFC 3339 with a zone, such as \"2030-01-31T12:00:00Z\"",
        )
    })
}
