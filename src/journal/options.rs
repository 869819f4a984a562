//! What a journal can be told, checked in one place.

use std::{borrow::Cow, error::Error, fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use super::{queue, retention::Retention, spill::SpillOptions};
use crate::{
    breaker::clock::{Clock, ClockSource},
    store::TraceId,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Takes out of a text what must not be kept.
pub(super) type Redact = Arc<dyn for<'a> Fn(&'a str) -> Cow<'a, str> + Send + Sync>;
/// The trace that the running thread works for.
pub(super) type CurrentTrace = Arc<dyn Fn() -> Option<TraceId> + Send + Sync>;

/// How a journal works. The defaults suit SQLite; see each setter.
///
/// Checked when the journal is made.
#[derive(Clone)]
#[must_use]
pub struct JournalOptions {
    pub(super) queue_capacity: usize,
    pub(super) queue_text_bytes: usize,
    pub(super) batch_size: u32,
    pub(super) flush_interval: Duration,
    pub(super) write_timeout: Duration,
    pub(super) retry_delay: Duration,
    pub(super) max_retry_delay: Duration,
    pub(super) max_services: usize,
    pub(super) max_buckets: usize,
    pub(super) transitions: bool,
    pub(super) retention: Option<Retention>,
    pub(super) spill: Option<SpillOptions>,
    pub(super) redact: Option<Redact>,
    pub(super) current_trace: Option<CurrentTrace>,
    pub(super) clock: Option<ClockSource>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            queue_capacity: 65_536,
            queue_text_bytes: 16 << 20,
            batch_size: 250,
            flush_interval: Duration::from_secs(1),
            write_timeout: Duration::from_secs(10),
            retry_delay: Duration::from_millis(100),
            max_retry_delay: Duration::from_secs(30),
            max_services: 10_000,
            max_buckets: 20_000,
            transitions: false,
            retention: Some(Retention::default()),
            spill: None,
            redact: None,
            current_trace: None,
            clock: None,
        }
    }
}

