//! The HTTP gateway: jobs from whoever speaks HTTP, and their results back.
//!
//! It keeps nothing: any number of these may stand behind a balancer, and any of them answers for any job. Read
//! `openapi.rs` first: it has every route on one page.
//!
//! It must never run a job itself (a [`Backend`] does), answer for another tenant's job, or put a key, a program or its
//! output into a log.

mod app;
mod backend;
mod batch;
mod dify;
mod events;
mod info;
mod input;
mod jobs;
mod keys;
mod metrics;
mod observe;
mod openapi;
mod problem;
mod queue;
mod server;
mod tls;

pub use app::{App, Config};
pub use backend::{Answer, Backend, Look};
pub use dify::DifyConfig;
pub use keys::{Flaw, Holder, Keys, KeysError, new_key};
pub use openapi::document as openapi_document;
pub use problem::Problem;
pub use queue::Queue;
pub use server::{Listen, router, serve};
pub use tls::{TlsError, acceptor};
