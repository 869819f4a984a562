//! Each defect is rejected by the check that is meant for it.

use std::marker::PhantomData;

use async_trait::async_trait;
use tower_breaker::{
    ServiceName,
    store::{
        MemoryStore,
        conformance::{self, Outcome, Report, Subject},
        faulty::{Fault, Faults, FaultyStore, Operation},
    },
};

use crate::{
    broken::{BrokenSubject, Defect},
    defects::{cancelled, events, fleet, hints, history, reads, values, writes},
};

async fn report<D: Defect>() -> Report {
    conformance::all(BrokenSubject::<D>(PhantomData)).await
}

#[derive(Debug, Default)]
struct NoDefect;

impl Defect for NoDefect {}

#[tokio::test(start_paused = true)]
async fn a_wrapped_store_without_a_defect_passes() {
    let report = report::<NoDefect>().await;
    report.assert();
    let skipped =
        report.checks().iter().filter(|check| matches!(check.outcome, Outcome::Skipped(_)));
    let skipped: Vec<&str> = skipped.map(|check| check.name).collect();
    assert_eq!(skipped, ["a_record_that_cannot_be_read_is_named_and_hides_no_other"]);
}

macro_rules! rejected {
    ($($test:ident: $defect:ty => $check:literal;)+) => {$(
        #[tokio::test(start_paused = true)]
        async fn $test() {
            let report = report::<$defect>().await;
            assert!(report.failed().contains(&$check), "not rejected by `{}`:\n{report}", $check);
        }
    )+};
}

