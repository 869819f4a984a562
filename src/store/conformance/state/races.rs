//! Writers that race.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::BoxFuture;
use tokio::{sync::Barrier, task::yield_now};

use crate::{
    circuit::Version,
    name::ServiceName,
    store::{
        ChangeId, Expected, Lane, StateStore, StoreError, Stored,
        conformance::{
            bench::StateBench,
            samples::{proposal, service},
            verdict::{Doing, Stop, Verdict, ensure, side_by_side},
        },
    },
};

const WRITERS: usize = 8;
/// More than a writer needs who loses every race but the last.
const ATTEMPTS: usize = 1_000;

/// Writes until the lane has reached a version. Returns the writes that were taken.
async fn climb(
    store: Arc<dyn StateStore>,
    service: ServiceName,
    lane: Lane,
    top: u64,
) -> Result<Vec<(Version, ChangeId)>, Stop> {
    let mut won = Vec::new();
    let mut seen = Version::default();
    for _ in 0..ATTEMPTS {
        let found = store.load(&service).await.doing("load")?;
        let expected = Expected::found(lane, found.as_ref());
        let version = expected.version.unwrap_or_default();
        ensure!(version >= seen, "{lane:?} went from {seen} back to {version}");
        seen = version;
        if version.counter >= top {
            return Ok(won);
        }
        yield_now().await;
        let next = proposal(&service, lane, Version::new(0, version.counter + 1));
        match store.compare_and_swap(expected, &next, None).await {
            Ok(_) => won.push((next.version(lane), next.change_id(lane))),
            Err(StoreError::Conflict { current }) => {
                let current = current.map(|current| current.version(lane));
                ensure!(
                    current != expected.version,
                    "{lane:?}: a conflict shows the version that was expected, {current:?}"
                );
            }
            Err(error) => return Err(error).doing("a write"),
        }
    }
    Err(Stop::Failed(format!("{lane:?} is at {seen} after {ATTEMPTS} writes of one writer alone")))
}

pub(super) async fn one_writer_wins_each_version(bench: StateBench) -> Verdict {
    const TOP: u64 = 40;
    for lane in Lane::ALL {
        let service = service(lane.as_str())?;
        let writers =
            (0..WRITERS).map(|writer| climb(bench.handle(writer), service.clone(), lane, TOP));
        let mut winners: BTreeMap<Version, Vec<ChangeId>> = BTreeMap::new();
        for (version, change) in side_by_side(writers).await?.into_iter().flatten() {
            winners.entry(version).or_default().push(change);
        }
        for counter in 1..=TOP {
            let won = winners.get(&Version::new(0, counter)).map_or(0, Vec::len);
            ensure!(won == 1, "{lane:?}: version 0.{counter} was acknowledged to {won} writers");
        }
        let stored = bench.record(&service).await?;
        let last = winners.get(&stored.version(lane)).and_then(|won| won.first().copied());
        ensure!(
            last == Some(stored.change_id(lane)) && stored.version(lane).counter == TOP,
            "{lane:?}: {last:?} won the last version, and {:?} is stored at {}",
            stored.change_id(lane),
            stored.version(lane)
        );
    }
    Ok(())
}

pub(super) async fn lanes_do_not_compete(bench: StateBench) -> Verdict {
    const ROUNDS: u64 = 60;
    let service = service("payments")?;
    bench.write(Lane::State, &proposal(&service, Lane::State, Version::new(0, 1))).await?;
    let writers = Lane::ALL.into_iter().enumerate().map(|(turn, lane)| {
        let (store, service) = (bench.handle(turn), service.clone());
        async move {
            let first = if lane == Lane::State { 1 } else { 0 };
            for counter in first..ROUNDS {
                let expected = Expected::version(lane, Version::new(0, counter));
                let next = proposal(&service, lane, Version::new(0, counter + 1));
                let written = store.compare_and_swap(expected, &next, None).await;
                written.doing(format_args!("a write of {lane:?}, which nobody else writes,"))?;
                yield_now().await;
            }
            Ok(())
        }
    });
    side_by_side(writers).await?;
    let stored = bench.record(&service).await?;
    for lane in Lane::ALL {
        let version = stored.version(lane);
        ensure!(
            version.counter == ROUNDS,
            "{lane:?} was written {ROUNDS} times and is at {version}"
        );
    }
    Ok(())
}

/// How many of two calls that race are done; the other ones meet a conflict.
async fn race(calls: [BoxFuture<'static, Result<(), StoreError>>; 2]) -> Result<usize, Stop> {
    let start = Arc::new(Barrier::new(calls.len()));
    let racers = calls.map(|call| {
        let start = Arc::clone(&start);
        async move {
            start.wait().await;
            match call.await {
                Ok(()) => Ok(true),
                Err(StoreError::Conflict { .. }) => Ok(false),
                Err(error) => Err(error).doing("a call in a race"),
            }
        }
    });
    Ok(side_by_side(racers).await?.into_iter().filter(|done| *done).count())
}

pub(super) async fn a_circuit_begins_once_and_ends_once(bench: StateBench) -> Verdict {
    for round in 0..20 {
        let service = service(format!("s{round}"))?;
        let write = |turn: usize, expected: Expected, counter| {
            let store = bench.handle(turn);
            let next = proposal(&service, Lane::State, Version::new(0, counter));
            let call =
                async move { store.compare_and_swap(expected, &next, None).await.map(|_| ()) };
            Box::pin(call) as BoxFuture<'static, _>
        };
        let remove = |turn: usize, counter| {
            let (store, service) = (bench.handle(turn), service.clone());
            let expected = Expected::version(Lane::State, Version::new(0, counter));
            let call = async move { store.remove(&service, expected).await };
            Box::pin(call) as BoxFuture<'static, _>
        };
        let missing = Expected::missing(Lane::State);
        let began = race([write(0, missing, 1), write(1, missing, 1)]).await?;
        ensure!(began == 1, "of two that began a circuit, {began} were acknowledged");
        let v1 = Expected::version(Lane::State, Version::new(0, 1));
        let done = race([remove(round, 1), write(round + 1, v1, 2)]).await?;
        let stored = bench.load(&service).await?;
        let version = stored.as_ref().map(|stored| stored.version(Lane::State).counter);
        let written = matches!(stored, Some(Stored::Record(_))) && version == Some(2);
        let removed = matches!(stored, Some(Stored::Tombstone(_))) && version == Some(1);
        // Both are done where the write came after the removal.
        ensure!(
            done == 2 && written || done == 1 && (written || removed),
            "of a removal and a write {done} were acknowledged, and {stored:?} is left"
        );
        let last = version.unwrap_or_default();
        if written {
            let removed = race([remove(0, last), remove(1, last)]).await?;
            ensure!(removed == 1, "of two that removed a circuit, {removed} were acknowledged");
        }
    }
    Ok(())
}
