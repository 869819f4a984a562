//! The processes that do the measuring, started one after the other.
//!
//! Where code and data come to lie, and which core a thread gets, differs from process to process
//! and changes small figures by some nanoseconds; so several processes measure, and a target is
//! met if the best of them meets it.

use std::io;
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;

use crate::cli::Options;
use crate::memory::Memory;
use crate::row::Figures;

/// Takes times in a new process of this program.
pub fn times(options: &Options) -> io::Result<Vec<Figures>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--child").arg("--rounds").arg(options.length.rounds.to_string());
    if let Some(text) = &options.filter {
        command.arg("--filter").arg(text);
    }
    answer(command)
}

/// Counts memory in the program whose allocator counts.
///
/// Cargo builds it, since running one program of a package does not build the other.
pub fn memory(options: &Options) -> io::Result<Memory> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--release", "--bin", "tower-breaker-memory"]);
    command.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    command.arg("--").args(&options.filter);
    answer(command)
}

fn answer<T: DeserializeOwned>(mut command: Command) -> io::Result<T> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{command:?} failed: {}", output.status)));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
