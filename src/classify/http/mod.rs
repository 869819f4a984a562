//! HTTP responses, at their headers and at the end of their bodies. The docs are those of
//! [`crate::http`], which people see.

mod at_end_of_stream;
mod body;
pub(super) mod retry_after;
pub(super) mod server_errors;
mod stream;
mod tracked;

pub use self::{
    at_end_of_stream::AtEndOfStream,
    body::TrackedBody,
    server_errors::ServerErrorsAsFailures,
    stream::{ClassifiedResponse, ClassifyEos, ClassifyStream},
};
