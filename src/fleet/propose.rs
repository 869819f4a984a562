//! What a circuit did, as changes that are to be committed.

use std::time::Duration;

use super::{
    backlog::{Backlog, Change, What},
    circuits::Found,
    dirty::{Attribution, Mark},
    shared::Shared,
};
use crate::{
    breaker::{self, Breaker, Snapshot},
    circuit::{Moment, Origin, Override, Reason, State, Transition, TripReason, Version},
    store::{ChangeId, Lane, OverrideLane, SettingsLane, StateLane, Timestamp, bounded_text},
};

impl Shared {
    pub(super) fn collect(&self, found: &Found, mark: Mark, backlog: &mut Backlog) {
        let breaker = &found.breaker;
        let changes = breaker.take_changes();
        self.counters.coalesced(changes.overwritten);
        let mut attribution = mark.attribution;
        for change in changes.newest {
            let breaker::Change::Transition(transition) = change else { continue };
            backlog.follows_peer = transition.by == Origin::Peer;
            let what = match transition.reason {
                _ if transition.by == Origin::Peer => {
                    if transition.from == State::HalfOpen {
                        // What the round would have decided is another process's to decide.
                        self.leases.forget_before(breaker.service(), transition.generation);
                    }
                    continue;
                }
                Reason::Overridden | Reason::OverrideLifted => {
                    let over = override_of(transition.to)
                        .filter(|_| transition.reason == Reason::Overridden);
                    let who = Attribution { over, ..attribution.take().unwrap_or_default() };
                    What::Override(self.override_lane(who, transition.at))
                }
                _ => match self.state_change(breaker, &transition) {
                    Some(change) => What::State(Box::new(change)),
                    None => continue,
                },
            };
            let to = match &what {
                What::State(change) => change.lane.state,
                What::Override(_) | What::Settings(_) => transition.to,
            };
            let change = Change {
                what,
                event: (self.ids)(),
                at: transition.at,
                from: transition.from,
                to,
                generation: Some(transition.generation),
                reason: transition.reason.as_str(),
                detail: bounded_text(&transition.reason.to_string()),
                unanswered: None,
            };
            let lifted = matches!(change.what, What::Override(_)) && !change.to.is_override();
            self.counters.coalesced(backlog.push(change).into());
            let closing = lifted.then(|| self.lifted(breaker, transition.at)).flatten();
            if let Some(change) = closing {
                self.counters.coalesced(backlog.push(change).into());
            }
        }
        if let Some(who) = attribution.filter(|_| found.keyed) {
            let (now, state) = (self.clock.now(), breaker.state());
            let who_lifted = who.over.is_none();
            let reason =
                if who.over.is_some() { Reason::Overridden } else { Reason::OverrideLifted };
            let change = Change {
                what: What::Override(self.override_lane(who, now)),
                event: (self.ids)(),
                at: now,
                from: State::Closed,
                to: state,
                generation: None,
                reason: reason.as_str(),
                detail: reason.to_string(),
                unanswered: None,
            };
            let closing = who_lifted.then(|| self.lifted(breaker, now)).flatten();
            self.counters.coalesced(backlog.push(change).into());
            if let Some(change) = closing {
                self.counters.coalesced(backlog.push(change).into());
            }
        }
        if let Some(opening) = mark.quorum {
            let change = self.quorum_change(breaker, opening);
            self.counters.coalesced(backlog.push(change).into());
        }
        if let Some((changes, by)) = mark.settings {
            let lane = SettingsLane {
                change_id: ChangeId::random(),
                changes,
                by: by.as_deref().map(bounded_text),
                ..SettingsLane::default()
            };
            let state = breaker.state();
            let change = Change {
                what: What::Settings(lane),
                event: (self.ids)(),
                at: self.clock.now(),
                from: state,
                to: state,
                generation: None,
                reason: "settings_changed",
                detail: "live settings were changed".to_owned(),
                unanswered: None,
            };
            self.counters.coalesced(backlog.push(change).into());
        }
    }

    /// What people set is written again where the store lost it. States are seen to by
    /// [`difference`](Self::difference).
    pub(super) fn put_back(&self, found: &Found, backlog: &mut Backlog) {
        let service = found.breaker.service();
        let Some(lost) = self.mirror.take_lost(service) else { return };
        let stored = self.mirror.get(service).and_then(|known| known.stored);
        let is_lost = |lane: Lane| {
            lost.version(lane) > stored.as_ref().map_or(Version::default(), |now| now.version(lane))
        };
        let (now, state) = (self.clock.now(), found.breaker.state());
        let mut lost_lanes = Vec::new();
        if is_lost(Lane::Override) && lost.override_.value.is_some() {
            lost_lanes.push(What::Override(lost.override_.clone()));
        }
        if is_lost(Lane::Settings) && !lost.settings.changes.is_empty() {
            lost_lanes.push(What::Settings(lost.settings.clone()));
        }
        // What people set since is newer.
        lost_lanes.retain(|lost| !backlog.has(lost.lane()));
        for what in lost_lanes {
            let mut change = Change {
                what,
                event: (self.ids)(),
                at: now,
                from: state,
                to: state,
                generation: None,
                reason: "put_back",
                detail: "the store had lost it".to_owned(),
                unanswered: None,
            };
            change.renew(change.event);
            self.counters.coalesced(backlog.push(change).into());
        }
    }

    fn override_lane(&self, who: Attribution, at: Moment) -> OverrideLane {
        OverrideLane {
            change_id: ChangeId::random(),
            value: who.over,
            set_at: Some(self.wall().before(self.clock.now().since(at))),
            by: who.by.as_deref().map(bounded_text),
            reason: who.reason.as_deref().map(bounded_text),
            ..OverrideLane::default()
        }
    }
}

fn override_of(state: State) -> Option<Override> {
    match state {
        State::ForcedOpen => Some(Override::ForcedOpen),
        State::Disabled => Some(Override::Disabled),
        State::MetricsOnly => Some(Override::MetricsOnly),
        State::Closed | State::Open | State::HalfOpen => None,
    }
}

/// What people look for in a record.
pub(super) fn figures(snapshot: &Snapshot, breaker: &Breaker) -> StateLane {
    let settings = breaker.settings();
    let failure_count = match snapshot.trip_reason {
        Some(TripReason::ConsecutiveFailures { failures, .. }) => failures,
        Some(TripReason::FailureRate { failures, .. }) => {
            u32::try_from(failures).unwrap_or(u32::MAX)
        }
        Some(TripReason::ProbesFailed { failed, .. }) => failed,
        _ => snapshot.consecutive_failures,
    };
    StateLane {
        failure_count,
        failure_threshold: settings.failure_threshold(),
        recovery_timeout: settings.recovery_timeout(),
        ..StateLane::default()
    }
}

pub(super) fn state_lane(
    snapshot: &Snapshot,
    breaker: &Breaker,
    transition: &Transition,
    wall: impl FnOnce(Duration) -> Timestamp,
) -> StateLane {
    let mut lane = figures(snapshot, breaker);
    lane.change_id = ChangeId::random();
    // A reset under an override closes what is under it.
    lane.state = if transition.to.is_override() { State::Closed } else { transition.to };
    lane.open_for = transition.open_for.unwrap_or_default();
    lane.reopens = transition.reopens;
    lane.reason = Some(bounded_text(&transition.reason.to_string()));
    if let Reason::Tripped(_) = transition.reason {
        lane.last_failure_at = Some(wall(breaker.since(transition.at)));
    }
    lane
}
