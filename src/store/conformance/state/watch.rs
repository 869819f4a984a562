//! Hints.

use std::collections::HashSet;

use futures_util::{StreamExt, stream::BoxStream};
use tokio::time::timeout;

use crate::{
    circuit::Version,
    name::ServiceName,
    store::{
        ChangeHint, Expected, Lane,
        conformance::{
            bench::StateBench,
            samples::{proposal, service},
            verdict::{Doing, PATIENCE, Stop, Verdict, ensure},
        },
    },
};

async fn next(watch: &mut BoxStream<'static, ChangeHint>, what: &str) -> Result<ChangeHint, Stop> {
    match timeout(PATIENCE, watch.next()).await {
        Ok(Some(hint)) => Ok(hint),
        Ok(None) => Err(Stop::Failed("the stream of hints ended".to_owned())),
        Err(_) => Err(Stop::Failed(format!("no hint within {} s, of {what}", PATIENCE.as_secs()))),
    }
}

/// Waits until a change of each was hinted, or that there may have been any.
async fn hinted(
    watch: &mut BoxStream<'static, ChangeHint>,
    services: impl IntoIterator<Item = ServiceName>,
    what: &str,
) -> Verdict {
    let mut missing: HashSet<ServiceName> = services.into_iter().collect();
    while !missing.is_empty() {
        match next(watch, what).await? {
            ChangeHint::Changed(service) => {
                missing.remove(&service);
            }
            ChangeHint::Resync => return Ok(()),
        }
    }
    Ok(())
}

pub(super) async fn a_watcher_is_told_to_look_at_everything_first(bench: StateBench) -> Verdict {
    let before = service("before")?;
    bench.write(Lane::State, &proposal(&before, Lane::State, Version::new(0, 1))).await?;
    for store in [&bench.one, &bench.other] {
        let first = next(&mut store.watch(), "what there is").await?;
        ensure!(first == ChangeHint::Resync, "the first hint is {first:?}");
    }
    Ok(())
}

pub(super) async fn every_kind_of_change_is_hinted_to_other_handles(bench: StateBench) -> Verdict {
    let mut watch = bench.other.watch();
    next(&mut watch, "what there is").await?;
    for lane in Lane::ALL {
        // A circuit of its own for each, since hints may come twice.
        let new = service(lane.as_str())?;
        bench.write(lane, &proposal(&new, lane, Version::new(0, 1))).await?;
        hinted(&mut watch, [new], &format!("a first write of {lane:?}")).await?;
    }
    for lane in Lane::ALL {
        let old = service(format!("old {}", lane.as_str()))?;
        for counter in 1..=2 {
            bench.write(lane, &proposal(&old, lane, Version::new(0, counter))).await?;
            hinted(&mut watch, [old.clone()], &format!("write {counter} of {lane:?}")).await?;
        }
    }
    let gone = service("gone")?;
    bench.write(Lane::State, &proposal(&gone, Lane::State, Version::new(0, 1))).await?;
    hinted(&mut watch, [gone.clone()], "a write").await?;
    let expected = Expected::version(Lane::State, Version::new(0, 1));
    bench.one.remove(&gone, expected).await.doing("remove")?;
    hinted(&mut watch, [gone], "a removal").await
}

pub(super) async fn every_watcher_is_told_of_every_change(bench: StateBench) -> Verdict {
    let mut watchers = [bench.one.watch(), bench.other.watch(), bench.other.watch()];
    for watch in &mut watchers {
        next(watch, "what there is").await?;
    }
    let mut services = Vec::new();
    for number in 0..30 {
        let service = service(format!("s{number}"))?;
        bench.write(Lane::State, &proposal(&service, Lane::State, Version::new(0, 1))).await?;
        services.push(service);
    }
    for watch in &mut watchers {
        hinted(watch, services.iter().cloned(), "thirty changes").await?;
    }
    Ok(())
}
