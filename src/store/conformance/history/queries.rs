//! What events a query finds.

use crate::store::{
    EventKind, EventQuery, EventRecord, RunId, TimeRange, Timestamp,
    conformance::{
        bench::HistoryBench,
        samples::{at, event, names, service},
        verdict::{Verdict, ensure},
    },
};

pub(super) async fn events_are_found_by_service_kind_and_time(bench: HistoryBench) -> Verdict {
    let run = RunId::random();
    let mut events = Vec::new();
    for (number, name) in names().iter().take(60).enumerate() {
        let mut event = event(&service(name)?, run, number as u64, at(number as u64));
        event.kind = EventKind::ALL[number % EventKind::ALL.len()];
        events.push(event);
    }
    bench.append(&events).await?;
    for event in &events {
        let found = bench.events(EventQuery::of(event.service.clone())).await?;
        ensure!(found == [event.clone()], "of `{}` there is {found:?}", event.service);
    }
    let (from, until) = (at(10), at(20));
    for kinds in [vec![], vec![EventKind::Failure], vec![EventKind::Probe, EventKind::Rejected]] {
        for range in [
            TimeRange::ALL,
            TimeRange { from, until },
            TimeRange { from, until: from },
            TimeRange { from: until, until: from },
        ] {
            let mut query = EventQuery::all();
            query.kinds.clone_from(&kinds);
            query.range = range;
            let wanted = |event: &&EventRecord| {
                (kinds.is_empty() || kinds.contains(&event.kind)) && range.contains(event.at)
            };
            let wanted: Vec<EventRecord> = events.iter().filter(wanted).cloned().collect();
            let found = bench.events(query).await?;
            ensure!(
                found == wanted,
                "{kinds:?} within {range:?}: {} events, and {} were found",
                wanted.len(),
                found.len()
            );
        }
    }
    Ok(())
}

pub(super) async fn all_times_include_the_first_and_the_last(bench: HistoryBench) -> Verdict {
    let (service, run) = (service("payments")?, RunId::random());
    let first = event(&service, run, 1, Timestamp::EPOCH);
    let last = event(&service, run, 2, Timestamp::MAX);
    let events = [first, last];
    bench.append(&events).await?;
    let found = bench.events(EventQuery::all()).await?;
    ensure!(found == events, "of the first and the last time there is {found:?}");
    let mut query = EventQuery::all();
    query.newest_first = true;
    query.limit = 1;
    let found = bench.events(query).await?;
    let newest: Vec<u64> = found.iter().map(|event| event.id.sequence).collect();
    ensure!(newest == [2, 1], "the newest first, one a page: {newest:?}");
    Ok(())
}
