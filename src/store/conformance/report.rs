//! What a suite found.

use std::fmt;

/// What a suite found: a line for each check.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Report {
    pub(super) checks: Vec<Checked>,
}

/// A check that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// The fact that was checked: `a_write_takes_effect_only_from_the_version_it_expects`.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
}

/// How a check went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The store does what is promised.
    Passed,
    /// It could not be run, and why.
    Skipped(&'static str),
    /// The store does not do what is promised, and what it did.
    Failed(String),
}

impl Report {
    /// All checks, in the order in which they ran.
    #[must_use]
    pub fn checks(&self) -> &[Checked] {
        &self.checks
    }

    /// The names of those that failed.
    #[must_use]
    pub fn failed(&self) -> Vec<&'static str> {
        let failed = self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Failed(_)));
        failed.map(|check| check.name).collect()
    }

    /// Asserts that no check failed.
    ///
    /// # Panics
    ///
    /// With the whole report, if one did, or if there was none.
    pub fn assert(&self) {
        let failed = self.failed().len();
        assert!(!self.checks.is_empty(), "no check was run");
        assert!(failed == 0, "{failed} of {} checks failed\n{self}", self.checks.len());
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            match &check.outcome {
                Outcome::Passed => writeln!(f, "passed   {}", check.name)?,
                Outcome::Skipped(why) => writeln!(f, "skipped  {}: {why}", check.name)?,
                Outcome::Failed(how) => writeln!(f, "FAILED   {}: {how}", check.name)?,
            }
        }
        Ok(())
    }
}
