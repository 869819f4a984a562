//! An axum app with a circuit for each of its routes.
//!
//! Orders need a database that goes away for a while. Meanwhile their route answers 503 with a
//! Retry-After, without running the handler, and the other routes are as well as ever.
//!
//! ```text
//! cargo run --example axum_server --features http
//! ```

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Path, Request, State},
    http::{Response, StatusCode, header::RETRY_AFTER},
    routing::get,
};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{net::TcpListener, time::sleep};
use tower_breaker::{
    BoxError, BreakerMap, CircuitBreakerLayer, Event, EventKind, Settings,
    http::{ServerErrorsAsFailures, service_unavailable},
};

/// What the handlers need: a database that can be away, and counts its queries.
#[derive(Debug, Default)]
struct Database {
    away: AtomicBool,
    queries: AtomicU32,
}

async fn order(
    State(database): State<Arc<Database>>,
    Path(id): Path<u32>,
) -> Result<String, StatusCode> {
    database.queries.fetch_add(1, Ordering::Relaxed);
    if database.away.load(Ordering::Relaxed) {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    Ok(format!("order {id}"))
}

/// The app, and the circuits of its routes.
fn app(database: Arc<Database>) -> Result<(Router, BreakerMap), BoxError> {
    let settings = Settings::builder()
        .failure_threshold(3)
        .recovery_timeout(Duration::from_millis(900))
        .build()?;
    let breakers = BreakerMap::builder().settings(settings).observer(print).build()?;
    // The layer answers rejections itself: axum's services have no errors.
    let layer = CircuitBreakerLayer::keyed(breakers.clone(), |request: &Request| {
        let route = request.extensions().get::<MatchedPath>();
        Cow::Borrowed(route.map_or("(no route)", MatchedPath::as_str))
    })
    .classify_with(ServerErrorsAsFailures)
    .on_reject(service_unavailable());
    let app = Router::new()
        .route("/orders/{id}", get(order))
        .route("/about", get(async || "since 1998"))
        .layer(layer)
        .with_state(database);
    Ok((app, breakers))
}

/// Prints the transitions of every circuit.
fn print(event: &Event) {
    if let EventKind::Transition(transition) = &event.kind {
        println!("    {}: {} → {}", event.service, transition.from, transition.to);
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let database = Arc::new(Database::default());
    let (app, breakers) = app(Arc::clone(&database))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = Caller {
        url: format!("http://{}", listener.local_addr()?),
        client: Client::builder(TokioExecutor::new()).build_http(),
    };
    tokio::spawn(async { axum::serve(listener, app).await });

    assert_eq!(client.get("/orders/1").await?.status(), StatusCode::OK);

    println!("the database goes away");
    database.away.store(true, Ordering::Relaxed);
    for id in 2..5 {
        let response = client.get(&format!("/orders/{id}")).await?;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
    // The circuit of the route is open, whatever the order, and the handler does not run.
    for id in 5..10 {
        let response = client.get(&format!("/orders/{id}")).await?;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }
    assert_eq!(database.queries.load(Ordering::Relaxed), 4);
    // The other route has a circuit of its own.
    assert_eq!(client.get("/about").await?.status(), StatusCode::OK);

    println!("the database is back");
    database.away.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(1)).await;
    for id in 10..15 {
        assert_eq!(client.get(&format!("/orders/{id}")).await?.status(), StatusCode::OK);
    }

    println!(
        "\n{:<14}  {:<6}  {:>8}  {:>6}  {:>8}",
        "route", "state", "admitted", "failed", "rejected"
    );
    let mut snapshots = breakers.snapshots();
    snapshots.sort_by(|a, b| a.service.cmp(&b.service));
    for it in &snapshots {
        let (service, state) = (it.service.as_str(), it.state.as_str());
        println!(
            "{service:<14}  {state:<6}  {:>8}  {:>6}  {:>8}",
            it.admitted, it.failed, it.rejected
        );
    }
    let figures = |it: &tower_breaker::Snapshot| (it.admitted, it.failed, it.rejected);
    assert_eq!(snapshots.iter().map(figures).collect::<Vec<_>>(), [(1, 0, 0), (9, 3, 5)]);
    Ok(())
}

/// A client of the app.
struct Caller {
    url: String,
    client: Client<HttpConnector, Body>,
}

impl Caller {
    async fn get(&self, path: &str) -> Result<Response<Incoming>, BoxError> {
        let request = Request::get(format!("{}{path}", self.url)).body(Body::empty())?;
        let response = self.client.request(request).await?;
        println!("GET {path}: {}", response.status());
        Ok(response)
    }
}
