//! Events that are added.

use crate::store::{
    EventId, EventKind, EventQuery, EventRecord, MAX_TEXT, RunId, Timestamp,
    conformance::{
        bench::{HistoryBench, invalid},
        samples::{LARGEST, at, event, service},
        verdict::{Doing, Verdict, ensure, eventually, polled, side_by_side},
    },
};

pub(super) async fn an_event_is_kept_once_and_whole(bench: HistoryBench) -> Verdict {
    let (service, run) = (service("';--決済")?, RunId::random());
    let mut events = Vec::new();
    for (sequence, kind) in EventKind::ALL.into_iter().enumerate() {
        let mut full = event(&service, run, sequence as u64, at(sequence as u64));
        full.kind = kind;
        events.push(full);
        let id = EventId { run: RunId::random(), sequence: LARGEST };
        let bare = EventRecord::new(id, service.clone(), at(100 + sequence as u64), kind);
        events.push(bare);
    }
    let mut long = event(&service, run, LARGEST, Timestamp::MAX);
    long.error_message = Some("€".repeat(MAX_TEXT / 3));
    long.reason = Some(String::new());
    events.push(long);
    events.push(event(&service, run, 1_000, Timestamp::EPOCH));
    let new = bench.append(&events).await?;
    ensure!(new == events.len() as u64, "of {} events {new} were new", events.len());
    let again = bench.append(&events).await?;
    ensure!(again == 0, "events that are known were new: {again}");
    let mut changed = events.clone();
    for event in &mut changed {
        event.error_type = Some("changed".to_owned());
    }
    bench.append(&changed).await?;
    events.sort_by_key(|event| event.at);
    let found = bench.events(EventQuery::all()).await?;
    ensure!(found == events, "the events {events:?} were appended, and {found:?} are there");
    Ok(())
}

pub(super) async fn events_are_appended_all_or_none(bench: HistoryBench) -> Verdict {
    let (service, run) = (service("payments")?, RunId::random());
    let good = |sequence| event(&service, run, sequence, at(sequence));
    let mut weightless = good(2);
    weightless.weight = 0;
    let mut long = good(2);
    long.error_message = Some("x".repeat(MAX_TEXT + 1));
    let mut large = good(LARGEST + 1);
    large.at = at(2);
    for (what, bad) in [("weight 0", weightless), ("a long message", long), ("its number", large)] {
        let answer = bench.one.append(&[good(1), bad, good(3)]).await;
        invalid(&format!("a batch with an event that is not valid by {what}"), answer)?;
        let found = bench.events(EventQuery::all()).await?;
        ensure!(found.is_empty(), "a batch that was refused for {what} left {found:?}");
    }
    ensure!(bench.append(&[]).await? == 0, "no event was appended, and one was new");
    let batch = [good(1), good(2), good(1), good(2)];
    let new = bench.append(&batch).await?;
    ensure!(new == 2, "two events, each twice in a batch, were {new} new ones");
    let large: Vec<EventRecord> = (3..4_003).map(good).collect();
    let new = bench.append(&large).await?;
    ensure!(new == 4_000, "of 4,000 events in one batch {new} were new");
    let found = bench.events(EventQuery::all()).await?.len();
    ensure!(found == 4_002, "4,002 events were appended, and {found} are there");
    Ok(())
}

pub(super) async fn of_writers_with_the_same_events_each_event_is_new_to_one(
    bench: HistoryBench,
) -> Verdict {
    let (service, run) = (service("payments")?, RunId::random());
    let events: Vec<EventRecord> =
        (0..60).map(|sequence| event(&service, run, sequence, at(sequence))).collect();
    let writers = (0..6_usize).map(|writer| {
        let store = if writer % 2 == 0 { bench.one.clone() } else { bench.other.clone() };
        let events = events.clone();
        async move {
            let mut new = 0;
            for batch in events.chunks(5 + writer) {
                new += store.append(batch).await.doing("append beside other writers")?;
            }
            Ok(new)
        }
    });
    let new: u64 = side_by_side(writers).await?.into_iter().sum();
    ensure!(new == 60, "60 events, written by six at once, were {new} new ones");
    let found = bench.events(EventQuery::all()).await?;
    ensure!(found == events, "60 events were written by six at once, and there is {found:?}");
    Ok(())
}

pub(super) async fn an_append_that_is_dropped_is_done_or_not_done(bench: HistoryBench) -> Verdict {
    for polls in 0..=12 {
        let (service, run) = (service(format!("s{polls}"))?, RunId::random());
        let events: Vec<EventRecord> =
            (0..20).map(|sequence| event(&service, run, sequence, at(sequence))).collect();
        polled(polls, bench.one.append(&events)).await;
        let found = bench.events(EventQuery::of(service.clone())).await?.len();
        ensure!(found == 0 || found == 20, "a dropped append of 20 events left {found}");
        eventually("the events of a dropped append can be appended again", || async {
            bench.append(&events).await?;
            let found = bench.events(EventQuery::of(service.clone())).await?;
            Ok((found == events).then_some(()))
        })
        .await?;
    }
    Ok(())
}