impl JournalOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many events wait in memory at most, 16 to 16,777,216. Default 65,536. From three quarters
    /// on they are sampled. See [`queue_bytes`](Self::queue_bytes) for the memory.
    pub fn queue_capacity(mut self, events: usize) -> Self {
        self.queue_capacity = events;
        self
    }

    /// How many bytes the texts of waiting events take at most: what calls
    /// [failed with](crate::breaker::Cause). 0 to 1 GiB. Default 16 MiB. Past it events come without
    /// them, and [`texts_dropped`](super::JournalStats::texts_dropped) counts those.
    pub fn queue_text_bytes(mut self, bytes: usize) -> Self {
        self.queue_text_bytes = bytes;
        self
    }

    /// How many events or buckets one write holds at most, 1 to 10,000. Default 250: a longer write
    /// to SQLite holds up the transitions; 1,000 suits Postgres.
    pub fn batch_size(mut self, events: u32) -> Self {
        self.batch_size = events;
        self
    }

    /// How long an event waits for others to be written with, 1 ms to 1 h. Default 1 s. A crash
    /// loses no more than this.
    pub fn flush_interval(mut self, duration: Duration) -> Self {
        self.flush_interval = duration;
        self
    }

    /// After how long a write without an answer has failed, 1 ms to 1 h. Default 10 s.
    pub fn write_timeout(mut self, duration: Duration) -> Self {
        self.write_timeout = duration;
        self
    }

    /// How long to wait after a write that failed, 1 ms to 1 h; it doubles with each one in a row
    /// up to `longest`, and up to as much again is added at random. Defaults 100 ms and 30 s.
    pub fn retry_delay(mut self, first: Duration, longest: Duration) -> Self {
        self.retry_delay = first;
        self.max_retry_delay = longest;
        self
    }

    /// How many breakers are counted at most, 1 to 1,000,000. Default 10,000. One that is gone keeps
    /// its place until the hour ends, for one of its name that may come.
    pub fn max_services(mut self, services: usize) -> Self {
        self.max_services = services;
        self
    }

    /// How many metric buckets wait at most while the store is down, 16 to 10,000,000. Default
    /// 20,000. Past it the finest and oldest are given up: their calls are still in the minutes and
    /// hours.
    pub fn max_buckets(mut self, buckets: usize) -> Self {
        self.max_buckets = buckets;
        self
    }

    /// Whether the observer writes state changes, overrides and live settings of a registry too.
    /// Default false: with a coordinator they are part of the write that commits them.
    pub fn transitions(mut self, written: bool) -> Self {
        self.transitions = written;
        self
    }

    /// How long the history is kept, none for ever. Default [`Retention::default`].
    pub fn retention(mut self, retention: impl Into<Option<Retention>>) -> Self {
        self.retention = retention.into();
        self
    }

    /// Where events go on disk while the store is down. Default none: they wait in memory.
    pub fn spill(mut self, spill: SpillOptions) -> Self {
        self.spill = Some(spill);
        self
    }

    /// What every text of an event goes through before it is kept: takes out what must not be in
    /// the history. Runs in the writer, on up to 2,048 bytes of a text, of which
    /// [`MAX_TEXT`](crate::store::MAX_TEXT) are kept.
    pub fn redact(
        mut self,
        redact: impl for<'a> Fn(&'a str) -> Cow<'a, str> + Send + Sync + 'static,
    ) -> Self {
        self.redact = Some(Arc::new(redact));
        self
    }

    /// How to find the trace that the running thread works for. It runs inside the calls that end
    /// other than well, on the thread of the call, and must be quick. With OpenTelemetry:
    ///
    /// ```text
    /// options.current_trace(|| {
    ///     let context = opentelemetry::Context::current();
    ///     TraceId::new(u128::from_be_bytes(context.span().span_context().trace_id().to_bytes()))
    /// })
    /// ```
    pub fn current_trace(
        mut self,
        find: impl Fn() -> Option<TraceId> + Send + Sync + 'static,
    ) -> Self {
        self.current_trace = Some(Arc::new(find));
        self
    }

    /// The clock that stamps metric buckets. Default: the system's. Events bring their own time.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(ClockSource::Custom(Arc::new(clock)));
        self
    }

    /// The most bytes that the queue of waiting events takes, with their texts.
    #[must_use]
    pub const fn queue_bytes(&self) -> usize {
        queue::bytes(self.queue_capacity) + self.queue_text_bytes
    }

    pub(super) fn check(&self) -> Result<(), InvalidOptions> {
        number("queue_capacity", self.queue_capacity, 16..=1 << 24)?;
        number("queue_text_bytes", self.queue_text_bytes, 0..=1 << 30)?;
        number("batch_size", self.batch_size as usize, 1..=10_000)?;
        duration("flush_interval", self.flush_interval)?;
        duration("write_timeout", self.write_timeout)?;
        duration("retry_delay", self.retry_delay)?;
        duration("max_retry_delay", self.max_retry_delay)?;
        if self.max_retry_delay < self.retry_delay {
            return Err(InvalidOptions {
                field: "max_retry_delay",
                problem: format!(
                    "is {} but must be at least retry_delay, {}",
                    humantime::format_duration(self.max_retry_delay),
                    humantime::format_duration(self.retry_delay)
                ),
            });
        }
        number("max_services", self.max_services, 1..=1_000_000)?;
        number("max_buckets", self.max_buckets, 16..=10_000_000)?;
        self.retention.as_ref().map_or(Ok(()), Retention::check)?;
        self.spill.as_ref().map_or(Ok(()), SpillOptions::check)
    }
}

impl fmt::Debug for JournalOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalOptions")
            .field("queue_capacity", &self.queue_capacity)
            .field("queue_text_bytes", &self.queue_text_bytes)
            .field("batch_size", &self.batch_size)
            .field("flush_interval", &self.flush_interval)
            .field("write_timeout", &self.write_timeout)
            .field("retry_delay", &self.retry_delay)
            .field("max_retry_delay", &self.max_retry_delay)
            .field("max_services", &self.max_services)
            .field("max_buckets", &self.max_buckets)
            .field("transitions", &self.transitions)
            .field("retention", &self.retention)
            .field("spill", &self.spill)
            .field("redact", &self.redact.is_some())
            .field("current_trace", &self.current_trace.is_some())
            .finish_non_exhaustive()
    }
}

pub(super) fn number(
    field: &'static str,
    value: usize,
    bounds: RangeInclusive<usize>,
) -> Result<(), InvalidOptions> {
    if bounds.contains(&value) {
        return Ok(());
    }
    let (least, most) = bounds.into_inner();
    let problem = format!("is {value} but must be from {least} to {most}");
    Err(InvalidOptions { field, problem })
}

pub(super) fn duration(field: &'static str, value: Duration) -> Result<(), InvalidOptions> {
    if (MILLISECOND..=HOUR).contains(&value) {
        return Ok(());
    }
    let problem = format!("is {} but must be from 1ms to 1h", humantime::format_duration(value));
    Err(InvalidOptions { field, problem })
}

/// The error of options that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOptions {
    pub(super) field: &'static str,
    pub(super) problem: String,
}

impl InvalidOptions {
    /// The name of the option.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for InvalidOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

impl Error for InvalidOptions {}
