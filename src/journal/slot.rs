//! What a call leaves in the queue: plain figures, made into an event by the writer.

use std::{
    num::NonZeroU128,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::options::Redact;
use crate::{
    breaker::{CallRecord, Cause, UserCode},
    circuit::{OutcomeKind, State, Transition},
    name::ServiceName,
    store::{EventId, EventKind, EventRecord, Extra, Timestamp, TraceId, bounded_text},
};

/// An event that waits in the queue.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) service: ServiceName,
    pub(super) at: Timestamp,
    /// How many alike events it stands for.
    pub(super) weight: u32,
    /// In two halves, which need no alignment of sixteen bytes; zero for none.
    pub(super) trace: [u64; 2],
    /// What a call failed with.
    pub(super) cause: Option<Arc<Cause>>,
    pub(super) what: What,
}

/// What happened. What happens seldom is behind a pointer, so that all slots are small.
#[derive(Clone, Debug)]
pub(super) enum What {
    Call(CallRecord),
    Rejected,
    Settings,
    Transition(Box<Transition>),
    Panic(Box<(UserCode, String)>),
}

/// What is merged when events are sampled: the kind and all that is in its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Alike(u8);

impl Slot {
    pub(super) fn new(service: ServiceName, at: Timestamp, what: What) -> Self {
        Self { service, at, weight: 1, trace: [0; 2], cause: None, what }
    }

    pub(super) fn traced(self, trace: Option<NonZeroU128>) -> Self {
        let id = trace.map_or(0, NonZeroU128::get);
        Self { trace: [(id >> 64) as u64, id as u64], ..self }
    }

    pub(super) fn with_cause(self, cause: Option<Arc<Cause>>) -> Self {
        Self { cause, ..self }
    }

    /// The bytes that its texts take.
    pub(super) fn text_bytes(&self) -> usize {
        self.cause.as_ref().map_or(0, |cause| cause.bytes())
    }

    pub(super) fn alike(&self) -> Alike {
        Alike(match &self.what {
            What::Call(call) => {
                let outcome = match call.outcome {
                    OutcomeKind::Success => 0,
                    OutcomeKind::Failure => 1,
                    OutcomeKind::RateOnly => 2,
                    OutcomeKind::Ignored => 3,
                };
                outcome
                    | u8::from(call.slow) << 2
                    | u8::from(call.probe) << 3
                    | u8::from(call.late) << 4
            }
            What::Rejected => 1 << 5,
            What::Settings => 2 << 5,
            What::Transition(change) => 3 << 5 | change.to as u8,
            What::Panic(_) => 4 << 5,
        })
    }

    /// Whether it is seldom and says more than a count: such a one is merged only where there is no
    /// room at all.
    pub(super) fn is_single(&self) -> bool {
        !matches!(self.what, What::Call(_) | What::Rejected)
    }

    /// The event that the history keeps.
    pub(super) fn into_event(self, id: EventId, redact: Option<&Redact>) -> EventRecord {
        let kind = match &self.what {
            What::Call(call) => kind_of(call).unwrap_or(EventKind::Failure),
            What::Rejected => EventKind::Rejected,
            What::Settings => EventKind::SettingsChange,
            What::Transition(change) if change.from.is_override() || change.to.is_override() => {
                EventKind::Override
            }
            What::Transition(_) => EventKind::StateChange,
            What::Panic(_) => EventKind::Panic,
        };
        let mut event = EventRecord::new(id, self.service, self.at, kind);
        event.weight = self.weight;
        event.trace_id = TraceId::new(u128::from(self.trace[0]) << 64 | u128::from(self.trace[1]));
        if let Some(cause) = &self.cause {
            // What the code is named by is no secret.
            let redact_type = redact.filter(|_| !cause.is_named());
            event.error_type = Some(redacted(cause.error_type(), redact_type));
            event.error_message = cause.message().map(|text| redacted(text, redact));
        }
        match self.what {
            What::Call(call) => describe_call(&mut event, &call),
            What::Transition(change) => describe_transition(&mut event, &change),
            What::Panic(panic) => {
                event.error_type = Some("panic".to_owned());
                event.error_message = Some(redacted(&panic.1, redact));
                put(&mut event.data, "code", code(panic.0));
            }
            What::Rejected | What::Settings => {}
        }
        event
    }
}

