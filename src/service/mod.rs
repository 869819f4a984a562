//! The tower middleware.
//!
//! [`CircuitBreakerLayer`] owns a circuit, so that a layer that is applied many times (axum does)
//! is still one circuit; [`CircuitBreaker`] is the service it makes. A keyed layer has one circuit
//! for each key.
//!
//! ```
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_breaker::{Breaker, CircuitBreakerLayer, error};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let breaker = Breaker::builder("inventory").build()?;
//! let mut service = ServiceBuilder::new()
//!     .layer(CircuitBreakerLayer::new(breaker.clone()))
//!     .service(service_fn(async |number: u32| number.checked_sub(1).ok_or("negative")));
//!
//! for _ in 0..5 {
//!     assert!(service.ready().await.unwrap().call(0).await.is_err());
//! }
//! // Five failures in a row: the service is not called any more.
//! let error = service.ready().await.unwrap().call(7).await.unwrap_err();
//! assert!(error::rejected(&*error).is_some());
//! # Ok(())
//! # }
//! ```
//!
//! # Where it belongs in a stack
//!
//! - A `Timeout` works on either side. Inside, its errors are failures like others. Outside, it
//!   drops the call, which counts as a failure once the call had lived for
//!   `slow_call_duration_threshold` (10 s unless set): set that to the timeout or less.
//! - A `Retry` belongs outside, with a policy that does not retry rejections:
//!   [`retry::UnlessRejected`](crate::retry::UnlessRejected).
//! - Limits of load belong outside. The breaker keeps the readiness it got from the inner service,
//!   and after a rejection it does not ask again; a `ConcurrencyLimit` inside is thereby held by
//!   every clone that is ready and does not call.
//! - Under a load balancer, [`OnOpen::Wait`] makes an open circuit not ready, so that the balancer
//!   turns to other services.
//!
//! # What an open circuit does
//!
//! It answers ready without polling the inner service, and rejects in `call`. If the open time ends
//! between the two, the inner service has not been polled ready and is not called: the rejection
//! has the reason [`NotReady`](crate::circuit::RejectReason::NotReady) and asks to try at once.

mod breaker_service;
mod future;
mod keyed;
mod layer;
mod on_reject;
mod select;
mod single;
mod wait;

pub use self::{
    breaker_service::CircuitBreaker,
    future::ResponseFuture,
    keyed::Keyed,
    layer::CircuitBreakerLayer,
    on_reject::{Boxed, ErrorOf, Fallback, OnReject, RejectWith},
    select::Select,
    single::Single,
    wait::OnOpen,
};
