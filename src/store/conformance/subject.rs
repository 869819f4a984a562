//! What a suite is run on.

use async_trait::async_trait;

use crate::name::ServiceName;

/// Makes the stores that a suite is run on. A closure that makes an empty store is one; a store that
/// several processes can open uses [`connected`], so that each check has two handles to one store.
#[async_trait]
pub trait Subject: Send + Sync + 'static {
    /// The store.
    type Store: Send + Sync + 'static;

    /// An empty store, which shares nothing with the ones before.
    async fn fresh(&self) -> Self::Store;

    /// Another handle to what `store` keeps, as another process would open it. None: the checks use
    /// `store` itself in its place.
    async fn connect_again(&self, store: &Self::Store) -> Option<Self::Store> {
        let _ = store;
        None
    }

    /// Puts something that cannot be read where `store` keeps the record of `service`. Returns
    /// whether it can do that; where it cannot, what depends on it is skipped.
    async fn damage(&self, store: &Self::Store, service: &ServiceName) -> bool {
        let _ = (store, service);
        false
    }
}

#[async_trait]
impl<F, Fut> Subject for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: Send + Sync + 'static,
{
    type Store = Fut::Output;

    async fn fresh(&self) -> Fut::Output {
        self().await
    }
}

/// Makes stores with one closure, and further handles to them with another.
#[derive(Clone, Copy, Debug)]
pub struct Connected<F, G> {
    fresh: F,
    again: G,
}

/// A [`Subject`] from two closures: one makes an empty store, the other opens the store of a handle
/// once more.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use tower_breaker::store::{MemoryStore, conformance};
///
/// let subject = conformance::connected(
///     || async { MemoryStore::new() },
///     |store: &MemoryStore| std::future::ready(store.clone()),
/// );
/// conformance::fleet_store(subject).await.assert();
/// # }
/// ```
pub fn connected<F, G, S, Fresh, Again>(fresh: F, again: G) -> Connected<F, G>
where
    F: Fn() -> Fresh,
    Fresh: Future<Output = S>,
    G: Fn(&S) -> Again,
    Again: Future<Output = S>,
{
    Connected { fresh, again }
}

#[async_trait]
impl<F, G, S, Fresh, Again> Subject for Connected<F, G>
where
    F: Fn() -> Fresh + Send + Sync + 'static,
    Fresh: Future<Output = S> + Send + 'static,
    G: Fn(&S) -> Again + Send + Sync + 'static,
    Again: Future<Output = S> + Send + 'static,
    S: Send + Sync + 'static,
{
    type Store = S;

    async fn fresh(&self) -> S {
        (self.fresh)().await
    }

    async fn connect_again(&self, store: &S) -> Option<S> {
        Some((self.again)(store).await)
    }
}
