//! Circuits that were removed.

use std::time::Duration;

use crate::{
    circuit::Version,
    name::ServiceName,
    store::{
        Expected, Lane, Stored, Tombstone,
        conformance::{
            bench::{StateBench, conflict},
            samples::{proposal, service},
            verdict::{Doing, Stop, Verdict, ensure},
        },
    },
};

const V1: Version = Version::new(0, 1);

/// A circuit with a version of its own in each lane, removed. Returns the state's version.
async fn removed(bench: &StateBench, service: &ServiceName) -> Result<Version, Stop> {
    for lane in Lane::ALL {
        let mut next = proposal(service, lane, Version::new(1, 5 + lane as u64));
        next.extra.insert("gone".to_owned(), true.into());
        bench.write(lane, &next).await?;
    }
    let version = Version::new(1, 5);
    let expected = Expected::version(Lane::State, version);
    bench.one.remove(service, expected).await.doing("remove")?;
    Ok(version)
}

async fn tombstone(bench: &StateBench, service: &ServiceName) -> Result<Tombstone, Stop> {
    match bench.other.load(service).await.doing("load")? {
        Some(Stored::Tombstone(tombstone)) => Ok(tombstone),
        found => Err(Stop::Failed(format!("`{service}` was removed, and {found:?} is there"))),
    }
}

pub(super) async fn a_removed_circuit_is_not_a_missing_one(bench: StateBench) -> Verdict {
    let (gone, never) = (service("gone")?, service("never")?);
    let found = bench.load(&never).await?;
    ensure!(found.is_none(), "nothing was written, and {found:?} is there");
    removed(&bench, &gone).await?;
    let tombstone = tombstone(&bench, &gone).await?;
    for lane in Lane::ALL {
        let (kept, was) = (tombstone.versions.of(lane), Version::new(1, 5 + lane as u64));
        ensure!(kept == was, "{lane:?} had {was}, and the tombstone has {kept}");
    }
    let all = bench.other.load_all(None).await.doing("load_all")?.stored;
    let services: Vec<&str> = all.iter().map(|stored| stored.service().as_str()).collect();
    let tombstones = all.iter().all(|stored| matches!(stored, Stored::Tombstone(_)));
    ensure!(services == ["gone"] && tombstones, "a tombstone is there, and load_all has {all:?}");
    Ok(())
}

pub(super) async fn a_removal_takes_effect_only_from_the_version_it_expects(
    bench: StateBench,
) -> Verdict {
    let service = service("payments")?;
    for expected in [Expected::missing(Lane::State), Expected::version(Lane::State, V1)] {
        let answer = bench.one.remove(&service, expected).await;
        let current = conflict("the removal of nothing", answer)?;
        ensure!(current.is_none(), "nothing is stored, and a conflict shows {current:?}");
    }
    bench.write(Lane::Override, &proposal(&service, Lane::Override, V1)).await?;
    for expected in [
        Expected::missing(Lane::Override),
        Expected::version(Lane::Override, Version::new(0, 2)),
        Expected::version(Lane::State, V1),
    ] {
        let answer = bench.one.remove(&service, expected).await;
        let current = conflict(&format!("the removal of {expected:?}"), answer)?;
        let shown = current.and_then(Stored::record).map(|record| record.version(Lane::Override));
        ensure!(shown == Some(V1), "a removal that lost shows {shown:?}");
        bench.record(&service).await?;
    }
    let expected = Expected::version(Lane::Override, V1);
    bench.other.remove(&service, expected).await.doing("remove")?;
    let current = conflict("a second removal", bench.one.remove(&service, expected).await)?;
    let shown = matches!(current, Some(Stored::Tombstone(_)));
    ensure!(shown, "the conflict of a second removal shows {current:?}");
    Ok(())
}

pub(super) async fn no_version_comes_again_after_a_removal(bench: StateBench) -> Verdict {
    let service = service("payments")?;
    let version = removed(&bench, &service).await?;
    for expected in [Expected::missing(Lane::State), Expected::version(Lane::State, V1)] {
        let next = proposal(&service, Lane::State, Version::new(9, 0));
        let answer = bench.one.compare_and_swap(expected, &next, None).await;
        let current = conflict(&format!("{expected:?} over a tombstone"), answer)?;
        let shown = current.as_ref().map(|current| current.version(Lane::State));
        ensure!(
            matches!(current, Some(Stored::Tombstone(_))) && shown == Some(version),
            "the conflict over a tombstone of {version} shows {current:?}"
        );
    }
    let next = proposal(&service, Lane::State, Version::new(1, 6));
    bench.write_from(Expected::version(Lane::State, version), &next).await?;
    let stored = bench.record(&service).await?;
    for lane in [Lane::Override, Lane::Settings] {
        let (kept, was) = (stored.version(lane), Version::new(1, 5 + lane as u64));
        ensure!(kept == was, "{lane:?} had {was} before the removal, and has {kept} after it");
    }
    ensure!(
        stored.override_.value.is_none() && stored.settings.changes.is_empty(),
        "lanes that were removed are back: {stored:?}"
    );
    ensure!(stored.extra.is_empty(), "fields that were removed are back: {:?}", stored.extra);
    Ok(())
}

pub(super) async fn tombstones_are_forgotten_by_age_and_number(bench: StateBench) -> Verdict {
    let hour = Duration::from_secs(3600);
    let services = ["a", "b", "c"].map(service);
    for service in &services {
        removed(&bench, service.as_ref().map_err(Clone::clone)?).await?;
    }
    let kept = service("kept")?;
    bench.write(Lane::State, &proposal(&kept, Lane::State, V1)).await?;
    for (age, at_most, forgotten) in
        [(hour, 10, 0), (Duration::ZERO, 0, 0), (Duration::ZERO, 2, 2), (Duration::ZERO, 10, 1)]
    {
        let answer = bench.one.forget_tombstones(age, at_most).await.doing("forget_tombstones")?;
        ensure!(
            answer == forgotten,
            "of age {age:?} at most {at_most}: {forgotten} must be forgotten, and {answer} were"
        );
    }
    let left = bench.other.load_all(None).await.doing("load_all")?.stored;
    let names: Vec<&str> = left.iter().map(|stored| stored.service().as_str()).collect();
    ensure!(names == ["kept"], "only `kept` was not removed, and there is {names:?}");
    let again = service("a")?;
    bench.write_from(Expected::missing(Lane::State), &proposal(&again, Lane::State, V1)).await?;
    Ok(())
}
