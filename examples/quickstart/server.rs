//! The server, which can be made to fail.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::{Router, http::StatusCode, routing::get};
use tokio::net::TcpListener;
use tower_breaker::error::BoxError;

/// The server: answers 200 or 503, and counts the calls that reach it.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) fails: Arc<AtomicBool>,
    pub(crate) reached: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start() -> Result<Self, BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (fails, reached) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (failing, counter) = (Arc::clone(&fails), Arc::clone(&reached));
        let stock = get(async move || {
            counter.fetch_add(1, Ordering::Relaxed);
            if failing.load(Ordering::Relaxed) {
                (StatusCode::SERVICE_UNAVAILABLE, "out of order")
            } else {
                (StatusCode::OK, "12 in stock")
            }
        });
        tokio::spawn(async { axum::serve(listener, Router::new().route("/", stock)).await });
        Ok(Self { url, fails, reached })
    }
}
