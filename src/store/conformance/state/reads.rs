//! What readers see of writers.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{task::yield_now, time::sleep};

use crate::{
    circuit::Version,
    name::ServiceName,
    store::{
        Cursor, Expected, Lane, StoreError, Stored,
        conformance::{
            bench::StateBench,
            samples::{proposal, service},
            verdict::{Doing, Stop, Verdict, ensure, side_by_side},
        },
    },
};

pub(super) async fn an_acknowledged_write_is_seen_by_every_handle(bench: StateBench) -> Verdict {
    let service = service("payments")?;
    let mut expected = Expected::missing(Lane::State);
    for counter in 1..=50_u64 {
        let writer = bench.handle(counter as usize);
        let version = Version::new(0, counter);
        let next = proposal(&service, Lane::State, version);
        writer.compare_and_swap(expected, &next, None).await.doing("a write")?;
        for (who, reader) in
            [("the writer", &writer), ("another", &bench.handle(counter as usize + 1))]
        {
            let found = reader.load(&service).await.doing("load")?;
            let seen = found.map(|stored| stored.version(Lane::State));
            ensure!(seen == Some(version), "{version} was acknowledged, {who} sees {seen:?}");
        }
        let all = bench.handle(counter as usize + 1).load_all(None).await.doing("load_all")?;
        let seen: Vec<Version> =
            all.stored.iter().map(|stored| stored.version(Lane::State)).collect();
        ensure!(seen == [version], "{version} was acknowledged, load_all sees {seen:?}");
        expected = Expected::version(Lane::State, version);
    }
    Ok(())
}

pub(super) async fn load_all_since_has_all_that_changed_since(bench: StateBench) -> Verdict {
    let mut cursor = None;
    let mut versions: HashMap<ServiceName, Version> = HashMap::new();
    let mut reader: HashMap<ServiceName, Version> = HashMap::new();
    for round in 0..12_u64 {
        for number in (0..40_u64).filter(|number| round == 0 || (number * 7 + round) % 5 == 0) {
            let service = service(format!("s{number}"))?;
            let version = Version::new(0, round + 1);
            bench.write(Lane::State, &proposal(&service, Lane::State, version)).await?;
            versions.insert(service, version);
        }
        let gone = service(format!("s{round}"))?;
        if let Some(&version) = versions.get(&gone) {
            let expected = Expected::version(Lane::State, version);
            bench.one.remove(&gone, expected).await.doing("remove")?;
        }
        let loaded = bench.other.load_all(cursor).await.doing("load_all")?;
        ensure!(loaded.corrupt.is_empty(), "load_all cannot read {:?}", loaded.corrupt);
        let removed = loaded
            .stored
            .iter()
            .any(|stored| *stored.service() == gone && matches!(stored, Stored::Tombstone(_)));
        ensure!(removed, "`{gone}` was removed, and load_all does not say so");
        for stored in &loaded.stored {
            reader.insert(stored.service().clone(), stored.version(Lane::State));
        }
        cursor = Some(loaded.cursor);
        ensure!(
            reader == versions,
            "round {round}: {versions:?} is stored, a reader has {reader:?}"
        );
    }
    Ok(())
}

/// Writers on circuits of their own, and a reader that goes on from cursor to cursor.
pub(super) async fn load_all_misses_no_write_that_commits_meanwhile(bench: StateBench) -> Verdict {
    const WRITERS: usize = 6;
    const ROUNDS: u64 = 60;
    let running = Arc::new(AtomicUsize::new(WRITERS));
    let writers = (0..WRITERS).map(|writer| {
        let (store, running) = (bench.handle(writer), Arc::clone(&running));
        async move {
            let written = async {
                for round in 1..=ROUNDS {
                    let service = service(format!("{writer}-{}", round % 4))?;
                    let found = store.load(&service).await.doing("load")?;
                    let expected = Expected::found(Lane::State, found.as_ref());
                    let next = proposal(&service, Lane::State, Version::new(0, round));
                    store.compare_and_swap(expected, &next, None).await.doing("a write")?;
                    yield_now().await;
                }
                Ok::<(), Stop>(())
            };
            let written = written.await;
            running.fetch_sub(1, Ordering::Release);
            written.map(|()| HashMap::new())
        }
    });
    let (reader, running) = (bench.handle(1), Arc::clone(&running));
    let reads = async move {
        let mut seen: HashMap<ServiceName, Version> = HashMap::new();
        let mut cursor: Option<Cursor> = None;
        for read in 1_u64.. {
            let last = running.load(Ordering::Acquire) == 0;
            let loaded = reader.load_all(cursor).await.doing("load_all")?;
            for stored in loaded.stored {
                let version = stored.version(Lane::State);
                let before = seen.insert(stored.service().clone(), version).unwrap_or_default();
                ensure!(
                    before <= version,
                    "`{}` went from {before} to {version}",
                    stored.service()
                );
            }
            cursor = Some(loaded.cursor);
            if last {
                break;
            }
            // Pauses that grow, without which time does not pass where it is tokio's.
            if read.is_multiple_of(64) {
                sleep(Duration::from_millis(read / 64)).await;
            } else {
                yield_now().await;
            }
        }
        Ok(seen)
    };
    let mut tasks: Vec<futures_util::future::BoxFuture<'static, _>> = vec![Box::pin(reads)];
    tasks.extend(writers.map(|writer| Box::pin(writer) as _));
    let seen: HashMap<ServiceName, Version> =
        side_by_side(tasks).await?.into_iter().flatten().collect();
    for stored in bench.one.load_all(None).await.doing("load_all")?.stored {
        let (has, saw) = (stored.version(Lane::State), seen.get(stored.service()));
        ensure!(
            saw == Some(&has),
            "`{}` is at {has}, and a reader that followed the cursors has {saw:?}",
            stored.service()
        );
    }
    ensure!(seen.len() == WRITERS * 4, "{} of {} circuits were seen", seen.len(), WRITERS * 4);
    Ok(())
}

pub(super) async fn a_record_that_cannot_be_read_is_named_and_hides_no_other(
    bench: StateBench,
) -> Verdict {
    let (bad, good) = (service("bad")?, service("good")?);
    for service in [&bad, &good] {
        let next = proposal(service, Lane::State, Version::new(0, 1));
        bench.write(Lane::State, &next).await?;
    }
    if !(bench.damage)(bad.clone()).await {
        return Err(Stop::Skipped("the subject cannot damage a record"));
    }
    let is_bad = |error: &StoreError| match error {
        StoreError::Corrupt { row, .. } => row.contains("bad"),
        _ => false,
    };
    let found = bench.other.load(&bad).await;
    ensure!(
        found.as_ref().is_err_and(is_bad),
        "a record that cannot be read must be Corrupt with its row, and is {found:?}"
    );
    let loaded = bench.other.load_all(None).await.doing("load_all")?;
    let names: Vec<&str> = loaded.stored.iter().map(|stored| stored.service().as_str()).collect();
    ensure!(
        names == ["good"] && loaded.corrupt.len() == 1 && loaded.corrupt.iter().all(is_bad),
        "`bad` cannot be read and `good` can: {loaded:?}"
    );
    let next = proposal(&good, Lane::State, Version::new(0, 2));
    bench.write(Lane::State, &next).await.map(|_| ())
}
