//! A server fails for a while, and a breaker keeps its client off it meanwhile.
//!
//! Everything runs on loopback: an axum server, and hyper's client behind a breaker. The log is what
//! the client saw and what the breaker told its subscriber. With a database, run it twice: the second
//! run finds what the first one left.
//!
//! ```text
//! cargo run --example quickstart --features sqlite
//! ```

#![allow(clippy::disallowed_methods, reason = "it shows when things happen and how long they take")]

mod log;
mod remembered;
mod server;
mod table;

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use axum::body::Body;
use hyper::{Request, Response, body::Incoming};
use hyper_util::{
    client::legacy::{self, Client},
    rt::TokioExecutor,
};
use tokio::time::sleep;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_breaker::{
    CircuitBreakerLayer, Registry, Settings, State,
    error::{self, BoxError},
};

use crate::{log::Log, server::Server, table::Phase};

const PAUSE: Duration = Duration::from_millis(25);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = Server::start().await?;

    // The whole set-up: settings, a registry over a store, a layer around a client.
    let settings = Settings::builder()
        .failure_threshold(5)
        .recovery_timeout(Duration::from_secs(1))
        .build()?;
    let registry = Registry::builder()
        .stores(remembered::store().await?)
        .defaults(settings)
        .settings_for(remembered::settings_for)
        .start()
        .await?;
    remembered::show_recovered(&registry)?;
    let breaker = registry.breaker("inventory")?;
    if breaker.state() != State::Closed {
        // An earlier run was stopped in the middle of it.
        breaker.reset();
    }
    let layer = CircuitBreakerLayer::new(breaker.clone()).failure_if(
        |result: Result<&Response<Incoming>, &legacy::Error>| {
            result.map_or(true, |response| response.status().is_server_error())
        },
    );
    let mut client = ServiceBuilder::new()
        .layer(layer)
        .service(Client::builder(TokioExecutor::new()).build_http::<Body>());

    println!();
    println!("A server on {} fails for a while. A client calls it every 25 ms,", server.url);
    println!("through a breaker that opens after 5 failures in a row, for about a second.");
    println!();
    let mut log = Log::new(breaker.subscribe());
    let mut phases = Vec::new();
    for name in ["healthy", "failing", "healthy again"] {
        match name {
            "failing" => log.note("the server begins to fail"),
            "healthy again" => log.note("the server is well again"),
            _ => {}
        }
        server.fails.store(name == "failing", Ordering::Relaxed);

        let mut phase = Phase { name, ..Phase::default() };
        // The server fails until the breaker has rejected ten calls.
        while phase.good.len() < 15 && (name != "failing" || phase.rejected.len() < 10) {
            let request = Request::get(&server.url).body(Body::empty())?;
            let start = Instant::now();
            let result = client.ready().await?.call(request).await;
            let took = start.elapsed();
            let answer = match result {
                Ok(response) => {
                    let good = response.status().is_success();
                    if good { &mut phase.good } else { &mut phase.failed }.push(took);
                    response.status().to_string()
                }
                Err(error) => {
                    // Nothing but the breaker stands in the way of a call here.
                    let rejected = error::rejected(&*error).ok_or("the server is gone")?;
                    assert_eq!(rejected.service.as_str(), "inventory");
                    phase.rejected.push(took);
                    "rejected".to_owned()
                }
            };
            log.call(answer);
            sleep(PAUSE).await;
        }
        phase.reached = server.reached.swap(0, Ordering::Relaxed);
        phases.push(phase);
    }
    log.flush();
    table::print(&phases);

    assert_eq!(log.states, [State::Closed, State::Open, State::HalfOpen, State::Closed]);
    let [healthy, failing, again] = &phases[..] else { unreachable!("there are three phases") };
    assert_eq!((healthy.good.len(), healthy.reached), (15, 15));
    assert_eq!((failing.failed.len(), failing.rejected.len(), failing.reached), (5, 10, 5));
    assert_eq!((again.failed.len(), again.good.len()), (0, again.reached));
    assert!(!again.rejected.is_empty() && again.reached > 3);
    println!("No rejected call reached the server.\n");

    remembered::give_up(&registry.breaker(remembered::ARCHIVE)?);
    let left = registry.shutdown(Duration::from_secs(5)).await;
    assert!(left.is_nothing(), "{left:?}");
    assert!(remembered::show_history(&registry).await? >= 3);
    Ok(())
}
