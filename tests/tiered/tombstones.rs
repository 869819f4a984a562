//! Circuits that were removed while a tier was away.

use std::time::Duration;

use tower_breaker::store::{Expected, Lane, StateStore, Stored, faulty::Fault};

use crate::support::{Tiers, a_while, record, service, write};

#[tokio::test(start_paused = true)]
async fn an_older_record_does_not_come_back_over_a_tombstone() {
    for cache_is_away in [true, false] {
        let tiers = Tiers::new();
        let all = tiers.process();
        let version = write(&all, Lane::State, "old").await.unwrap().version;
        let (apart, no_cache, no_durable) = tiers.apart();
        let away = if cache_is_away { no_cache } else { no_durable };
        away.set_all(Fault::error());
        apart.remove(&service(), Expected::version(Lane::State, version)).await.unwrap();
        // While one is away, no tombstone is forgotten.
        assert_eq!(apart.forget_tombstones(Duration::ZERO, 9).await.unwrap(), 0);
        all.load_all(None).await.unwrap();
        a_while().await;
        for tier in [&tiers.cache, &tiers.durable] {
            let found = tier.inner().load(&service()).await.unwrap();
            assert!(matches!(found, Some(Stored::Tombstone(_))), "{cache_is_away}: {found:?}");
        }
        assert_eq!(all.forget_tombstones(Duration::ZERO, 9).await.unwrap(), 1);
        assert_eq!(all.load(&service()).await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_written_since_wins_over_a_tombstone() {
    let tiers = Tiers::new();
    let all = tiers.process();
    let version = write(&all, Lane::State, "old").await.unwrap().version;
    all.remove(&service(), Expected::version(Lane::State, version)).await.unwrap();
    let (apart, _, no_durable) = tiers.apart();
    no_durable.set_all(Fault::error());
    write(&apart, Lane::State, "new").await.unwrap();
    all.load_all(None).await.unwrap();
    a_while().await;
    for tier in [&tiers.cache, &tiers.durable] {
        let found = record(tier.inner()).await.unwrap();
        assert_eq!(found.state.reason.as_deref(), Some("new"));
    }
}
