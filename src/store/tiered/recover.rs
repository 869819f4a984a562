//! Finds tiers back, and brings them up.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::runtime::Handle;

use super::{
    drive::Drive,
    health::{add, name},
    rule::Tier,
    shared::Shared,
};
use crate::{name::ServiceName, store::StoreError};

/// How much longer the longest pause between probes is than the first.
const LONGEST: u32 = 16;
/// How long a write of another process may be on its way before it is brought up.
const ON_ITS_WAY: Duration = Duration::from_millis(100);
/// How many circuits are brought up at the same time.
const AT_ONCE: usize = 8;
/// What a tier that is down is asked for.
const PROBE: &str = "tower-breaker probe";

/// Begins to look for a tier that went down.
pub(super) fn begin(shared: &Arc<Shared>, tier: Tier) {
    // Without a runtime there is nothing to wait with, and no deadline either.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(look_for(Arc::downgrade(shared), tier, shared.pause));
    }
}

async fn look_for(weak: Weak<Shared>, tier: Tier, first: Duration) {
    let Ok(probe) = ServiceName::new(PROBE) else { return };
    let mut pause = first;
    loop {
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(first * LONGEST);
        let Some(shared) = weak.upgrade() else { return };
        let side = shared.side(tier);
        if let Some(lasted) = side.probe(side.store.load(&probe)).await {
            add(&shared.counters.recoveries);
            tracing::info!(
                tier = tier.as_str(),
                ?lasted,
                "circuit breaker: {} answers again",
                name(tier)
            );
            settle_all(&shared).await;
            shared.turned();
            return;
        }
    }
}

/// From half of a pause to all of it.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Brings up what is owed, and whatever else the tiers differ on. What fails is done when somebody
/// comes across it.
async fn settle_all(shared: &Arc<Shared>) {
    let mut services = shared.owed.services();
    if let Ok((_, differing)) = shared.read_all(None).await {
        services.extend(differing);
    }
    settle_each(shared, services.into_iter().collect()).await;
}

async fn settle_each(shared: &Arc<Shared>, services: Vec<ServiceName>) {
    let work = stream::iter(services).for_each_concurrent(AT_ONCE, |service| {
        let shared = Arc::clone(shared);
        async move {
            if let Err(error) = settle(&shared, &service).await {
                tracing::debug!(
                    %service,
                    error = &error as &dyn std::error::Error,
                    "circuit breaker: the tiers could not be brought to agree yet"
                );
            }
        }
    });
    work.await;
}

/// Has the tiers agree on a circuit.
pub(super) async fn settle(shared: &Arc<Shared>, service: &ServiceName) -> Result<(), StoreError> {
    for kept in shared.owed.kept(service) {
        Drive::settle(shared, service, Some(kept)).run().await?;
    }
    Drive::settle(shared, service, None).run().await.map(|_| ())
}

/// Has the tiers agree on circuits, in a moment.
pub(super) fn settle_soon(shared: &Arc<Shared>, services: impl IntoIterator<Item = ServiceName>) {
    let Ok(runtime) = Handle::try_current() else { return };
    let mut settling = shared.settling();
    let new: Vec<ServiceName> =
        services.into_iter().filter(|service| settling.insert(service.clone())).collect();
    drop(settling);
    if new.is_empty() {
        return;
    }
    let weak = Arc::downgrade(shared);
    runtime.spawn(async move {
        tokio::time::sleep(jittered(ON_ITS_WAY)).await;
        let Some(shared) = weak.upgrade() else { return };
        {
            let mut settling = shared.settling();
            for service in &new {
                settling.remove(service);
            }
        }
        settle_each(&shared, new).await;
    });
}
