//! Hints that something changed.

use std::{collections::VecDeque, sync::Arc};

use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::broadcast::error::RecvError;

use super::store::Inner;
use crate::store::ChangeHint;

/// Hints from now on, as the connection hears them. The stream keeps the connection.
pub(super) fn stream(inner: Arc<Inner>) -> BoxStream<'static, ChangeHint> {
    let heard = inner.link.shared.hints.subscribe();
    let first = VecDeque::from([ChangeHint::Resync]);
    stream::unfold((first, heard, inner), |(mut first, mut heard, inner)| async {
        // Not before it is polled: a stream is made outside of runtimes too.
        inner.link.start();
        let hint = match first.pop_front() {
            Some(hint) => hint,
            None => match heard.recv().await {
                Ok(hint) => hint,
                // The stream keeps the sender.
                Err(RecvError::Lagged(_) | RecvError::Closed) => ChangeHint::Resync,
            },
        };
        Some((hint, (first, heard, inner)))
    })
    .boxed()
}
