//! What a record keeps.

use std::time::Duration;

use serde_json::json;

use crate::{
    circuit::{Override, State, Version},
    store::{
        Expected, Lane, MAX_TEXT, Timestamp,
        conformance::{
            bench::StateBench,
            samples::{LARGEST, lease, names, proposal, same_lane, service},
            verdict::{Doing, Verdict, ensure},
        },
    },
};

pub(super) async fn every_name_is_a_circuit_of_its_own(bench: StateBench) -> Verdict {
    let names = names();
    for (number, name) in names.iter().enumerate() {
        let mut next = proposal(&service(name)?, Lane::State, Version::new(0, 1));
        next.state.failure_count = number as u32;
        bench.write_from(Expected::missing(Lane::State), &next).await?;
    }
    for (number, name) in names.iter().enumerate() {
        let stored = bench.record(&service(name)?).await?;
        ensure!(
            stored.service.as_str() == name && stored.state.failure_count == number as u32,
            "{name:?} was written as number {number}, and {stored:?} is there"
        );
    }
    let loaded = bench.other.load_all(None).await.doing("load_all")?;
    let mut found: Vec<&str> =
        loaded.stored.iter().map(|stored| stored.service().as_str()).collect();
    let mut written: Vec<&str> = names.iter().map(String::as_str).collect();
    found.sort_unstable();
    written.sort_unstable();
    ensure!(found == written, "{} names were written, load_all has {found:?}", written.len());
    Ok(())
}

pub(super) async fn every_field_keeps_its_extremes(bench: StateBench) -> Verdict {
    let service = service("payments")?;
    let longest = Duration::from_micros(LARGEST);
    let text = format!("{}€", "'".repeat(MAX_TEXT - 3));
    let mut state = proposal(&service, Lane::State, Version::new(LARGEST - 1, LARGEST));
    state.state.open_for = longest;
    state.state.reopens = u32::MAX;
    state.state.lease = Some(lease());
    state.state.reason = Some(text.clone());
    state.state.failure_count = u32::MAX;
    state.state.last_failure_at = Some(Timestamp::MAX);
    state.state.failure_threshold = Some(u32::MAX);
    state.state.recovery_timeout = longest;
    let mut least = proposal(&service, Lane::State, Version::new(LARGEST, 0));
    least.state.state = State::HalfOpen;
    least.state.open_for = Duration::ZERO;
    least.state.reopens = 0;
    least.state.reason = Some(String::new());
    least.state.last_failure_at = Some(Timestamp::EPOCH);
    let mut none = proposal(&service, Lane::State, Version::new(LARGEST, 1));
    none.state.state = State::Closed;
    none.state.reason = None;
    let mut set = proposal(&service, Lane::Override, Version::new(0, LARGEST));
    set.override_.value = Some(Override::MetricsOnly);
    set.override_.set_at = Some(Timestamp::EPOCH);
    set.override_.expires_at = Some(Timestamp::MAX);
    set.override_.by = Some(text.clone());
    set.override_.reason = Some(text.clone());
    let mut lifted = proposal(&service, Lane::Override, Version::new(1, 0));
    lifted.override_.value = None;
    let mut settings = proposal(&service, Lane::Settings, Version::new(0, 1));
    settings.settings.changes.insert("rate'\"".to_owned(), json!({ "over": [0.5, null, true] }));
    settings.settings.by = Some(text);
    let writes = [
        (Lane::State, state),
        (Lane::State, least),
        (Lane::State, none),
        (Lane::Override, set),
        (Lane::Override, lifted),
        (Lane::Settings, settings),
    ];
    for (lane, next) in writes {
        bench.write(lane, &next).await?;
        let stored = bench.record(&service).await?;
        ensure!(same_lane(lane, &stored, &next), "{next:?} was written, {stored:?} is there");
    }
    Ok(())
}

pub(super) async fn fields_that_are_unknown_are_kept(bench: StateBench) -> Verdict {
    let service = service("payments")?;
    let mut kept = serde_json::Map::new();
    let writes = [
        (Lane::State, json!({ "zone": "eu", "deep": { "a": [1, -2, 0.5, null, "ü"] } })),
        (Lane::State, json!({})),
        (Lane::Override, json!({ "zone": null, "later": i64::MAX })),
        (Lane::Settings, json!({ "later'\"$": {} })),
        (Lane::State, json!({})),
    ];
    for (round, (lane, fields)) in writes.into_iter().enumerate() {
        let mut next = proposal(&service, lane, Version::new(0, 1 + round as u64));
        next.extra = fields.as_object().cloned().unwrap_or_default();
        kept.extend(next.extra.clone());
        bench.write(lane, &next).await?;
        let stored = bench.record(&service).await?.extra;
        ensure!(stored == kept, "the fields {kept:?} were written, and {stored:?} are there");
    }
    Ok(())
}
