//! Whether a fleet kept its contract, by what was said and received.
//!
//! Pure: it reads a [`Log`](crate::log). What the contract excepts is counted, and has to be
//! explained by a fault that was logged.

mod chain;
mod leases;
mod openings;
mod phases;
#[cfg(test)]
mod planted;
mod probes;
mod settled;
mod speed;
#[cfg(test)]
mod story;
mod verdict;
mod writes;

pub use self::verdict::{Counts, Defect, Least, Verdict, Wrong};

use crate::{Error, log::Log};

/// Reads a log as [`check`] does, and keeps it for people if something is wrong.
///
/// # Errors
///
/// If it cannot be kept.
pub fn check_and_keep(log: &Log, least: &Least) -> Result<Verdict, Error> {
    let mut verdict = check(log, least);
    if !verdict.is_good() {
        let path = std::env::temp_dir().join(format!("fleet-{:016x}.log", fastrand::u64(..)));
        log.save(&path)?;
        verdict.kept.push(path);
    }
    Ok(verdict)
}

/// Reads a log, and says what is wrong with it and what was seen. A run that saw less than `least`
/// proved nothing, which is wrong too.
#[must_use]
pub fn check(log: &Log, least: &Least) -> Verdict {
    let writes = writes::Writes::of(log);
    let mut verdict = Verdict::begin(log);
    chain::check(log, &writes, &mut verdict);
    leases::check(log, &writes, &mut verdict);
    probes::check(log, &writes, &mut verdict);
    openings::check(log, &mut verdict);
    phases::check(log, &mut verdict);
    settled::check(log, &writes, &mut verdict);
    speed::check(log, &mut verdict);
    verdict.compare(least);
    verdict
}
