//! The result is known when the body has ended.

use http::{Response, StatusCode};
use http_body::Body;

use super::{ClassifiedResponse, ClassifyStream, TrackedBody, tracked::Tracked};
use crate::{
    breaker::{Permit, Rejected},
    circuit::{Outcome, OutcomeKind},
    classify::{Settle, ask},
    error::is_rejection,
};

/// Classifies a call when the body of its response has ended: see the
/// [module docs](crate::http#streams).
#[derive(Clone, Copy, Debug, Default)]
pub struct AtEndOfStream<C>(C);

impl<C> AtEndOfStream<C> {
    /// Classifies with `classify`, a [`ClassifyStream`].
    pub const fn new(classify: C) -> Self {
        Self(classify)
    }

    fn track<B, Err>(&self, permit: Permit, response: &Response<B>) -> Tracked<C::ClassifyEos>
    where
        C: ClassifyStream<B, Err>,
        B: Body,
        Err: 'static,
    {
        let classified = if response.extensions().get::<Rejected>().is_some() {
            ClassifiedResponse::Ready(Outcome::IGNORED)
        } else {
            ask(permit.handle(), || self.0.classify_response(response))
                .unwrap_or(ClassifiedResponse::Ready(Outcome::IGNORED))
        };
        // What comes after an upgrade is no body. A CONNECT that succeeded has an empty one.
        let upgrades = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let is_over = upgrades || response.body().is_end_stream();
        match classified {
            // No body makes a success of what is none, so the circuit need not wait.
            ClassifiedResponse::Ready(outcome)
                if is_over || outcome.kind() != OutcomeKind::Success =>
            {
                let describe = || ClassifyStream::describe(&self.0, Ok(response));
                permit.record_with(outcome, describe);
                Tracked::ended()
            }
            ClassifiedResponse::Ready(outcome) => Tracked::streaming(permit, outcome),
            ClassifiedResponse::RequiresEos(eos) => {
                let mut tracked = Tracked::waiting(permit, eos);
                if is_over {
                    tracked.complete(None);
                }
                tracked
            }
        }
    }
}

impl<C, B, Err> Settle<Response<B>, Err> for AtEndOfStream<C>
where
    C: ClassifyStream<B, Err>,
    B: Body,
    Err: 'static,
{
    type Response = Response<TrackedBody<B, C::ClassifyEos>>;

    fn settle(
        &self,
        permit: Permit,
        result: Result<Response<B>, Err>,
    ) -> Result<Self::Response, Err> {
        match result {
            Ok(response) => {
                let tracked = self.track(permit, &response);
                Ok(response.map(|body| TrackedBody::new(body, tracked)))
            }
            Err(error) => {
                self.settle_error(permit, &error);
                Err(error)
            }
        }
    }

    fn settle_error(&self, permit: Permit, error: &Err) {
        let outcome = if is_rejection(error) {
            Outcome::IGNORED
        } else {
            ask(permit.handle(), || self.0.classify_error(error)).unwrap_or(Outcome::IGNORED)
        };
        permit.record_with(outcome, || ClassifyStream::describe(&self.0, Err(error)));
    }

    fn pass(response: Response<B>) -> Self::Response {
        response.map(TrackedBody::untracked)
    }
}
