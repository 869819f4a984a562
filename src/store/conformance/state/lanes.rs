//! Lanes that do not touch each other.

use std::time::Duration;

use crate::{
    circuit::{State, Version},
    store::{
        CircuitRecord, Expected, Lane, OverrideLane, SettingsLane,
        conformance::{
            bench::StateBench,
            samples::{proposal, same_lane, service},
            verdict::{Verdict, ensure},
        },
    },
};

pub(super) async fn a_write_of_one_lane_leaves_the_others_alone(bench: StateBench) -> Verdict {
    let service = service("payments")?;
    let mut written = Vec::new();
    for (round, version) in [(0, 1), (0, 2), (4, 0)].into_iter().enumerate() {
        for lane in Lane::ALL {
            let version = Version::new(version.0, version.1 + lane as u64 * 10);
            let mut next = proposal(&service, lane, version);
            // What a proposer has in the other lanes may be old, or nonsense.
            for other in Lane::ALL.into_iter().filter(|other| *other != lane) {
                next.take_lane(other, &proposal(&service, other, Version::new(7, round as u64)));
            }
            bench.write(lane, &next).await?;
            written.retain(|(lane_before, _): &(Lane, CircuitRecord)| *lane_before != lane);
            written.push((lane, next));
            let stored = bench.record(&service).await?;
            for (other, last) in &written {
                ensure!(
                    same_lane(*other, &stored, last),
                    "after a write of {lane:?}, {other:?} is no longer that of {last:?}: {stored:?}"
                );
            }
        }
    }
    Ok(())
}

pub(super) async fn a_lane_that_was_never_written_is_empty_at_version_zero(
    bench: StateBench,
) -> Verdict {
    for lane in Lane::ALL {
        let service = service(lane.as_str())?;
        let next = proposal(&service, lane, Version::new(0, 1));
        let committed = bench.write_from(Expected::missing(lane), &next).await?;
        let stored = bench.record(&service).await?;
        for other in Lane::ALL.into_iter().filter(|other| *other != lane) {
            let version = stored.version(other);
            ensure!(version == Version::default(), "{other:?} was never written and has {version}");
        }
        if lane != Lane::State {
            let state = &stored.state;
            ensure!(
                state.state == State::Closed && state.open_for.is_zero() && state.lease.is_none(),
                "a state that was never written is {state:?}"
            );
            let off =
                state.changed_at.since(committed.at).max(committed.at.since(state.changed_at));
            ensure!(
                off < Duration::from_secs(1),
                "a circuit is closed since it was first written, at {}, and not since {}",
                committed.at,
                state.changed_at
            );
        }
        if lane != Lane::Override {
            let empty = stored.override_ == OverrideLane::default();
            ensure!(empty, "an override that was never written is {:?}", stored.override_);
        }
        if lane != Lane::Settings {
            let empty = stored.settings == SettingsLane::default();
            ensure!(empty, "settings that were never written are {:?}", stored.settings);
        }
    }
    Ok(())
}
