//! Errors of the crate, and how to find them in those of a stack.

use std::{any::Any, error::Error};

pub use crate::{
    breaker::{CallError, EventsError, InvalidMap, Rejected},
    circuit::{InvalidField, InvalidSettings},
    name::InvalidName,
};

/// The error type of tower's own middleware.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Finds the rejection behind an error, itself or one of its sources: other layers wrap it.
///
/// ```
/// use tower_breaker::{Breaker, error};
///
/// let breaker = Breaker::builder("payments").build()?;
/// breaker.force_open();
/// let rejected = breaker.try_acquire().unwrap_err();
/// let wrapped = std::io::Error::other(rejected);
/// assert_eq!(error::rejected(&wrapped).unwrap().service.as_str(), "payments");
/// # Ok::<(), tower_breaker::error::InvalidName>(())
/// ```
#[must_use]
pub fn rejected<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Rejected> {
    let mut next = Some(error);
    // A chain that is longer than this is a circle.
    for _ in 0..64 {
        let error = next?;
        if let Some(rejected) = error.downcast_ref() {
            return Some(rejected);
        }
        // An `io::Error` does not name what it holds as its source, but the source of that.
        if let Some(rejected) = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .and_then(|held| held.downcast_ref())
        {
            return Some(rejected);
        }
        next = error.source();
    }
    None
}

/// Whether an error of any type is a rejection, as far as its type lets that be seen: a
/// [`Rejected`], or a boxed error with one behind it.
pub(crate) fn is_rejection<E: 'static>(error: &E) -> bool {
    let error: &dyn Any = error;
    if let Some(boxed) = error.downcast_ref::<BoxError>() {
        rejected(&**boxed).is_some()
    } else if let Some(boxed) = error.downcast_ref::<Box<dyn Error + Send>>() {
        rejected(&**boxed).is_some()
    } else if let Some(io) = error.downcast_ref::<std::io::Error>() {
        rejected(io).is_some()
    } else {
        error.is::<Rejected>()
    }
}
