//! Puts into the queue what breakers tell.

use std::{fmt, num::NonZeroU128, sync::Arc};

use super::{
    shared::Shared,
    slot::{Slot, What, kind_of},
};
use crate::{
    breaker::{Event, EventKind, Observer},
    store::Timestamp,
};

/// Tells a [`Journal`](super::Journal) what happens to a breaker: for
/// [`BreakerBuilder::observer`](crate::breaker::BreakerBuilder::observer).
///
/// Never waits: neither for the store nor for a queue that is full.
#[derive(Clone)]
pub struct JournalObserver(pub(super) Arc<Shared>);

impl Observer for JournalObserver {
    fn observe(&self, event: &Event) {
        let shared = &*self.0;
        let what = match &event.kind {
            EventKind::Call(call) if kind_of(call).is_some() => What::Call(*call),
            EventKind::Transition(transition) => {
                let at = Timestamp::from(event.at);
                shared.note_state(&event.service, transition.to, at);
                if !shared.options.transitions {
                    return;
                }
                What::Transition(Box::new(*transition))
            }
            // Told by the one who commits them.
            EventKind::SettingsChanged { shared: true } if !shared.options.transitions => return,
            EventKind::SettingsChanged { .. } => What::Settings,
            EventKind::Panicked { what, message } => {
                What::Panic(Box::new((*what, message.clone())))
            }
            EventKind::Dropped { events } => {
                shared.counters.dropped.add(*events);
                return;
            }
            // Rejections are read from counters.
            _ => return,
        };
        let slot = Slot::new(event.service.clone(), Timestamp::from(event.at), what);
        shared.push(slot.traced(event.trace_id).with_cause(event.cause.clone()));
    }

    fn wants_rejections(&self) -> bool {
        false
    }

    fn trace_id(&self) -> Option<NonZeroU128> {
        let find = self.0.options.current_trace.as_ref()?;
        NonZeroU128::new(find()?.get())
    }
}

impl fmt::Debug for JournalObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalObserver").finish_non_exhaustive()
    }
}
