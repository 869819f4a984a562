//! Events that are written with changes.

use tokio::task::yield_now;

use crate::{
    circuit::Version,
    store::{
        EventKind, Expected, Lane, RunId, StoreError,
        conformance::{
            bench::{BothBench, conflict, invalid},
            samples::{at, event, proposal, service},
            verdict::{Doing, Verdict, ensure, eventually, polled, side_by_side},
        },
    },
};

pub(super) async fn an_event_is_written_with_its_change(bench: BothBench) -> Verdict {
    let (service, run) = (service("payments")?, RunId::random());
    let mut events = Vec::new();
    for (sequence, lane) in Lane::ALL.into_iter().enumerate() {
        let event = event(&service, run, sequence as u64, at(sequence as u64));
        let found = bench.state.load(&service).await?;
        let expected = Expected::found(lane, found.as_ref());
        let next = proposal(&service, lane, Version::new(0, 1));
        let written = bench.state.one.compare_and_swap(expected, &next, Some(&event)).await;
        written.doing("a write with an event")?;
        events.push(event);
        let found = bench.events(&service).await?;
        ensure!(found == events, "the events {events:?} were written, and {found:?} are there");
    }
    // An event that is known does not keep a change from being written.
    let expected = Expected::version(Lane::State, Version::new(0, 1));
    let next = proposal(&service, Lane::State, Version::new(0, 2));
    let written = bench.state.one.compare_and_swap(expected, &next, events.first()).await;
    written.doing("a write with an event that is known")?;
    ensure!(bench.events(&service).await? == events, "an event was written twice");
    Ok(())
}

pub(super) async fn no_event_is_written_with_a_change_that_is_not(bench: BothBench) -> Verdict {
    let (service, run) = (service("payments")?, RunId::random());
    let v1 = proposal(&service, Lane::State, Version::new(0, 1));
    let first = event(&service, run, 1, at(1));
    let expected = Expected::version(Lane::State, Version::new(0, 7));
    let store = &bench.state.one;
    let answer = store.compare_and_swap(expected, &v1, Some(&first)).await;
    invalid("a version below the expected one", answer)?;
    let v8 = proposal(&service, Lane::State, Version::new(0, 8));
    conflict("nothing there", store.compare_and_swap(expected, &v8, Some(&first)).await)?;
    bench.state.write(Lane::State, &v1).await?;
    conflict("another version", store.compare_and_swap(expected, &v8, Some(&first)).await)?;
    let events = bench.events(&service).await?;
    ensure!(events.is_empty(), "writes that lost have left the events {events:?}");
    let mut weightless = first;
    weightless.weight = 0;
    let expected = Expected::version(Lane::State, Version::new(0, 1));
    let answer = store.compare_and_swap(expected, &v8, Some(&weightless)).await;
    invalid("an event of weight 0", answer)?;
    let version = bench.state.record(&service).await?.version(Lane::State);
    ensure!(version == Version::new(0, 1), "a write with an event that is not valid was done");
    Ok(())
}

pub(super) async fn the_events_of_a_race_are_those_of_the_winners(bench: BothBench) -> Verdict {
    const TOP: u64 = 40;
    let service = service("payments")?;
    let racers = (0..8).map(|racer| {
        let (store, service) = (bench.state.handle(racer), service.clone());
        async move {
            let run = RunId::random();
            for sequence in 0..1_000 {
                let found = store.load(&service).await.doing("load")?;
                let expected = Expected::found(Lane::State, found.as_ref());
                let counter = expected.version.unwrap_or_default().counter + 1;
                if counter > TOP {
                    break;
                }
                yield_now().await;
                let next = proposal(&service, Lane::State, Version::new(0, counter));
                let mut event = event(&service, run, sequence, at(counter));
                event.version = Some(Version::new(0, counter));
                match store.compare_and_swap(expected, &next, Some(&event)).await {
                    Ok(_) | Err(StoreError::Conflict { .. }) => {}
                    Err(error) => return Err(error).doing("a write"),
                }
            }
            Ok(())
        }
    });
    side_by_side(racers).await?;
    let events = bench.events(&service).await?;
    let chain: Vec<u64> =
        events.iter().filter_map(|event| event.version.map(|version| version.counter)).collect();
    let whole: Vec<u64> = (1..=TOP).collect();
    ensure!(chain == whole, "versions 1 to {TOP} were committed, and the events are of {chain:?}");
    ensure!(
        events.iter().all(|event| event.kind == EventKind::StateChange),
        "state changes were written as something else"
    );
    Ok(())
}

pub(super) async fn a_write_that_is_dropped_has_its_event_or_none(bench: BothBench) -> Verdict {
    for polls in 0..=12 {
        let service = service(format!("s{polls}"))?;
        let next = proposal(&service, Lane::State, Version::new(0, 1));
        let event = event(&service, RunId::random(), 1, at(1));
        let store = &bench.state.one;
        let expected = Expected::missing(Lane::State);
        polled(polls, store.compare_and_swap(expected, &next, Some(&event))).await;
        // A write that goes on behind the caller's back may end between the two questions.
        eventually("a dropped write has both its change and its event, or neither", || async {
            let changed = bench.state.load(&service).await?.is_some();
            let told = !bench.events(&service).await?.is_empty();
            Ok((changed == told).then_some(()))
        })
        .await?;
    }
    Ok(())
}
