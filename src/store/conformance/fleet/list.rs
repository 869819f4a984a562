//! The checks of a fleet.

use super::{instances, leases};
use crate::store::conformance::{
    bench::FleetBench,
    runner::{Check, checks},
};

pub(in crate::store::conformance) fn checks() -> Vec<Check<FleetBench>> {
    checks! {
        leases:
            a_lease_is_held_by_one_and_not_twice_by_the_same,
            a_lease_that_ran_out_can_be_taken,
            a_lost_lease_is_neither_renewed_nor_released,
            renewing_begins_the_term_anew,
            one_of_many_that_race_gets_the_lease,
            a_call_for_a_lease_that_is_dropped_leaves_at_most_a_term;
        instances:
            a_process_has_one_row_which_is_kept_whole,
            rows_are_told_by_their_age,
            rows_are_retired_and_forgotten;
    }
}