/// The kind of event that a call is; none for one that is in the counts only.
pub(super) fn kind_of(call: &CallRecord) -> Option<EventKind> {
    match call.outcome {
        _ if call.probe => Some(EventKind::Probe),
        OutcomeKind::Failure | OutcomeKind::RateOnly => Some(EventKind::Failure),
        _ if call.slow => Some(EventKind::Slow),
        OutcomeKind::Success | OutcomeKind::Ignored => None,
    }
}

/// A text without what must not be kept, bounded.
fn redacted(text: &str, redact: Option<&Redact>) -> String {
    let Some(redact) = redact else { return bounded_text(text) };
    let redacting = AssertUnwindSafe(|| bounded_text(&redact(text)));
    catch_unwind(redacting).unwrap_or_else(|_| "withheld: its redaction panicked".to_owned())
}

fn describe_call(event: &mut EventRecord, call: &CallRecord) {
    event.elapsed = call.elapsed;
    event.admitted = Some(call.admitted);
    event.generation = Some(call.generation);
    if call.probe {
        event.to = Some(State::HalfOpen);
    }
    // The kind says the rest.
    let outcome = match (call.outcome, call.probe) {
        (OutcomeKind::RateOnly, _) => Some("rate_only"),
        (OutcomeKind::Failure, true) => Some("failure"),
        (OutcomeKind::Success, true) => Some("success"),
        (OutcomeKind::Ignored, true) => Some("ignored"),
        _ => None,
    };
    if let Some(outcome) = outcome {
        put(&mut event.data, "outcome", outcome);
    }
    if call.slow && event.kind != EventKind::Slow {
        put(&mut event.data, "slow", true);
    }
    if call.late {
        put(&mut event.data, "late", true);
    }
}

fn describe_transition(event: &mut EventRecord, change: &Transition) {
    event.from = Some(change.from);
    event.to = Some(change.to);
    event.version = Some(change.version);
    event.generation = Some(change.generation);
    event.reason = Some(change.reason.as_str().to_owned());
    if let Some(open_for) = change.open_for {
        let micros = u64::try_from(open_for.as_micros()).unwrap_or(u64::MAX);
        put(&mut event.data, "open_for", micros);
    }
    if change.reopens > 0 {
        put(&mut event.data, "reopens", change.reopens);
    }
}

fn put(data: &mut Extra, key: &str, value: impl Into<serde_json::Value>) {
    data.insert(key.to_owned(), value.into());
}

