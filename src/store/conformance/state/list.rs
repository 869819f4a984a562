//! The checks of a store of circuits.

use super::{ages, cancelled, events, lanes, races, reads, swap, tombstones, values, watch};
use crate::store::conformance::{
    bench::{BothBench, StateBench},
    runner::{Check, checks},
};

/// Those of every such store.
pub(in crate::store::conformance) fn checks() -> Vec<Check<StateBench>> {
    checks! {
        swap:
            a_write_takes_effect_only_from_the_version_it_expects,
            a_conflict_shows_what_is_there,
            a_version_never_falls,
            a_write_out_of_bounds_is_refused_and_changes_nothing,
            a_write_that_is_repeated_meets_its_own_change_id;
        lanes:
            a_write_of_one_lane_leaves_the_others_alone,
            a_lane_that_was_never_written_is_empty_at_version_zero;
        tombstones:
            a_removed_circuit_is_not_a_missing_one,
            a_removal_takes_effect_only_from_the_version_it_expects,
            no_version_comes_again_after_a_removal,
            tombstones_are_forgotten_by_age_and_number;
        values:
            every_name_is_a_circuit_of_its_own,
            every_field_keeps_its_extremes,
            fields_that_are_unknown_are_kept;
        reads:
            an_acknowledged_write_is_seen_by_every_handle,
            load_all_since_has_all_that_changed_since,
            load_all_misses_no_write_that_commits_meanwhile,
            a_record_that_cannot_be_read_is_named_and_hides_no_other;
        races:
            one_writer_wins_each_version,
            lanes_do_not_compete,
            a_circuit_begins_once_and_ends_once;
        watch:
            a_watcher_is_told_to_look_at_everything_first,
            every_kind_of_change_is_hinted_to_other_handles,
            every_watcher_is_told_of_every_change;
        ages:
            ages_grow_with_the_stores_clock,
            the_time_of_a_change_is_the_stores_less_the_age_that_was_proposed,
            an_age_beyond_all_time_is_cut;
        cancelled:
            a_write_that_is_dropped_is_done_or_not_done,
            a_removal_that_is_dropped_is_done_or_not_done,
            calls_that_are_dropped_leave_the_store_working;
    }
}

/// Those of a store that keeps a history too.
pub(in crate::store::conformance) fn checks_with_events() -> Vec<Check<BothBench>> {
    checks! {
        events:
            an_event_is_written_with_its_change,
            no_event_is_written_with_a_change_that_is_not,
            the_events_of_a_race_are_those_of_the_winners,
            a_write_that_is_dropped_has_its_event_or_none;
    }
}
