//! Three regions of one service, and the first one whose circuit admits the call serves it.
//!
//! ```text
//! cargo run --example failover
//! ```

use std::{cell::Cell, collections::BTreeMap, time::Duration};

use tower_breaker::{CallError, Registry, Settings, error::BoxError};

const REGIONS: [&str; 3] = ["us-east", "us-west", "eu-central"];

/// Where the service is down.
struct World {
    down: Cell<&'static [&'static str]>,
}

impl World {
    async fn call(&self, region: &'static str) -> Result<&'static str, BoxError> {
        if self.down.get().contains(&region) {
            return Err(format!("{region} does not answer").into());
        }
        Ok(region)
    }
}

/// Asks one region after the other. A circuit that is open costs nothing, and one that fails sends
/// the call on.
async fn serve(registry: &Registry, world: &World) -> Result<&'static str, BoxError> {
    let mut last: Option<BoxError> = None;
    for region in REGIONS {
        match registry.call(format!("api-{region}"), async || world.call(region).await).await {
            Ok(answer) => return Ok(answer),
            Err(CallError::Rejected(rejected)) => last = Some(rejected.into()),
            Err(CallError::Inner(error)) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| "there are no regions".into()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let settings = Settings::builder()
        .failure_threshold(3)
        .recovery_timeout(Duration::from_millis(200))
        .permitted_calls_in_half_open(1)
        .jitter(0.0)
        .build()?;
    let registry = Registry::builder().defaults(settings).start().await?;
    let world = World { down: Cell::new(&[]) };

    let phases: [(&str, &'static [&'static str], &str); 3] = [
        ("all regions are up", &[], "us-east"),
        ("us-east is down", &["us-east"], "us-west"),
        ("us-east and us-west are down", &["us-east", "us-west"], "eu-central"),
    ];
    for (name, down, expected) in phases {
        world.down.set(down);
        let mut served = BTreeMap::new();
        for _ in 0..20 {
            *served.entry(serve(&registry, &world).await?).or_insert(0) += 1;
        }
        println!("{name:<30} {served:?}");
        assert_eq!(served, BTreeMap::from([(expected, 20)]), "every call was served");
    }

    world.down.set(&REGIONS);
    for _ in 0..3 {
        let error = serve(&registry, &world).await.expect_err("nobody serves");
        println!("{:<30} {error}", "all regions are down");
    }

    world.down.set(&[]);
    // When its open time is over, the first region is probed by a call and serves again.
    let recovers = async {
        while serve(&registry, &world).await.ok() != Some("us-east") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), recovers).await?;
    println!("{:<30} us-east serves again", "all regions are up again");
    registry.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
