//! How durations and switched-off settings are written: `"30s"`, `"off"`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*value))
}

pub(super) fn deserialize<'de, D>(deserializer: D) -> Result<Duration, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|error| {
        D::Error::custom(format_args!("`{text}` is not a duration such as \"30s\": {error}"))
    })
}

/// For an `Option<Duration>` that is none only where it was left out.
pub(super) mod some {
    use std::time::Duration;

    use serde::{Deserializer, Serializer, ser::Error};

    pub(in crate::circuit) fn serialize<S>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
    {
        match value {
            Some(value) => super::serialize(value, serializer),
            None => Err(S::Error::custom("a duration that was left out has no text")),
        }
    }

    pub(in crate::circuit) fn deserialize<'de, D>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error>
    where
        D: Deserializer<'de>,
    {
        super::deserialize(deserializer).map(Some)
    }
}

/// For `Option<u32>` and `Option<f64>`, where `"off"` is none: TOML has no null.
pub(super) mod off {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a number or \"off\"")]
    enum Switch<T> {
        Word(String),
        Value(T),
        Null,
    }

    pub(in crate::circuit) fn serialize<T, S>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error>
    where
        T: Serialize,
        S: Serializer,
    {
        match value {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_str("off"),
        }
    }

    pub(in crate::circuit) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        match Switch::<T>::deserialize(deserializer)? {
            Switch::Value(value) => Ok(Some(value)),
            Switch::Null => Ok(None),
            Switch::Word(word) if word == "off" => Ok(None),
            Switch::Word(word) => {
                Err(D::Error::custom(format_args!("`{word}` is neither a number nor \"off\"")))
            }
        }
    }
}

/// For `Option<Duration>`, where `"off"` is none.
pub(super) mod off_duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::value::StringDeserializer};

    pub(in crate::circuit) fn serialize<S>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
    {
        match value {
            Some(value) => super::serialize(value, serializer),
            None => serializer.serialize_str("off"),
        }
    }

    pub(in crate::circuit) fn deserialize<'de, D>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error>
    where
        D: Deserializer<'de>,
    {
        match Option::<String>::deserialize(deserializer)? {
            None => Ok(None),
            Some(word) if word == "off" => Ok(None),
            Some(text) => super::deserialize(StringDeserializer::new(text)).map(Some),
        }
    }
}
