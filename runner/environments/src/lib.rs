//! Package environments: read-only folders of installed packages, named by their content.
//!
//! An installer ran strangers' code, so the tar that it left is as hostile as a job: what [`Store::add`] makes of it
//! are folders, plain files and links kept as text, placed one by one beneath a descriptor. This crate must never
//! follow a link, start a program, or leave half of an environment behind.
//!
//! ```text
//! content/<id>/                   the tree; the id is the SHA-256 of what is in it
//! content/<id>.lock               held by whoever uses the tree
//! names/<language>/<name>.json    which tree a name means, and what is known of it
//! staging/<n>/ and <n>.lock       what is being made; without a living owner it is swept away
//! lock                            held while names and trees are exchanged
//! ```

mod dir;
mod error;
mod installed;
mod locks;
mod packages;
mod remove;
mod staging;
mod store;
mod sweep;
mod unpack;

pub use dir::default_dir;
pub use error::{Refusal, StoreError};
pub use installed::{Installed, Package};
pub use locks::Hold;
pub use store::{Meta, Store};
