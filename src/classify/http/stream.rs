//! The traits of classifiers that may have to see the end of a stream.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderMap, Response};

use crate::{
    breaker::Cause,
    circuit::Outcome,
    classify::{Classify, Described, ErrorsAsFailures, cause_of},
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

    /// What a failed call failed with whose response or error this is: as
    /// [`Classify::describe`], but not asked about the end of a body.
    fn describe(&self, result: Result<&Response<B>, &Err>) -> Option<Cause>
    where
        Err: 'static,
    {
        result.err().map(cause_of)
    }
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

    /// What the call failed with, where the end of the stream says that it failed. Default: nothing.
    fn describe_eos(&self, trailers: Option<&HeaderMap>) -> Option<Cause> {
        let _ = trailers;
        None
    }
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

    fn describe(&self, result: Result<&Response<B>, &Err>) -> Option<Cause>
    where
        Err: 'static,
    {
        ClassifyStream::describe(&**self, result)
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

/// What happens at the end of a body is described by the classifier itself.
impl<C, D, B, Err> ClassifyStream<B, Err> for Described<C, D>
where
    C: ClassifyStream<B, Err>,
    D: Fn(Result<&Response<B>, &Err>) -> Option<Cause>,
{
    type ClassifyEos = C::ClassifyEos;

    fn classify_response(&self, response: &Response<B>) -> ClassifiedResponse<C::ClassifyEos> {
        self.parts().0.classify_response(response)
    }

    fn classify_error(&self, error: &Err) -> Outcome {
        self.parts().0.classify_error(error)
    }

    fn describe(&self, result: Result<&Response<B>, &Err>) -> Option<Cause> {
        (self.parts().1)(result)
    }
}
