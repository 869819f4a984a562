//! The errors of the folder that events are spilled to.

use std::{error::Error, fmt, io, path::PathBuf};

/// The error of a spill folder that cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpillError {
    /// Another process has it.
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The operating system said no.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl SpillError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }
}

impl fmt::Display for SpillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { folder } => write!(
                f,
                "spill folder `{}` is in use by another process: give each process one of its own",
                folder.display()
            ),
            Self::Io { path, .. } => write!(f, "spill at `{}` failed", path.display()),
        }
    }
}

impl Error for SpillError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::InUse { .. } => None,
            Self::Io { source, .. } => Some(source),
        }
    }
}
