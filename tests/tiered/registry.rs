//! A registry over tiers.

use std::time::Duration;

use tower_breaker::{
    Registry, State,
    breaker::clock::TokioClock,
    store::{Lane, StateStore, tiered::Tier},
};

use crate::support::{Tiers, service, write};

#[tokio::test(start_paused = true)]
async fn a_registry_begins_where_the_tiers_are_and_knows_which_had_it() {
    let mut tiers = Tiers::new();
    write(&tiers.process(), Lane::State, "trip").await.unwrap();
    for source in [Tier::Cache, Tier::Durable] {
        if source == Tier::Durable {
            tiers.empty_cache();
        }
        let store = tiers.process();
        store.load_all(None).await.unwrap();
        assert_eq!(store.source(&service()), Some(source));
        let registry = Registry::builder()
            .tiered(&store)
            .history(tiers.durable.clone())
            .clock(TokioClock::new())
            .start()
            .await
            .unwrap();
        assert_eq!(registry.breaker("payments").unwrap().state(), State::Open);
        registry.shutdown(Duration::from_secs(1)).await;
    }
}
