//! Processes that share a cache and a durable store, over the rule of the tiered store.

use tower_breaker::{
    explore::{Explored, explore},
    store::{Lane, tiered::rule::Variant},
};

use crate::world::*;

fn check(name: &str, model: Tiers) -> Explored {
    let found = explore(&model);
    println!("{name}: {} states, {} steps, {} ends", found.states, found.steps, found.ends);
    found
}

fn holds(name: &str, model: Tiers) {
    let found = check(name, model);
    if let Some((invariant, way)) = found.broken {
        panic!("{name}: {invariant} is broken by\n{way}");
    }
    assert!(found.ends > 0, "{name} came to no end");
}

fn rejected(name: &str, model: Tiers, by: &[&str]) {
    holds(name, Tiers { variant: Variant::Sound, ..model });
    let found = check(name, model);
    let (invariant, way) = found.broken.unwrap_or_else(|| panic!("{name} was not rejected"));
    println!("{name} is rejected by {invariant}:\n{way}");
    assert!(by.contains(&invariant), "{name} is rejected by {invariant}, not by {by:?}:\n{way}");
}

#[test]
fn one_wins_where_nothing_goes_wrong() {
    let model = Tiers::sound(Lane::State);
    holds("three leases", model);
    holds("two leases each of two", Tiers { writes: [2, 2, 0], ..model });
    holds("three overrides", Tiers::sound(Lane::Override));
}

#[test]
fn leases_hold_while_reach_changes() {
    let model = Tiers { cuts: 1, ..Tiers::sound(Lane::State) };
    holds("leases and a cut, apart", Tiers { reach: [BOTH, CACHE, DURABLE], ..model });
    holds("leases and a cut", Tiers { reach: [BOTH, BOTH, DURABLE], ..model });
    holds("two leases each and two cuts", Tiers { writes: [2, 1, 0], cuts: 2, ..model });
}

#[test]
fn leases_hold_while_answers_are_lost_and_the_cache_is_emptied() {
    let model = Tiers { reach: [BOTH, CACHE, DURABLE], ..Tiers::sound(Lane::State) };
    holds("leases and a lost answer", Tiers { lost: 1, ..model });
    holds("leases and an empty cache", Tiers { empties: 1, ..model });
    holds("leases and a death", Tiers { deaths: 1, settles: 1, ..model });
}

#[test]
fn overrides_hold_whatever_goes_wrong() {
    let model = Tiers { reach: [BOTH, CACHE, DURABLE], ..Tiers::sound(Lane::Override) };
    holds("overrides and a cut", Tiers { cuts: 1, ..model });
    holds("overrides and a lost answer", Tiers { lost: 1, settles: 1, ..model });
    holds("overrides and an empty cache", Tiers { empties: 1, settles: 1, ..model });
    holds("overrides and a death", Tiers { deaths: 1, settles: 1, ..model });
}

#[test]
fn the_durable_store_alone_must_not_decide() {
    let reach = [BOTH, CACHE, DURABLE];
    let model = Tiers { reach, variant: Variant::DurableDecides, ..Tiers::sound(Lane::State) };
    rejected("the durable store decides", model, &[ONE_HOLDER]);
}

#[test]
fn a_reseed_must_not_open_an_epoch() {
    let reach = [BOTH, DURABLE, BOTH];
    let model = Tiers { reach, writes: [1, 1, 0], empties: 1, ..Tiers::sound(Lane::State) };
    let model = Tiers { variant: Variant::ReseedOpensEpoch, settles: 1, ..model };
    rejected("a reseed opens an epoch", model, &[NO_RETURN, LEASE_STAYS]);
}

#[test]
fn an_epoch_must_not_erase_an_override() {
    let reach = [BOTH, CACHE, DURABLE];
    let model = Tiers { reach, ..Tiers::sound(Lane::Override) };
    let model = Tiers { variant: Variant::EpochErasesOverride, ..model };
    rejected("an epoch erases an override", model, &[OVERRIDE_STAYS]);
}

#[test]
fn versions_alone_must_not_decide() {
    let reach = [BOTH, CACHE, DURABLE];
    let model = Tiers { reach, deaths: 1, ..Tiers::sound(Lane::State) };
    let model = Tiers { variant: Variant::VersionsOnly, settles: 1, ..model };
    rejected("versions alone decide", model, &[LEASE_STAYS, ONE_HOLDER, CONVERGES]);
}

#[test]
fn the_durable_store_must_not_be_first() {
    let reach = [BOTH, CACHE, DURABLE];
    let model = Tiers { reach, lost: 1, ..Tiers::sound(Lane::Override) };
    let model = Tiers { variant: Variant::DurableFirst, ..model };
    rejected("the durable store is first", model, &[NO_RETURN]);
}
