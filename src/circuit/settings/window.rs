//! Which calls the rates are computed over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::circuit::duration;

/// Which calls the rates are computed over: the last N, or those of the last while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SlidingWindow {
    /// The last `calls` calls. Takes a quarter of a byte a call.
    Count {
        /// How many calls, 1 to 1,000,000.
        calls: u32,
    },
    /// The calls of the last `duration`, in slices that leave the window whole.
    ///
    /// Memory is 24 bytes a slice, whatever the call rate. A call leaves the window when it is as
    /// old as the window or up to one slice earlier.
    Time {
        /// The length of the window, 1 ms to 24 h.
        #[serde(with = "duration")]
        duration: Duration,
        /// How many slices, 1 to 1,000, each at least 1 ms. Ten unless set.
        #[serde(default = "default_slices")]
        slices: u32,
    },
}

fn default_slices() -> u32 {
    10
}

impl SlidingWindow {
    /// The last `calls` calls.
    #[must_use]
    pub const fn count(calls: u32) -> Self {
        Self::Count { calls }
    }

    /// The calls of the last `duration`, in ten slices.
    #[must_use]
    pub fn time(duration: Duration) -> Self {
        Self::Time { duration, slices: default_slices() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_time_has_ten_slices_unless_it_says_otherwise() {
        let minute = Duration::from_secs(60);
        let ten = SlidingWindow::Time { duration: minute, slices: 10 };
        assert_eq!(SlidingWindow::time(minute), ten);
        let read = |text| serde_json::from_str::<SlidingWindow>(text).unwrap();
        assert_eq!(read(r#"{ "time": { "duration": "60s" } }"#), ten);
        let four = SlidingWindow::Time { duration: minute, slices: 4 };
        assert_eq!(read(r#"{ "time": { "duration": "60s", "slices": 4 } }"#), four);
    }
}
