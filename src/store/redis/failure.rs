//! What the server says, in the words of the crate.

use std::{sync::Arc, time::Duration};

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::StoreError;

/// Why something failed. Cheap to clone, since it is told to everyone who asks while a server is away.
#[derive(Clone, Debug)]
pub(super) enum Problem {
    /// It may work later.
    Unavailable(Arc<RedisError>),
    /// No answer came for so long.
    TimedOut(Duration),
    /// The store was closed.
    Closed,
    /// Somebody has to change what the store was configured with, or the server.
    Configuration(String),
    /// A key holds something else, or something newer.
    Schema(String),
}

impl Problem {
    /// The same as the error of an operation.
    pub(super) fn at(&self, operation: &'static str) -> StoreError {
        match self {
            Self::Unavailable(error) => StoreError::unavailable(operation, Arc::clone(error)),
            Self::TimedOut(after) => StoreError::timed_out(operation, *after),
            Self::Closed => StoreError::unavailable(operation, "the store was closed"),
            Self::Configuration(problem) => StoreError::Configuration { problem: problem.clone() },
            Self::Schema(problem) => StoreError::Schema { problem: problem.clone() },
        }
    }

    /// Whether the server may be another one once the connection is made anew: this one is a replica
    /// now.
    pub(super) fn is_of_a_replica(&self) -> bool {
        match self {
            Self::Unavailable(error) => says(&text_of(error), &["READONLY", "MASTERDOWN"]),
            _ => false,
        }
    }
}

impl From<RedisError> for Problem {
    fn from(error: RedisError) -> Self {
        // Servers before version 7 put the error of a script into words of their own, so that only
        // the text has it all.
        let said = text_of(&error);
        if let Some(problem) = not_ours(&said) {
            return Self::Schema(problem);
        }
        let configuration = if says(&said, &["WRONGPASS", "NOAUTH", "invalid password"])
            || matches!(error.kind(), ErrorKind::AuthenticationFailed)
        {
            "the server does not let this user in: check user and password in the store's URL"
        } else if says(&said, &["NOPERM", "can't run this command", "can't access at least one"]) {
            "the server's user may not do what the store needs: allow it EVAL, EVALSHA, TIME, TYPE, \
             EXISTS, DEL, PERSIST, PEXPIRE, SET, GET, HSET, HGET, HMGET, HGETALL, ZADD, ZREM, \
             ZSCORE, ZINCRBY, ZREVRANGE and ZRANGEBYSCORE on the keys with its prefix, and better \
             SUBSCRIBE and PUBLISH too"
        } else if says(&said, &["MOVED ", "CROSSSLOT", "cluster mode is disabled", "key moved"])
            || error.is_cluster_error() && !matches!(error.kind(), TRY_AGAIN)
        {
            "the server is a node of a Redis Cluster, which is not supported: name one that is not"
        } else if says(&said, &["refused to switch database", "DB index is out of range"]) {
            "the server has no database of the number in the store's URL"
        } else if says(
            &said,
            &["invalid peer certificate", "corrupt message", "InvalidContentType"],
        ) {
            return Self::Configuration(format!(
                "no secure connection to the server can be made: {error}; check the host in the \
                 store's URL, and name the root certificate if it is not one that the system trusts"
            ));
        } else if says(&said, &["unknown command"]) {
            return Self::Configuration(format!("the server lacks what the store needs: {error}"));
        } else {
            return Self::Unavailable(Arc::new(error));
        };
        Self::Configuration(configuration.to_owned())
    }
}

const TRY_AGAIN: ErrorKind = ErrorKind::Server(ServerErrorKind::TryAgain);

/// All that the server said: its code and its words.
fn text_of(error: &RedisError) -> String {
    format!("{} {error}", error.code().unwrap_or_default())
}

/// What the scripts say of keys that are not those of this crate, or not of this version.
fn not_ours(said: &str) -> Option<String> {
    if let Some((_, found)) = said.split_once("tower-breaker-foreign ") {
        return Some(format!(
            "the index of changes has `{}`, which this crate did not write: two applications use \
             one prefix",
            found.split('`').nth(1).unwrap_or_default()
        ));
    }
    if let Some((_, found)) = said.split_once("tower-breaker-format ") {
        let format = found.split_whitespace().next().unwrap_or_default();
        return Some(format!(
            "the keys have format {format} but must have format 1: a newer version of the crate \
             wrote them; update this process, or give it a prefix of its own"
        ));
    }
    is_wrong_type(said).then(|| {
        "a key with the store's prefix holds another type than it must: another application uses \
         the prefix"
            .to_owned()
    })
}

fn is_wrong_type(said: &str) -> bool {
    says(said, &["WRONGTYPE", "wrong kind of value"])
}

fn says(said: &str, any: &[&str]) -> bool {
    any.iter().any(|part| said.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str, text: &str) -> Problem {
        redis::make_extension_error(code.to_owned(), Some(text.to_owned())).into()
    }

    /// Redis 6 puts the error of a command in a script behind words of its own, and calls all of them
    /// `ERR`.
    #[test]
    fn an_error_in_a_script_is_known_by_its_text_alone() {
        let in_script = |text: &str| {
            of("ERR", &format!("Error running script (call to f_12ab): @user_script:24: {text}"))
        };
        let wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";
        for (text, says) in [
            (wrong_type, "another application uses the prefix"),
            ("tower-breaker-format 2", "format 2 but must have format 1"),
            ("tower-breaker-foreign `a b`", "has `a b`,"),
        ] {
            let Problem::Schema(problem) = in_script(text) else { panic!("{text}") };
            assert!(problem.contains(says), "{problem}");
        }
        let denied = "The user executing the script can't run this command or subcommand";
        let Problem::Configuration(problem) = in_script(denied) else { panic!("{denied}") };
        assert!(problem.contains("EVALSHA"), "{problem}");
        let readonly = in_script("READONLY You can't write against a read only replica.");
        assert!(readonly.is_of_a_replica() && readonly.at("load").is_unavailable());
        let full = in_script("OOM command not allowed when used memory > 'maxmemory'.");
        assert!(full.at("compare_and_swap").is_unavailable() && !full.is_of_a_replica());
    }

    #[test]
    fn a_user_who_is_not_let_in_is_told_where_to_look() {
        for (code, text) in [
            ("WRONGPASS", "invalid username-password pair or user is disabled."),
            ("NOAUTH", "HELLO must be called with the client already authenticated"),
        ] {
            let Problem::Configuration(problem) = of(code, text) else { panic!("{code}") };
            assert!(problem.contains("check user and password"), "{problem}");
        }
    }
}
