//! One observer on many circuits.

use std::sync::Arc;

use crate::breaker::{Event, Observer};

/// An observer that many circuits tell.
pub(super) struct Attached(pub(super) Arc<dyn Observer>);

impl Observer for Attached {
    fn observe(&self, event: &Event) {
        self.0.observe(event);
    }

    fn wants_rejections(&self) -> bool {
        self.0.wants_rejections()
    }

    fn trace_id(&self) -> Option<std::num::NonZeroU128> {
        self.0.trace_id()
    }
}
