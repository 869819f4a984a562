//! How many processes it takes to open a circuit for all.
//!
//! Pure. A vote is a process's own opening, told in its own row; it is about one version of the
//! shared state, so that the transition it leads to consumes it.

use std::time::Duration;

use serde_json::Value;

use crate::{
    breaker::ServiceName,
    circuit::Version,
    store::{Extra, InstanceRow, RunId},
};

/// Where a record names the processes whose probes failed since the circuit opened.
pub(super) const FAILED_HOLDERS: &str = "failed_holders";

/// What a count of votes came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// The processes that opened the circuit for themselves.
    pub(super) votes: u32,
    /// How long the circuit would stay open, by the longest of them.
    pub(super) open_for: Duration,
}

/// Counts the votes of live processes about a version of the state.
pub(super) fn tally<'a>(
    rows: impl IntoIterator<Item = &'a InstanceRow>,
    service: &ServiceName,
    version: Version,
) -> Tally {
    let votes = rows.into_iter().filter_map(|row| {
        row.votes.iter().find(|vote| vote.service == *service && vote.version == version)
    });
    votes.fold(Tally { votes: 0, open_for: Duration::ZERO }, |tally, vote| Tally {
        votes: tally.votes.saturating_add(1),
        open_for: tally.open_for.max(vote.open_for),
    })
}

/// What a failed recovery of one process means for all.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failed {
    /// As many processes failed as it takes: the circuit opens anew.
    Reopen,
    /// The lease passes on to a process that has not failed.
    PassOn(Value),
}

/// Adds a holder whose probes failed to those of the record.
pub(super) fn failed(extra: &Extra, holder: RunId, quorum: u32) -> Failed {
    let mut holders: Vec<String> = extra
        .get(FAILED_HOLDERS)
        .and_then(Value::as_array)
        .map(|holders| holders.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let holder = holder.to_string();
    if !holders.contains(&holder) {
        holders.push(holder);
    }
    if holders.len() >= quorum as usize { Failed::Reopen } else { Failed::PassOn(holders.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Timestamp, Vote};

    const SECOND: Duration = Duration::from_secs(1);

    fn row(votes: &[(&str, u64, u32)]) -> InstanceRow {
        let mut row = InstanceRow::new(RunId::random(), "host".to_owned(), Timestamp::EPOCH);
        row.votes = votes
            .iter()
            .map(|&(service, version, seconds)| Vote {
                service: ServiceName::new(service).unwrap(),
                version: Version::new(0, version),
                open_for: seconds * SECOND,
            })
            .collect();
        row
    }

    #[test]
    fn votes_about_this_version_count_once_a_process_and_the_longest_opening_wins() {
        let service = ServiceName::new("a").unwrap();
        let rows = [
            row(&[("a", 4, 5), ("b", 4, 60)]),
            row(&[("a", 4, 7)]),
            // About a state that is over: that vote was consumed.
            row(&[("a", 3, 90)]),
            row(&[]),
        ];
        let tally = tally(&rows, &service, Version::new(0, 4));
        assert_eq!(tally, Tally { votes: 2, open_for: 7 * SECOND });
    }

    #[test]
    fn only_different_holders_reopen() {
        let [first, second, third] = [(); 3].map(|()| RunId::random());
        let mut extra = Extra::new();
        for holder in [first, first, second] {
            let Failed::PassOn(holders) = failed(&extra, holder, 3) else { panic!("too early") };
            extra.insert(FAILED_HOLDERS.to_owned(), holders);
        }
        assert_eq!(failed(&extra, third, 3), Failed::Reopen);
        assert_eq!(failed(&Extra::new(), first, 1), Failed::Reopen);
        extra.insert(FAILED_HOLDERS.to_owned(), "foreign".into());
        assert!(matches!(failed(&extra, third, 3), Failed::PassOn(_)));
    }
}
