//! gRPC, by its status codes. The docs are those of [`crate::grpc`], which people see.

mod code;
mod errors;

pub(crate) use self::errors::{GRPC_RETRY_PUSHBACK, GRPC_STATUS};
pub use self::{code::Code, errors::GrpcErrorsAsFailures};
