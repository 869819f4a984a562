//! Where events go on disk.

use std::path::PathBuf;

use crate::journal::options::{InvalidOptions, number};

const MEBIBYTE: usize = 1 << 20;

/// A folder where events wait while the store is down, so that they survive a crash of the process.
///
/// What was spilled survives `kill -9`, not a loss of power: nothing waits for the disk. A folder
/// belongs to one process at a time.
#[derive(Clone, Debug)]
#[must_use]
pub struct SpillOptions {
    pub(super) folder: PathBuf,
    pub(super) max_bytes: usize,
    pub(super) segment_bytes: usize,
}

impl SpillOptions {
    /// The folder, which is made if it is not there, for up to 256 MiB.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), max_bytes: 256 * MEBIBYTE, segment_bytes: MEBIBYTE }
    }

    /// How many bytes the folder may hold, 64 KiB to 1 TiB. Default 256 MiB. When it is full,
    /// events wait in memory and are sampled.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many bytes a segment has before the next one begins, 4 KiB to 64 MiB. Default 1 MiB. One
    /// segment is read into memory at a time.
    pub fn segment_bytes(mut self, bytes: usize) -> Self {
        self.segment_bytes = bytes;
        self
    }

    pub(in crate::journal) fn check(&self) -> Result<(), InvalidOptions> {
        number("spill.max_bytes", self.max_bytes, 64 << 10..=1 << 40)?;
        number("spill.segment_bytes", self.segment_bytes, 4 << 10..=64 * MEBIBYTE)
    }
}