rejected! {
    lost_update: writes::LostUpdate => "one_writer_wins_each_version";
    version_reuse: writes::VersionReuse => "a_version_never_falls";
    acknowledged_and_not_written: writes::NotWritten
        => "a_write_takes_effect_only_from_the_version_it_expects";
    lanes_written_together: writes::WholeRecord => "a_write_of_one_lane_leaves_the_others_alone";
    lanes_under_one_version: writes::OneVersion => "lanes_do_not_compete";
    missing_taken_for_version_zero: writes::MissingIsZero => "a_conflict_shows_what_is_there";
    conflict_that_shows_nothing: writes::EmptyConflict => "a_conflict_shows_what_is_there";
    conflict_without_change_id: writes::NoChangeId
        => "a_write_that_is_repeated_meets_its_own_change_id";
    bounds_not_checked: writes::Unchecked
        => "a_write_out_of_bounds_is_refused_and_changes_nothing";
    forgotten_tombstone: writes::ForgottenTombstone => "a_removed_circuit_is_not_a_missing_one";
    versions_begin_again: writes::VersionsBeginAgain => "no_version_comes_again_after_a_removal";
    removal_of_any_version: writes::RemovesAnyVersion
        => "a_removal_takes_effect_only_from_the_version_it_expects";
    panic_in_a_removal: writes::PanickingRemoval => "a_removed_circuit_is_not_a_missing_one";

    stale_read: reads::StaleRead => "an_acknowledged_write_is_seen_by_every_handle";
    cursor_ahead_of_its_rows: reads::CursorAhead => "load_all_misses_no_write_that_commits_meanwhile";
    changes_without_removals: reads::NoRemovals => "load_all_since_has_all_that_changed_since";

    unknown_fields_dropped: values::UnknownDropped => "fields_that_are_unknown_are_kept";
    unknown_fields_replaced: values::UnknownReplaced => "fields_that_are_unknown_are_kept";
    names_without_case: values::NoCase => "every_name_is_a_circuit_of_its_own";
    numbers_of_31_bits: values::SmallNumbers => "every_field_keeps_its_extremes";
    age_by_the_proposers_clock: values::ProposersClock
        => "the_time_of_a_change_is_the_stores_less_the_age_that_was_proposed";
    age_that_stands_still: values::NoAge => "ages_grow_with_the_stores_clock";

    no_first_resync: hints::NoResync => "a_watcher_is_told_to_look_at_everything_first";
    dropped_hint: hints::SomeDropped => "every_watcher_is_told_of_every_change";
    removal_without_hint: hints::NoRemovals => "every_kind_of_change_is_hinted_to_other_handles";

    event_before_its_change: events::EventFirst => "no_event_is_written_with_a_change_that_is_not";
    event_after_its_change: events::EventLater => "a_write_that_is_dropped_has_its_event_or_none";
    event_left_out: events::NoEvent => "an_event_is_written_with_its_change";
    event_of_every_proposal: events::EveryProposal
        => "the_events_of_a_race_are_those_of_the_winners";

    lane_in_two_steps: cancelled::TwoSteps => "a_write_that_is_dropped_is_done_or_not_done";
    lock_that_a_dropped_call_keeps: cancelled::KeptLock
        => "calls_that_are_dropped_leave_the_store_working";
    append_in_steps: cancelled::AppendInSteps => "an_append_that_is_dropped_is_done_or_not_done";

    append_up_to_the_first_error: history::PartialAppend => "events_are_appended_all_or_none";
    known_events_counted: history::CountsKnown => "an_event_is_kept_once_and_whole";
    wrong_order: history::WrongOrder => "pages_have_every_event_once_and_in_order";
    page_that_loses_equal_times: history::LosesEqualTimes
        => "pages_have_every_event_once_and_in_order";
    page_by_offset: history::Offset => "a_page_keeps_its_place_while_events_come";
    full_last_page_with_another: history::EmptyLastPage
        => "pages_have_every_event_once_and_in_order";
    last_time_left_out: history::NoLastTime => "all_times_include_the_first_and_the_last";
    metrics_added_up: history::MetricsAdded => "a_metric_bucket_replaces_the_one_with_its_key";
    alert_that_tells_itself: history::AlertAsRaised => "an_alert_counts_until_it_is_resolved";
    prune_without_bound: history::PruneUnbounded
        => "old_events_go_the_oldest_first_and_no_more_than_asked";

    shared_lease: fleet::SharedLease => "a_lease_is_held_by_one_and_not_twice_by_the_same";
    lease_without_fencing: fleet::Unfenced => "a_lost_lease_is_neither_renewed_nor_released";
    lease_in_two_steps: fleet::LeaseInSteps => "one_of_many_that_race_gets_the_lease";
    lease_without_end: fleet::NoEnd => "a_lease_that_ran_out_can_be_taken";
    rows_of_any_age: fleet::AnyAge => "rows_are_told_by_their_age";
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_ends_its_checks_and_not_the_suite() {
    let report = conformance::state_store(|| async {
        let faults = Faults::new();
        faults.set(Operation::Remove, Fault::hang());
        FaultyStore::new(MemoryStore::new(), &faults)
    });
    let report = report.await;
    let outcome =
        |name| report.checks().iter().find(|check| check.name == name).unwrap().outcome.clone();
    let hung = Outcome::Failed("no end within 120 s".to_owned());
    assert_eq!(outcome("no_version_comes_again_after_a_removal"), hung);
    assert_eq!(outcome("one_writer_wins_each_version"), Outcome::Passed);
}

/// Says that it damages records, and does not: what a store does that reads them all the same.
struct Undamaged;

#[async_trait]
impl Subject for Undamaged {
    type Store = MemoryStore;

    async fn fresh(&self) -> MemoryStore {
        MemoryStore::new()
    }

    async fn damage(&self, _store: &MemoryStore, _service: &ServiceName) -> bool {
        true
    }
}

#[tokio::test]
async fn a_damaged_record_that_is_read_all_the_same_is_rejected() {
    let report = conformance::state_store(Undamaged).await;
    let check = "a_record_that_cannot_be_read_is_named_and_hides_no_other";
    assert_eq!(report.failed(), [check], "{report}");
}
