//! What people do, in all processes.

use std::sync::Arc;

use serde_json::json;
use tower_breaker::{
    State,
    circuit::Override,
    registry::{By, RegistryError},
    store::{
        EventKind, EventQuery, Extra, MemoryStore,
        faulty::{Fault, Faults, FaultyStore, Operation},
    },
};

use crate::support::{eventually, fail, memory, reaches, secs, start};

fn changes(json: serde_json::Value) -> Extra {
    json.as_object().cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn an_override_is_in_force_everywhere_and_after_a_restart() {
    let store = memory();
    let (one, two) = (start(&store).await, start(&store).await);
    let there = two.breaker("a").unwrap();
    one.set_override("a", Override::ForcedOpen, By::who("ann").because("maintenance")).unwrap();
    reaches(&there, State::ForcedOpen).await;
    one.shutdown(secs(5)).await;
    two.shutdown(secs(5)).await;

    let after = start(&store).await;
    let here = after.breaker("a").unwrap();
    assert_eq!(here.state(), State::ForcedOpen);
    after.lift_override("a", By::nobody()).unwrap();
    assert_eq!(here.state(), State::Closed);
    after.shutdown(secs(5)).await;
    assert_eq!(start(&store).await.breaker("a").unwrap().state(), State::Closed);

    let mut query = EventQuery::all();
    query.kinds = vec![EventKind::Override];
    let events = after.events(&query).await.unwrap().items;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].data["by"], "ann");
    assert_eq!(events[0].data["because"], "maintenance");
}

/// The handle that a person has in code does the same as the registry.
#[tokio::test(start_paused = true)]
async fn an_override_that_is_set_on_a_breaker_is_shared_too() {
    let store = memory();
    let (one, two) = (start(&store).await, start(&store).await);
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    here.disable();
    reaches(&there, State::Disabled).await;
    there.lift_override();
    reaches(&here, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_is_closed_everywhere_when_an_override_is_lifted() {
    let store = memory();
    let (one, two) = (start(&store).await, start(&store).await);
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    fail(&here, 2);
    reaches(&there, State::Open).await;
    here.metrics_only();
    reaches(&there, State::MetricsOnly).await;
    there.lift_override();
    reaches(&here, State::Closed).await;
    eventually("closed in the store", || {
        one.stored("a").is_some_and(|stored| stored.state == State::Closed)
            && two.stored("a").is_some_and(|stored| stored.state == State::Closed)
    })
    .await;
    assert_eq!(there.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_reset_closes_the_circuit_everywhere() {
    let store = memory();
    let (one, two) = (start(&store).await, start(&store).await);
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    fail(&here, 2);
    reaches(&there, State::Open).await;
    two.reset("a").unwrap();
    reaches(&here, State::Closed).await;
}

/// It was refused: the state that was proposed was the override.
#[tokio::test(start_paused = true)]
async fn a_reset_under_an_override_closes_what_is_under_it() {
    let store = memory();
    let (one, two) = (start(&store).await, start(&store).await);
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    fail(&here, 2);
    reaches(&there, State::Open).await;
    here.metrics_only();
    reaches(&there, State::MetricsOnly).await;
    here.reset();
    eventually("closed in the store", || {
        one.stored("a").is_some_and(|stored| stored.state == State::Closed)
    })
    .await;
    assert_eq!(one.stats().coordinator.refused, 0);
    assert_eq!((here.state(), there.state()), (State::MetricsOnly, State::MetricsOnly));
}

/// It was learnt from a conflict of another lane, and the circuit was never told.
#[tokio::test(start_paused = true)]
async fn an_override_that_came_with_a_conflict_is_in_force() {
    let store = memory();
    let faults = Faults::new();
    let deaf = Arc::new(FaultyStore::new(MemoryStore::clone(&store), &faults));
    let (one, two) = (start(&deaf).await, start(&store).await);
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    reaches(&here, State::Closed).await;
    // It hears of nothing, and finds out when it writes itself.
    faults.set(Operation::Watch, Fault::error());
    there.metrics_only();
    fail(&two.breaker("other").unwrap(), 2);
    reaches(&two.breaker("other").unwrap(), State::Open).await;
    eventually("set in the store", || {
        two.stored("a").is_some_and(|stored| stored.override_.is_some())
    })
    .await;
    fail(&here, 2);
    reaches(&here, State::MetricsOnly).await;
}

#[tokio::test(start_paused = true)]
async fn live_settings_are_in_force_everywhere_over_those_of_the_code() {
    let store = memory();
    let (one, two) = (start(&store).await, start(&store).await);
    let there = two.breaker("a").unwrap();
    let wanted = changes(json!({ "failure_threshold": 9, "recovery_timeout": "90s" }));
    one.configure("a", wanted, By::who("ann")).unwrap();
    eventually("nine failures", || there.settings().failure_threshold() == Some(9)).await;
    assert_eq!(there.settings().recovery_timeout(), secs(90));
    assert_eq!(there.settings().permitted_calls_in_half_open(), 1, "as the code has it");
    one.shutdown(secs(5)).await;

    let after = start(&store).await;
    assert_eq!(after.breaker("a").unwrap().settings().failure_threshold(), Some(9));
    after.configure("a", Extra::new(), By::nobody()).unwrap();
    eventually("those of the code", || there.settings().failure_threshold() == Some(2)).await;
}

/// The journal of each process told of it as well, without who and what.
#[tokio::test(start_paused = true)]
async fn live_settings_leave_one_event_and_those_of_a_breaker_are_told_by_the_journal() {
    let store = memory();
    let (one, two) = (start(&store).await, start(&store).await);
    let there = two.breaker("a").unwrap();
    one.configure("a", changes(json!({ "failure_threshold": 9 })), By::who("ann")).unwrap();
    eventually("nine failures", || there.settings().failure_threshold() == Some(9)).await;
    there.configure(crate::support::settings().failure_threshold(7).build().unwrap());
    one.shutdown(secs(5)).await;
    two.shutdown(secs(5)).await;

    let mut query = EventQuery::all();
    query.kinds = vec![EventKind::SettingsChange];
    let events = one.events(&query).await.unwrap().items;
    let changes: Vec<_> = events.iter().map(|event| event.data.get("changes")).collect();
    assert_eq!(changes, [Some(&json!({ "failure_threshold": 9 })), None]);
    assert_eq!(events[0].data["by"], "ann");
}

#[tokio::test(start_paused = true)]
async fn live_settings_that_are_not_valid_change_nothing() {
    let store = memory();
    let registry = start(&store).await;
    for (wrong, said) in [
        (json!({ "failure_threshold": 0 }), "failure_threshold"),
        (json!({ "failure_treshold": 3 }), "failure_treshold"),
        (json!({ "recovery_timeout": 3 }), "string"),
    ] {
        let error = registry.configure("a", changes(wrong), By::nobody()).unwrap_err();
        let RegistryError::Field { problem, .. } = error else { panic!("{error}") };
        assert!(problem.to_string().contains(said), "{problem}");
    }
    let settings = registry.breaker("a").unwrap().settings();
    assert_eq!(settings.failure_threshold(), Some(2));
    registry.shutdown(secs(5)).await;
    assert!(registry.stored("a").is_none());
}
