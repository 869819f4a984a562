//! The traits of classifiers that may have to see the end of a stream.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderMap, Response};

use crate::{
    circuit::Outcome,
    classify::{Classify, ErrorsAsFailures},
};

/// Says what a response means to the circuit, at its headers or at the end of its body.
///
/// For [`AtEndOfStream`](super::AtEndOfStream). A closure over `Result<&Response<B>, &Err>` is one
/// whose verdict is ready at the headers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not classify streamed responses with the body `{B}` and the error `{Err}`",
    note = "a closure needs its argument annotated: `|result: Result<&http::Response<{B}>, &{Err}>| …`",
    note = "a type of its own implements `ClassifyStream` besides `Classify`"
)]
pub trait ClassifyStream<B, Err> {
    /// What classifies the end of a stream where the headers do not say enough;
    /// [`Infallible`] where they always do.
    type ClassifyEos: ClassifyEos;

    /// What the head of a response means.
    fn classify_response(&self, response: &Response<B>) -> ClassifiedResponse<Self::ClassifyEos>;

    /// What an error means that came in place of a response.
    fn classify_error(&self, error: &Err) -> Outcome;
}

/// What the head of a response said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassifiedResponse<T> {
    /// The outcome. The call took the time until now; a success becomes a failure if the body
    /// fails.
    Ready(Outcome),
    /// Only the end of the stream tells the outcome. The call takes the time until the first data.
    RequiresEos(T),
}

/// Says what the end of a stream means.
pub trait ClassifyEos {
    /// What the trailers say; none if the stream ended without any.
    fn classify_eos(&self, trailers: Option<&HeaderMap>) -> Outcome;
}

/// For classifiers whose verdict is always ready at the headers.
impl ClassifyEos for Infallible {
    fn classify_eos(&self, _: Option<&HeaderMap>) -> Outcome {
        match *self {}
    }
}

impl<F, O, B, Err> ClassifyStream<B, Err> for F
where
    F: Fn(Result<&Response<B>, &Err>) -> O,
    O: Into<Outcome>,
{
    type ClassifyEos = Infallible;

    fn classify_response(&self, response: &Response<B>) -> ClassifiedResponse<Infallible> {
        ClassifiedResponse::Ready(self(Ok(response)).into())
    }

    fn classify_error(&self, error: &Err) -> Outcome {
        self(Err(error)).into()
    }
}

impl<C: ClassifyStream<B, Err>, B, Err> ClassifyStream<B, Err> for Arc<C> {
    type ClassifyEos = C::ClassifyEos;

    fn classify_response(&self, response: &Response<B>) -> ClassifiedResponse<C::ClassifyEos> {
        (**self).classify_response(response)
    }

    fn classify_error(&self, error: &Err) -> Outcome {
        (**self).classify_error(error)
    }
}

/// Errors of the inner service and of the body are failures.
impl<B, Err> ClassifyStream<B, Err> for ErrorsAsFailures {
    type ClassifyEos = Infallible;

    fn classify_response(&self, response: &Response<B>) -> ClassifiedResponse<Infallible> {
        ClassifiedResponse::Ready(Classify::<_, Err>::classify(self, Ok(response)))
    }

    fn classify_error(&self, error: &Err) -> Outcome {
        Classify::<Response<B>, Err>::classify(self, Err(error))
    }
}
