//! What can go wrong with environments, and how to mend it. Must never carry a name of a stranger's file unescaped: it
//! ends on a terminal.

use std::io;
use std::path::{Path, PathBuf};

/// Why the store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The name can't be the name of a file.
    #[error("{0:?} can't name an environment or its language")]
    Name(String),
    /// Nobody can trust what lies in a folder that others write to.
    #[error("{} is not a folder that is yours alone", .0.display())]
    Untrusted(PathBuf),
    /// Nothing is called so.
    #[error("there is no environment {language}:{name}")]
    Missing {
        /// The language that was asked for.
        language: String,
        /// The name that was asked for.
        name: String,
        /// What there is of this language.
        present: Vec<String>,
    },
    /// The tree was removed since its record was read.
    #[error("the environment {0} was removed just now")]
    Gone(String),
    /// The host refused.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the host said.
        #[source]
        source: io::Error,
    },
    /// A record of ours is not one.
    #[error("{} is not the record of an environment", path.display())]
    Record {
        /// Where it lies.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// The tar is not one, or its reader failed.
    #[error("reading the installed files")]
    Read(#[source] io::Error),
    /// The tar ends in the middle.
    #[error("the installed files end too early")]
    Truncated,
    /// The tar holds something that has no place in an environment.
    #[error("the installed files hold {entry}")]
    Refused {
        /// The entry's name, escaped.
        entry: String,
        /// Why it is refused.
        #[source]
        refusal: Refusal,
    },
    /// More bytes than are allowed.
    #[error("the installed files are larger than {0} bytes")]
    TooLarge(u64),
    /// More entries, or longer names, than are allowed.
    #[error("the installed files are more than {0}, or their names too long")]
    TooMany(u64),
}

/// Why an entry of the tar has no place in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Starts with a slash.
    #[error("its name is absolute")]
    Absolute,
    /// Has `..` in it.
    #[error("its name leads upwards")]
    Upwards,
    /// Is empty, has an empty part, or a zero byte.
    #[error("its name is not one")]
    NoName,
    /// A part beyond 255 bytes, a path beyond 1,000, or beyond 100 folders deep.
    #[error("its name is too long or too deep")]
    TooLong,
    /// Was there before.
    #[error("its name was there before")]
    Twice,
    /// Its folder never came, or is no folder: a link, for example.
    #[error("what it lies in is no folder of this tree")]
    NoFolder,
    /// A hard link to something that is not a file of this tree.
    #[error("it is a hard link to what is no file of this tree")]
    NoFile,
    /// A device, a pipe, a sparse file, an extended header.
    #[error("it is neither a folder, a file nor a link")]
    Kind,
    /// Would run as somebody else.
    #[error("it would run with its owner's rights")]
    Setuid,
    /// A folder or link with content, or a long name of a long name.
    #[error("its header contradicts itself")]
    Contradiction,
}

impl StoreError {
    /// What to do about it.
    #[must_use]
    pub fn mend(&self) -> String {
        match self {
            StoreError::Name(_) => {
                "use 1 to 64 of a-z, 0-9, '.', '_' and '-', with a letter or digit first".to_owned()
            }
            StoreError::Untrusted(dir) => format!(
                "give it to the user who runs this command (chown) and take it from all others (chmod 755 {}), or set \
                 GLOVEBOX_ENVIRONMENTS to another folder",
                dir.display()
            ),
            StoreError::Missing {
                language, present, ..
            } if present.is_empty() => {
                format!("make it: glovebox env build NAME --language {language}")
            }
            StoreError::Missing { present, .. } => format!("there are: {}", present.join(", ")),
            StoreError::Gone(_) => "try again".to_owned(),
            StoreError::Io { source, .. } => io_mend(source),
            StoreError::Record { path, .. } => {
                format!("remove {} and build it anew", path.display())
            }
            StoreError::Read(_) | StoreError::Truncated => {
                "build again; if it happens again, the installer's cell ended too early".to_owned()
            }
            StoreError::Refused { .. } => {
                "find the package that brings it, and leave that out".to_owned()
            }
            StoreError::TooLarge(_) | StoreError::TooMany(_) => {
                "ask for fewer packages, or raise `disk` in the profile's [environment.limits]"
                    .to_owned()
            }
        }
    }
}

fn io_mend(error: &io::Error) -> String {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => "free space on that disk (`glovebox env list` shows sizes)",
        PermissionDenied | ReadOnlyFilesystem => {
            "run as the folder's owner, or set GLOVEBOX_ENVIRONMENTS to a folder of your own"
        }
        _ => "look at the folder and its disk",
    }
    .to_owned()
}

/// Says what was being done to which path when the host refused.
pub(crate) trait At<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::Io {
            doing,
            path: path.to_owned(),
            source: error.into(),
        })
    }
}
