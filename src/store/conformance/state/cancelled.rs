//! Calls that are dropped half-way.

use crate::{
    circuit::Version,
    name::ServiceName,
    store::{
        ChangeId, CircuitRecord, Expected, Lane, StoreError, Stored,
        conformance::{
            bench::StateBench,
            samples::{proposal, same_lane, service},
            verdict::{Doing, Stop, Verdict, ensure, polled},
        },
    },
};

/// How often a call is polled at most before it is dropped.
const POLLS: u32 = 12;

/// Brings a circuit above all versions that dropped writes may still bring.
async fn settle(bench: &StateBench, service: &ServiceName, dropped: &[ChangeId]) -> Verdict {
    for _ in 0..100 {
        let found = bench.other.load(service).await.doing("load after a dropped call")?;
        let expected = Expected::found(Lane::State, found.as_ref());
        let counter = expected.version.unwrap_or_default().counter + 100;
        let next = proposal(service, Lane::State, Version::new(0, counter));
        match bench.other.compare_and_swap(expected, &next, None).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { current: Some(current) }) => {
                let by = current.record().map(|record| record.change_id(Lane::State));
                ensure!(
                    by.is_some_and(|by| dropped.contains(&by)),
                    "a conflict with a write that nobody made: {by:?}"
                );
            }
            other => {
                other.doing("a write after a dropped one")?;
            }
        }
    }
    Err(Stop::Failed("dropped writes go on for ever".to_owned()))
}

pub(super) async fn a_write_that_is_dropped_is_done_or_not_done(bench: StateBench) -> Verdict {
    for polls in 0..=POLLS {
        let service = service(format!("s{polls}"))?;
        let mut before = proposal(&service, Lane::State, Version::new(0, 1));
        before.extra.insert("write".to_owned(), "before".into());
        bench.write(Lane::State, &before).await?;
        let mut after = proposal(&service, Lane::State, Version::new(0, 2));
        after.extra.insert("write".to_owned(), "after".into());
        let expected = Expected::version(Lane::State, Version::new(0, 1));
        let answer = polled(polls, bench.one.compare_and_swap(expected, &after, None)).await;
        let stored = bench.record(&service).await?;
        let is = |written: &CircuitRecord| {
            same_lane(Lane::State, &stored, written) && stored.extra == written.extra
        };
        ensure!(
            is(&before) || is(&after),
            "a write dropped after {polls} polls left neither what was nor what was to be: {stored:?}"
        );
        if let Some(answer) = answer {
            answer.doing("a write")?;
            ensure!(is(&after), "a write was acknowledged, and {stored:?} is stored");
        }
        settle(&bench, &service, &[after.change_id(Lane::State)]).await?;
    }
    Ok(())
}

pub(super) async fn a_removal_that_is_dropped_is_done_or_not_done(bench: StateBench) -> Verdict {
    for polls in 0..=POLLS {
        let service = service(format!("s{polls}"))?;
        bench.write(Lane::State, &proposal(&service, Lane::State, Version::new(0, 1))).await?;
        let expected = Expected::version(Lane::State, Version::new(0, 1));
        let answer = polled(polls, bench.one.remove(&service, expected)).await;
        let stored = bench.load(&service).await?;
        let version = stored.as_ref().map(|stored| stored.version(Lane::State));
        ensure!(version == Some(Version::new(0, 1)), "a dropped removal left {stored:?}");
        if let Some(answer) = answer {
            answer.doing("remove")?;
            ensure!(
                matches!(stored, Some(Stored::Tombstone(_))),
                "a removal was acknowledged, and {stored:?} is stored"
            );
        }
    }
    Ok(())
}

pub(super) async fn calls_that_are_dropped_leave_the_store_working(bench: StateBench) -> Verdict {
    let service = service("payments")?;
    bench.write(Lane::State, &proposal(&service, Lane::State, Version::new(0, 1))).await?;
    for round in 0..=POLLS * 3 {
        let polls = round % (POLLS + 1);
        polled(polls, bench.one.load(&service)).await;
        polled(polls, bench.one.load_all(None)).await;
        polled(polls, bench.one.forget_tombstones(std::time::Duration::ZERO, 10)).await;
        drop(bench.one.watch());
        let losing = proposal(&service, Lane::State, Version::new(9, 9));
        let expected = Expected::version(Lane::State, Version::new(8, 8));
        polled(polls, bench.one.compare_and_swap(expected, &losing, None)).await;
        for store in [&bench.one, &bench.other] {
            let found = store.load(&service).await.doing("load after dropped calls")?;
            let version = found.map(|stored| stored.version(Lane::State));
            ensure!(version == Some(Version::new(0, 1)), "dropped calls left version {version:?}");
        }
    }
    settle(&bench, &service, &[]).await
}
