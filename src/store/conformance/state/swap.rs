//! Compare-and-swap by one writer at a time.

use crate::{
    circuit::{State, Version},
    store::{
        Expected, Lane, Lease, MAX_TEXT,
        conformance::{
            bench::{StateBench, conflict, invalid},
            samples::{ageless, lease, proposal, same_lane, service},
            verdict::{Doing, Verdict, ensure},
        },
    },
};

const V1: Version = Version::new(0, 1);
const V2: Version = Version::new(0, 2);

pub(super) async fn a_write_takes_effect_only_from_the_version_it_expects(
    bench: StateBench,
) -> Verdict {
    for lane in Lane::ALL {
        let service = service(lane.as_str())?;
        let first = proposal(&service, lane, V1);
        bench.write_from(Expected::missing(lane), &first).await?;
        let second = proposal(&service, lane, V2);
        let others = [
            None,
            Some(Version::default()),
            Some(V2),
            Some(Version::new(1, 1)),
            Some(Version::new(1, 0)),
        ];
        for version in others {
            let next = proposal(&service, lane, Version::new(9, 9));
            let expected = Expected { lane, version };
            let answer = bench.other.compare_and_swap(expected, &next, None).await;
            conflict(&format!("{lane:?} expected {version:?}, has {V1}"), answer)?;
            let stored = bench.record(&service).await?;
            ensure!(
                same_lane(lane, &stored, &first),
                "a write that lost changed the record: {stored:?}"
            );
        }
        bench.write_from(Expected::version(lane, V1), &second).await?;
        let stored = bench.record(&service).await?;
        ensure!(
            same_lane(lane, &stored, &second),
            "{second:?} was written, and {stored:?} is there"
        );
    }
    Ok(())
}

pub(super) async fn a_conflict_shows_what_is_there(bench: StateBench) -> Verdict {
    for lane in Lane::ALL {
        let service = service(lane.as_str())?;
        let first = proposal(&service, lane, V1);
        let expected = Expected::version(lane, Version::default());
        let answer = bench.one.compare_and_swap(expected, &first, None).await;
        let current = conflict("a version where nothing is", answer)?;
        ensure!(current.is_none(), "nothing is stored, and a conflict shows {current:?}");
        let found = bench.load(&service).await?;
        ensure!(found.is_none(), "a write that lost left {found:?}");
        bench.write_from(Expected::missing(lane), &first).await?;
        let next = proposal(&service, lane, V2);
        let answer = bench.other.compare_and_swap(Expected::missing(lane), &next, None).await;
        let shown = conflict("nothing expected", answer)?.and_then(|current| current.record());
        let stored = ageless(bench.record(&service).await?);
        ensure!(
            shown.clone().map(ageless).as_ref() == Some(&stored),
            "{stored:?} is stored, and a conflict shows {shown:?}"
        );
    }
    Ok(())
}

pub(super) async fn a_version_never_falls(bench: StateBench) -> Verdict {
    let service = service("payments")?;
    for lane in Lane::ALL {
        let before = bench.load(&service).await?;
        let zero = proposal(&service, lane, Version::default());
        let answer =
            bench.one.compare_and_swap(Expected::found(lane, before.as_ref()), &zero, None);
        invalid("version 0.0 where none was", answer.await)?;
        let steps =
            [(0, 1), (0, 7), (1, 0), (3, 2)].map(|(epoch, counter)| Version::new(epoch, counter));
        for version in steps {
            bench.write(lane, &proposal(&service, lane, version)).await?;
        }
        let last = Version::new(3, 2);
        for version in [last, Version::new(3, 1), Version::new(2, 9), Version::new(0, 100)] {
            let next = proposal(&service, lane, version);
            let answer = bench.one.compare_and_swap(Expected::version(lane, last), &next, None);
            invalid(&format!("{lane:?}: {version} after {last}"), answer.await)?;
            let stored = bench.record(&service).await?;
            ensure!(
                stored.version(lane) == last,
                "{lane:?}: {last} became {}",
                stored.version(lane)
            );
        }
    }
    Ok(())
}

pub(super) async fn a_write_out_of_bounds_is_refused_and_changes_nothing(
    bench: StateBench,
) -> Verdict {
    let service = service("payments")?;
    let expected = Expected::missing(Lane::State);
    let valid = || proposal(&service, Lane::State, V1);
    let mut long = valid();
    long.state.reason = Some("x".repeat(MAX_TEXT + 1));
    let mut null = valid();
    null.state.reason = Some("a\0b".to_owned());
    let mut forced = valid();
    forced.state.state = State::ForcedOpen;
    let mut large = valid();
    large.extra.insert("large".to_owned(), "x".repeat(17 * 1024).into());
    let mut token = valid();
    token.state.lease = Some(Lease { token: u64::MAX, ..lease() });
    let writes = [
        ("a reason that is too long", long),
        ("a null character", null),
        ("an override as the state", forced),
        ("17 KiB of extra fields", large),
        ("a token above the largest number", token),
    ];
    for (what, next) in writes {
        invalid(what, bench.one.compare_and_swap(expected, &next, None).await)?;
        let found = bench.load(&service).await?;
        ensure!(found.is_none(), "{what}: a write that was refused left {found:?}");
    }
    Ok(())
}

pub(super) async fn a_write_that_is_repeated_meets_its_own_change_id(bench: StateBench) -> Verdict {
    let service = service("payments")?;
    for lane in Lane::ALL {
        let found = bench.load(&service).await?;
        let expected = Expected::found(lane, found.as_ref());
        let next = proposal(&service, lane, V1);
        bench.write_from(expected, &next).await?;
        let answer = bench.other.compare_and_swap(expected, &next, None).await;
        let current =
            conflict("the same write again", answer)?.and_then(|current| current.record());
        let met = current.map(|record| record.change_id(lane));
        ensure!(
            met == Some(next.change_id(lane)),
            "{lane:?}: {:?} was written, and the conflict shows {met:?}",
            next.change_id(lane)
        );
    }
    bench.other.load(&service).await.doing("load").map(|_| ())
}
