//! The status codes of gRPC.

use std::fmt;

use http::{HeaderValue, StatusCode};

/// A [status code of gRPC](https://grpc.io/docs/guides/status-codes/).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// The call did what it should.
    Ok = 0,
    /// The call was cancelled, usually by its caller.
    Cancelled = 1,
    /// Something went wrong that has no better name, such as an exception in the server.
    Unknown = 2,
    /// The request is wrong whatever the state of the system.
    InvalidArgument = 3,
    /// The call took longer than it was given.
    DeadlineExceeded = 4,
    /// What was asked for does not exist.
    NotFound = 5,
    /// What was to be made exists.
    AlreadyExists = 6,
    /// The caller may not do this.
    PermissionDenied = 7,
    /// A quota or a resource is used up.
    ResourceExhausted = 8,
    /// The system is not in the state that the call needs.
    FailedPrecondition = 9,
    /// The call lost against another one.
    Aborted = 10,
    /// The request goes past the valid range.
    OutOfRange = 11,
    /// The service has no such method.
    Unimplemented = 12,
    /// Something that should always hold is broken.
    Internal = 13,
    /// The service cannot be reached, or cannot answer now.
    Unavailable = 14,
    /// Data is lost for good or corrupt.
    DataLoss = 15,
    /// The caller did not say who it is.
    Unauthenticated = 16,
}

impl Code {
    /// All codes, by their number.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The number of the code.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// The code with a number; [`Unknown`](Self::Unknown) where there is none.
    #[must_use]
    pub const fn from_u8(number: u8) -> Self {
        if (number as usize) < Self::ALL.len() { Self::ALL[number as usize] } else { Self::Unknown }
    }

    /// The code of a `grpc-status`. What is no number of a code is [`Unknown`](Self::Unknown), as
    /// clients have it.
    #[must_use]
    pub fn from_header(value: &HeaderValue) -> Self {
        let text = value.to_str().unwrap_or_default().trim();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if is_number => Self::from_u8(number),
            _ => Self::Unknown,
        }
    }

    /// The code that stands for a response with this HTTP status and no `grpc-status`: see the
    /// [mapping](https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md).
    #[must_use]
    pub fn from_http(status: StatusCode) -> Self {
        match status {
            StatusCode::BAD_REQUEST => Self::Internal,
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::PermissionDenied,
            StatusCode::NOT_FOUND => Self::Unimplemented,
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// The name of the code as the protocol has it: `DEADLINE_EXCEEDED`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_at_their_numbers() {
        for (number, code) in (0u8..).zip(Code::ALL) {
            assert_eq!(code.as_u8(), number);
            assert_eq!(Code::from_u8(number), code);
            let header = HeaderValue::from_str(&number.to_string()).unwrap();
            assert_eq!(Code::from_header(&header), code);
        }
        assert_eq!(Code::from_u8(17), Code::Unknown);
    }

    #[test]
    fn what_is_no_number_of_a_code_is_unknown() {
        for text in ["", "17", "256", "-1", "+0", "0x0", "OK", "1.0"] {
            let header = HeaderValue::from_str(text).unwrap();
            assert_eq!(Code::from_header(&header), Code::Unknown, "{text:?}");
        }
        let header = HeaderValue::from_bytes(b"\xff").unwrap();
        assert_eq!(Code::from_header(&header), Code::Unknown);
        assert_eq!(Code::from_header(&HeaderValue::from_static(" 14")), Code::Unavailable);
    }

    #[test]
    fn http_statuses_map_as_the_protocol_says() {
        let cases = [
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
            (204, Code::Unknown),
            (302, Code::Unknown),
            (418, Code::Unknown),
            (500, Code::Unknown),
        ];
        for (status, code) in cases {
            assert_eq!(Code::from_http(StatusCode::from_u16(status).unwrap()), code, "{status}");
        }
    }
}
