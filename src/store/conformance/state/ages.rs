//! Times and ages, by the store's own clock.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    circuit::Version,
    store::{
        Expected, Lane, Stored, Timestamp,
        conformance::{
            bench::StateBench,
            samples::{proposal, service},
            verdict::{Doing, Verdict, ensure},
        },
    },
};

/// What a check may take on a slow machine.
const SLACK: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(100);

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}

pub(super) async fn ages_grow_with_the_stores_clock(bench: StateBench) -> Verdict {
    let (kept, gone) = (service("kept")?, service("gone")?);
    for service in [&kept, &gone] {
        let next = proposal(service, Lane::State, Version::new(0, 1));
        bench.write(Lane::State, &next).await?;
    }
    let expected = Expected::version(Lane::State, Version::new(0, 1));
    bench.one.remove(&gone, expected).await.doing("remove")?;
    let ages = async || {
        let mut ages = Vec::new();
        let all = bench.other.load_all(None).await.doing("load_all")?.stored;
        let loaded = [bench.load(&kept).await?, bench.load(&gone).await?];
        for stored in loaded.into_iter().flatten().chain(all) {
            ages.push((
                stored.service().clone(),
                match stored {
                    Stored::Record(record) => record.age,
                    Stored::Tombstone(tombstone) => tombstone.age,
                },
            ));
        }
        ages.sort();
        Ok::<_, crate::store::conformance::verdict::Stop>(ages)
    };
    let before = ages().await?;
    sleep(SHORT).await;
    let after = ages().await?;
    ensure!(before.len() == 4 && after.len() == 4, "two circuits have the ages {before:?}");
    for ((service, before), (_, after)) in before.iter().zip(&after) {
        ensure!(*before < SLACK, "`{service}` has just been written and is {before:?} old");
        // A clock may be adjusted a little meanwhile.
        ensure!(
            *after >= *before + SHORT / 2 && *after < *before + SLACK,
            "`{service}` was {before:?} old, and {SHORT:?} later {after:?}"
        );
    }
    Ok(())
}

pub(super) async fn the_time_of_a_change_is_the_stores_less_the_age_that_was_proposed(
    bench: StateBench,
) -> Verdict {
    let service = service("payments")?;
    let cases =
        [(HOUR, Timestamp::MAX), (Duration::ZERO, Timestamp::MAX), (HOUR, Timestamp::EPOCH)];
    for (round, (age, claimed)) in cases.into_iter().enumerate() {
        let mut next = proposal(&service, Lane::State, Version::new(0, 1 + round as u64));
        next.age = age;
        next.state.changed_at = claimed;
        let committed = bench.write(Lane::State, &next).await?;
        // The age is that of the state: other lanes have no part in it.
        let mut other = proposal(&service, Lane::Override, Version::new(0, 1 + round as u64));
        other.age = HOUR * 9;
        bench.write(Lane::Override, &other).await?;
        let stored = bench.record(&service).await?;
        ensure!(
            stored.age >= age && stored.age < age + SLACK,
            "a state that was {age:?} old when it was written is {:?} old",
            stored.age
        );
        let began = committed.at.before(age);
        ensure!(
            apart(stored.state.changed_at, began) < SLACK,
            "a state {age:?} old was written at {}, and has changed at {}; the proposer's own time \
             for it was {claimed}",
            committed.at,
            stored.state.changed_at
        );
    }
    Ok(())
}

pub(super) async fn an_age_beyond_all_time_is_cut(bench: StateBench) -> Verdict {
    let service = service("payments")?;
    let mut next = proposal(&service, Lane::State, Version::new(0, 1));
    next.age = Duration::MAX;
    bench.write(Lane::State, &next).await?;
    let stored = bench.record(&service).await?;
    ensure!(
        stored.state.changed_at == Timestamp::EPOCH,
        "the oldest change there can be is that of 1970, and not of {}",
        stored.state.changed_at
    );
    ensure!(stored.age > HOUR, "a state that is older than all time is {:?} old", stored.age);
    Ok(())
}
