//! The checks of a history.

use super::{alerts, append, metrics, paging, patterns, prune, queries};
use crate::store::conformance::{
    bench::HistoryBench,
    runner::{Check, checks},
};

pub(in crate::store::conformance) fn checks() -> Vec<Check<HistoryBench>> {
    checks! {
        append:
            an_event_is_kept_once_and_whole,
            events_are_appended_all_or_none,
            of_writers_with_the_same_events_each_event_is_new_to_one,
            an_append_that_is_dropped_is_done_or_not_done;
        paging:
            pages_have_every_event_once_and_in_order,
            a_page_keeps_its_place_while_events_come,
            a_page_has_at_least_one_row_and_not_all_there_are;
        queries:
            events_are_found_by_service_kind_and_time,
            all_times_include_the_first_and_the_last;
        metrics:
            a_metric_bucket_replaces_the_one_with_its_key,
            metric_buckets_are_written_all_or_none,
            metric_buckets_are_found_page_by_page;
        patterns:
            a_pattern_replaces_the_one_with_its_key,
            patterns_are_found_the_latest_first,
            a_silence_is_replaced_and_ends;
        alerts:
            an_alert_counts_until_it_is_resolved,
            an_incident_has_one_alert_however_many_raise_it,
            who_acknowledges_first_is_kept,
            alerts_are_found_the_latest_first;
        prune:
            old_events_go_the_oldest_first_and_no_more_than_asked,
            old_metrics_go_by_resolution,
            old_findings_go_and_unresolved_alerts_stay;
    }
}