fn code(what: UserCode) -> &'static str {
    match what {
        UserCode::Classifier => "classifier",
        UserCode::Observer => "observer",
        UserCode::OnCreate => "on_create",
        UserCode::Subscriber => "subscriber",
    }
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, sync::Arc, time::Duration};

    use super::*;
    use crate::store::{MAX_TEXT, RunId};

    fn id() -> EventId {
        EventId { run: RunId::new(7).unwrap(), sequence: 3 }
    }

    fn call(outcome: OutcomeKind) -> CallRecord {
        CallRecord {
            outcome,
            slow: false,
            probe: false,
            late: false,
            elapsed: Some(Duration::from_millis(5)),
            generation: 2,
            admitted: 17,
        }
    }

    fn event(what: What) -> EventRecord {
        let service = ServiceName::new("a").unwrap();
        Slot::new(service, Timestamp::EPOCH, what).into_event(id(), None)
    }

    #[test]
    fn a_call_is_the_event_that_its_figures_say() {
        use OutcomeKind::{Failure, Ignored, RateOnly, Success};
        let (slow, probe, late) = (true, true, true);
        let plain = |outcome| call(outcome);
        for (call, kind, data) in [
            (plain(Failure), Some(EventKind::Failure), "{}"),
            (plain(RateOnly), Some(EventKind::Failure), r#"{"outcome":"rate_only"}"#),
            (CallRecord { slow, ..plain(Failure) }, Some(EventKind::Failure), r#"{"slow":true}"#),
            (CallRecord { late, ..plain(Failure) }, Some(EventKind::Failure), r#"{"late":true}"#),
            (CallRecord { slow, ..plain(Success) }, Some(EventKind::Slow), "{}"),
            (
                CallRecord { probe, ..plain(Success) },
                Some(EventKind::Probe),
                r#"{"outcome":"success"}"#,
            ),
            (
                CallRecord { probe, ..plain(Failure) },
                Some(EventKind::Probe),
                r#"{"outcome":"failure"}"#,
            ),
            (CallRecord { late, ..plain(Success) }, None, "{}"),
            (plain(Ignored), None, "{}"),
        ] {
            assert_eq!(kind_of(&call), kind, "{call:?}");
            let Some(kind) = kind else { continue };
            let event = event(What::Call(call));
            assert_eq!(event.kind, kind, "{call:?}");
            assert_eq!(serde_json::to_string(&event.data).unwrap(), data, "{call:?}");
            assert_eq!((event.admitted, event.generation), (Some(17), Some(2)));
            assert_eq!(event.elapsed, Some(Duration::from_millis(5)));
            event.check().unwrap();
        }
    }

    #[test]
    fn a_trace_goes_through_the_halves() {
        let trace = TraceId::parse("0123456789abcdef0011223344556677");
        let slot = Slot::new(ServiceName::new("a").unwrap(), Timestamp::EPOCH, What::Rejected);
        assert_eq!(
            slot.clone()
                .traced(trace.and_then(|trace| NonZeroU128::new(trace.get())))
                .into_event(id(), None)
                .trace_id,
            trace
        );
        assert_eq!(slot.traced(None).into_event(id(), None).trace_id, None);
    }

    #[test]
    fn the_text_of_a_panic_is_redacted_and_then_cut() {
        let redact: Redact = Arc::new(|text: &str| Cow::Owned(text.replace("secret", "…")));
        let text = format!("the secret {}", "x".repeat(5_000));
        let what = What::Panic(Box::new((UserCode::Classifier, text)));
        let slot = Slot::new(ServiceName::new("a").unwrap(), Timestamp::EPOCH, what);
        let event = slot.into_event(id(), Some(&redact));
        assert!(event.error_message.as_ref().unwrap().starts_with("the … xxx"));
        assert_eq!(
            (event.kind, event.data["code"].as_str()),
            (EventKind::Panic, Some("classifier"))
        );
        event.check().unwrap();
    }

    #[test]
    fn a_text_whose_redaction_panics_is_withheld() {
        let redact: Redact = Arc::new(|_: &str| panic!("no text is safe"));
        assert_eq!(redacted("secret", Some(&redact)), "withheld: its redaction panicked");
    }

    #[test]
    fn what_a_call_failed_with_is_redacted_but_for_names_in_the_code() {
        let redact: Redact = Arc::new(|text: &str| Cow::Owned(text.replace("secret", "…")));
        let event = |cause: Cause| {
            let what = What::Call(call(OutcomeKind::Failure));
            let slot = Slot::new(ServiceName::new("a").unwrap(), Timestamp::EPOCH, what);
            let event = slot.with_cause(Some(Arc::new(cause))).into_event(id(), Some(&redact));
            event.check().unwrap();
            (event.error_type.unwrap(), event.error_message)
        };
        let owned = |text: &str| text.to_owned();
        assert_eq!(event(Cause::new("secret::Error")), (owned("secret::Error"), None));
        assert_eq!(
            event(Cause::new(owned("a secret")).with_message("one more secret")),
            (owned("a …"), Some(owned("one more …")))
        );
        // Redacted before it is cut: no half of a secret stays at the end.
        let text = format!("{}secret", "x".repeat(MAX_TEXT - 3));
        let (_, message) = event(Cause::new("a").with_message(text));
        assert_eq!(message, Some(format!("{}…", "x".repeat(MAX_TEXT - 3))));
    }

    #[test]
    fn a_slot_is_small() {
        assert!(size_of::<Slot>() <= 96, "{}", size_of::<Slot>());
    }
}
