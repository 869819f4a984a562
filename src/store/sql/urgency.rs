//! How urgent a write is.

/// How urgent a write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// A transition, or something small that somebody waits for.
    Transition,
    /// A batch of history.
    Batch,
}
