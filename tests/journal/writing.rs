//! What becomes an event, and when.

use std::num::NonZeroU128;

use tower_breaker::{
    Outcome, Settings, State,
    breaker::UserCode,
    journal::JournalOptions,
    store::{EventKind, TraceId, faulty::Operation},
};

use crate::support::{World, fail, lenient, ms, options, secs};

#[tokio::test(start_paused = true)]
async fn calls_that_did_not_end_well_are_events_in_order() {
    let world = World::new();
    let settings = Settings::builder()
        .failure_threshold(100)
        .slow_call_rate_threshold(1.0)
        .slow_call_duration_threshold(secs(1))
        .build()
        .unwrap();
    let breaker = world.breaker_with("payments", settings);
    breaker.try_acquire().unwrap().success();
    breaker.try_acquire().unwrap().failure();
    breaker.try_acquire().unwrap().record(Outcome::RATE_ONLY);
    let slow = breaker.try_acquire().unwrap();
    tokio::time::advance(secs(2)).await;
    slow.success();
    breaker.configure(lenient());
    world.flush().await;

    let events = world.events().await;
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
    use EventKind::{Failure, SettingsChange, Slow};
    assert_eq!(kinds, [Failure, Failure, Slow, SettingsChange]);
    let admitted: Vec<_> = events.iter().map(|event| event.admitted).collect();
    assert_eq!(admitted, [Some(2), Some(3), Some(4), None]);
    assert_eq!(events[1].data["outcome"], "rate_only");
    assert_eq!(events[2].elapsed, Some(secs(2)));
    assert!(events.iter().all(|event| event.id.run == world.journal.run()));
    assert!(events.is_sorted_by(|one, next| one.id < next.id && one.at <= next.at));
}

#[tokio::test(start_paused = true)]
async fn state_changes_are_left_to_the_coordinator_unless_there_is_none() {
    for (written, expected) in [
        (false, vec![EventKind::Failure, EventKind::Probe]),
        (
            true,
            vec![
                EventKind::StateChange,
                EventKind::Failure,
                EventKind::StateChange,
                EventKind::StateChange,
                EventKind::Probe,
                EventKind::Override,
            ],
        ),
    ] {
        let world = World::with(options().transitions(written));
        let settings = Settings::builder()
            .failure_threshold(1)
            .recovery_timeout(secs(1))
            .jitter(0.0)
            .permitted_calls_in_half_open(1)
            .build()
            .unwrap();
        let breaker = world.breaker_with("payments", settings);
        fail(&breaker, 1);
        tokio::time::advance(secs(1)).await;
        breaker.try_acquire().unwrap().success();
        breaker.force_open();
        world.flush().await;
        let events = world.events().await;
        let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, expected);
        if written {
            let opened = &events[0];
            assert_eq!((opened.from, opened.to), (Some(State::Closed), Some(State::Open)));
            assert_eq!(opened.reason.as_deref(), Some("consecutive_failures"));
            assert_eq!(opened.data["open_for"], 1_000_000);
            assert!(opened.version.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_is_written_at_once_and_the_rest_after_the_interval() {
    let world = World::with(options().batch_size(10).flush_interval(secs(60)));
    // The first interval ends at once.
    tokio::time::sleep(ms(1)).await;
    let breaker = world.breaker("payments");
    fail(&breaker, 25);
    tokio::time::sleep(ms(1)).await;
    assert_eq!(world.events().await.len(), 20);
    tokio::time::sleep(secs(61)).await;
    assert_eq!(world.events().await.len(), 25);
    assert!(world.faults.calls(Operation::Append) <= 3);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_user_code_is_an_event_with_its_text_redacted() {
    let world = World::with(options().redact(|text| text.replace("hunter2", "…").into()));
    let breaker = tower_breaker::Breaker::builder("payments")
        .settings(lenient())
        .clock(world.clock.clone())
        .observer(|_: &tower_breaker::Event| panic!("the password is hunter2"))
        .observer(world.journal.observer())
        .build()
        .unwrap();
    fail(&breaker, 1);
    world.flush().await;
    let events = world.events().await;
    let panic = events.iter().find(|event| event.kind == EventKind::Panic).unwrap();
    assert_eq!(panic.error_message.as_deref(), Some("the password is …"));
    assert_eq!(panic.data["code"], UserCode::Observer.to_string().trim_start_matches("an "));
}

#[tokio::test(start_paused = true)]
async fn the_trace_of_the_call_is_recorded() {
    let trace = TraceId::parse("0123456789abcdef0011223344556677").unwrap();
    tokio::task_local!(static CURRENT: TraceId);
    let options = options().current_trace(|| CURRENT.try_with(|trace| *trace).ok());
    let world = World::with(options);
    let breaker = world.breaker("payments");
    CURRENT.scope(trace, async { fail(&breaker, 1) }).await;
    fail(&breaker, 1);
    world.flush().await;
    let traces: Vec<_> = world.events().await.iter().map(|event| event.trace_id).collect();
    assert_eq!(traces, [Some(trace), None]);
    assert!(NonZeroU128::new(trace.get()).is_some());
}

#[test]
fn options_out_of_their_bounds_name_field_value_and_bound() {
    let refused = |options: JournalOptions| {
        let store = std::sync::Arc::new(tower_breaker::store::MemoryStore::new());
        let run = tower_breaker::store::RunId::random();
        tower_breaker::journal::Journal::new(options, store, run).unwrap_err().to_string()
    };
    assert_eq!(
        refused(options().queue_capacity(3)),
        "queue_capacity is 3 but must be from 16 to 16777216"
    );
    assert_eq!(
        refused(options().flush_interval(secs(0))),
        "flush_interval is 0s but must be from 1ms to 1h"
    );
    assert_eq!(
        refused(options().retry_delay(secs(2), secs(1))),
        "max_retry_delay is 1s but must be at least retry_delay, 2s"
    );
}
