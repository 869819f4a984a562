//! Who and when: runs of a process, changes, points in time.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// One run of one process, from its start to its end. Drawn at random, and written as sixteen
/// hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u64);

/// One write of one lane. Drawn at random by whoever proposes it, so that a proposer who meets its
/// own one in a conflict knows that it has won and only the answer was lost.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ChangeId(u64);

macro_rules! random_id {
    ($id:ident) => {
        impl $id {
            /// Draws one.
            #[must_use]
            pub fn random() -> Self {
                // 63 bits, since databases have no unsigned integers, and not zero, which stands for
                // none.
                Self(fastrand::u64(1..=i64::MAX as u64))
            }

            /// One that was drawn before: 0 to `i64::MAX`.
            #[must_use]
            pub const fn new(id: u64) -> Option<Self> {
                if id <= i64::MAX as u64 { Some(Self(id)) } else { None }
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($id), "({})"), self)
            }
        }

        impl Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                u64::from_str_radix(&text, 16).ok().and_then(Self::new).ok_or_else(|| {
                    D::Error::custom(format_args!("`{text}` is not an id of 16 hexadecimal digits"))
                })
            }
        }
    };
}

random_id!(RunId);
random_id!(ChangeId);

/// A point in time by somebody's wall clock: whole microseconds since 1970, never negative.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970.
    pub const EPOCH: Self = Self(0);
    /// Later than any other.
    pub const MAX: Self = Self(i64::MAX);

    /// So many microseconds after 1970; none if negative.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < 0 { None } else { Some(Self(micros)) }
    }

    /// Microseconds since 1970, 0 to `i64::MAX`.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time from `earlier` to this one, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(if micros < 0 { 0 } else { micros as u64 })
    }

    /// The point `duration` before this one, or 1970 if that is nearer.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)).max(0))
    }

    /// The point `duration` after this one, or the last one there is.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

/// A duration as databases keep it: whole microseconds, `i64::MAX` for longer ones.
#[must_use]
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl From<SystemTime> for Timestamp {
    /// Times before 1970 become 1970.
    fn from(time: SystemTime) -> Self {
        Self(micros(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_micros(time.0.unsigned_abs())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The end of the year 9999, the last that RFC 3339 can write.
        const LAST: i64 = 253_402_300_799_999_999;
        if self.0 > LAST {
            return write!(f, "{} µs after 1970", self.0);
        }
        humantime::format_rfc3339_micros((*self).into()).fmt(f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let micros = i64::deserialize(deserializer)?;
        Self::from_micros(micros)
            .ok_or_else(|| D::Error::custom(format_args!("the time {micros} µs lies before 1970")))
    }
}

/// Serialises durations as whole microseconds.
pub(super) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::store) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(super::micros(*value))
    }

    pub(in crate::store) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_micros)
    }
}

/// The same for a duration that may be missing.
pub(super) mod maybe_duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::store) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(super::micros).serialize(serializer)
    }

    pub(in crate::store) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1970_is_1970_or_an_error_where_it_was_recorded() {
        assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_secs(1)), Timestamp::EPOCH);
        let error = serde_json::from_str::<Timestamp>("-1").unwrap_err();
        assert!(error.to_string().contains("before 1970"), "{error}");
    }

    #[test]
    fn times_saturate_and_every_one_can_be_shown() {
        let day = Duration::from_secs(86_400);
        assert_eq!(Timestamp::EPOCH.before(day), Timestamp::EPOCH);
        assert_eq!(Timestamp::MAX.after(day), Timestamp::MAX);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::EPOCH.after(day).since(Timestamp::EPOCH), day);
        assert_eq!(Timestamp::EPOCH.after(day).to_string(), "1970-01-02T00:00:00.000000Z");
        assert!(Timestamp::MAX.to_string().contains("after 1970"));
    }

    #[test]
    fn an_id_is_written_and_read_as_hexadecimal_digits() {
        let id = RunId::random();
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(text, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<RunId>(&text).unwrap(), id);
        for wrong in ["\"ffffffffffffffff\"", "\"\"", "\"xyz\"", "7"] {
            assert!(serde_json::from_str::<RunId>(wrong).is_err(), "{wrong}");
        }
        assert_ne!(RunId::random(), RunId::random());
    }
}
