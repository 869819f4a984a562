//! What a call failed with, as events tell it.

use std::{
    any::{Any, type_name},
    borrow::Cow,
    error::Error,
    fmt::{self, Write},
    io,
};

/// How many errors behind each other are told of: a chain that is longer is a circle.
const DEPTH: usize = 16;

/// What a call failed with: the class of the error, and its text.
///
/// Made where a failure is described, which is only where somebody is told of it: by an observer, a
/// subscriber, or a journal. Texts are cut after [`MAX_LEN`](Self::MAX_LEN) bytes.
///
/// ```
/// use tower_breaker::breaker::Cause;
///
/// let error = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// let cause = Cause::of(&error);
/// assert_eq!(cause.error_type(), "std::io::error::Error");
/// assert_eq!(cause.message(), Some("connection refused"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    error_type: Cow<'static, str>,
    message: Option<Cow<'static, str>>,
}

impl Cause {
    /// The most bytes of a class or a text: 2,048.
    ///
    /// A journal keeps half of that. The rest is there so that what it
    /// [redacts](crate::journal::JournalOptions::redact) has not been cut in two before.
    pub const MAX_LEN: usize = 2048;

    /// A cause of a class: the type of an error, `timeout`, `http_status`.
    #[must_use]
    pub fn new(error_type: impl Into<Cow<'static, str>>) -> Self {
        Self { error_type: bounded(error_type.into()), message: None }
    }

    /// The same with a text.
    #[must_use]
    pub fn with_message(self, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: Some(bounded(message.into())), ..self }
    }

    /// An error: its type, its text, and those of the errors behind it, with colons between.
    #[must_use]
    pub fn of<E: Error + ?Sized>(error: &E) -> Self {
        Self { message: text(error), ..Self::of_type::<E>() }
    }

    /// An error of which nothing is known but its type.
    #[must_use]
    pub fn of_type<E: ?Sized>() -> Self {
        Self::new(type_name::<E>())
    }

    /// An error of any type: the name of the type, and a text if it is an [`io::Error`] or a boxed
    /// error. What it is in a box is not known, and the class then is `Box<dyn Error>`.
    #[must_use]
    pub fn of_any<E: 'static>(error: &E) -> Self {
        let any: &dyn Any = error;
        if let Some(error) = any.downcast_ref::<io::Error>() {
            Self::of(error)
        } else if let Some(boxed) = any.downcast_ref::<Box<dyn Error + Send + Sync>>() {
            Self::boxed(&**boxed)
        } else if let Some(boxed) = any.downcast_ref::<Box<dyn Error + Send>>() {
            Self::boxed(&**boxed)
        } else {
            Self::of_type::<E>()
        }
    }

    fn boxed(error: &(dyn Error + 'static)) -> Self {
        match error.downcast_ref::<io::Error>() {
            Some(error) => Self::of(error),
            None => Self { message: text(error), ..Self::new("Box<dyn Error>") },
        }
    }

    /// The class of the error.
    #[must_use]
    pub fn error_type(&self) -> &str {
        &self.error_type
    }

    /// Whether the class is a name in the code, in which nothing has to be redacted.
    pub(crate) fn is_named(&self) -> bool {
        matches!(self.error_type, Cow::Borrowed(_))
    }

    /// The text.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The bytes that it takes on the heap, itself included.
    pub(crate) fn bytes(&self) -> usize {
        let owned = |text: &Cow<'static, str>| match text {
            Cow::Borrowed(_) => 0,
            Cow::Owned(text) => text.capacity(),
        };
        // The two counts of an `Arc`.
        2 * size_of::<usize>()
            + size_of::<Self>()
            + owned(&self.error_type)
            + self.message.as_ref().map_or(0, owned)
    }
}

fn bounded(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() <= Cause::MAX_LEN {
        return text;
    }
    let end = text.floor_char_boundary(Cause::MAX_LEN);
    Cow::Owned(text[..end].to_owned())
}

/// The text of an error and of those behind it. What one says that the one before it ended with is
/// not said twice.
fn text<E: Error + ?Sized>(error: &E) -> Option<Cow<'static, str>> {
    let mut text = Bounded(String::new());
    // What is too long, and what cannot be written, ends the text.
    let mut written = write!(text, "{error}");
    let mut next = error.source();
    for _ in 0..DEPTH {
        let Some(source) = next.filter(|_| written.is_ok()) else { break };
        let before = text.0.len();
        written = write!(text, ": {source}");
        let said = text.0.get(before + 2..).unwrap_or_default();
        if text.0.get(..before).is_some_and(|before| before.ends_with(said)) {
            text.0.truncate(before);
        }
        next = source.source();
    }
    let Bounded(text) = text;
    (!text.is_empty()).then_some(Cow::Owned(text))
}

/// A text that takes no more than there is room for.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = Cause::MAX_LEN.saturating_sub(self.0.len());
        let end = text.floor_char_boundary(room);
        self.0.push_str(text.get(..end).unwrap_or_default());
        if end < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error with one behind it.
    #[derive(Debug)]
    struct Chained(&'static str, Option<Box<Chained>>);

    impl fmt::Display for Chained {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Chained {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|error| error as _)
        }
    }

    /// An error that says that it is its own source.
    #[derive(Debug)]
    struct Circle(&'static str);

    impl fmt::Display for Circle {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Circle {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            static ONE: Circle = Circle("o");
            Some(&ONE)
        }
    }

    fn chain(list: &[&'static str]) -> Chained {
        let mut errors = list.iter().rev().map(|text| Chained(text, None));
        let innermost = errors.next().unwrap();
        errors.fold(innermost, |inner, outer| Chained(outer.0, Some(Box::new(inner))))
    }

    #[test]
    fn the_errors_behind_an_error_are_told_once_each() {
        for (errors, expected) in [
            (&["no answer"][..], "no answer"),
            (&["no answer", "connect", "refused"], "no answer: connect: refused"),
            (&["no answer: refused", "refused"], "no answer: refused"),
            (
                &["no answer: refused", "refused", "os error 111"],
                "no answer: refused: os error 111",
            ),
        ] {
            let cause = Cause::of(&chain(errors));
            assert_eq!(cause.message(), Some(expected));
            assert!(cause.error_type().ends_with("tests::Chained"), "{cause:?}");
        }
        assert_eq!(Cause::of(&chain(&[""])).message(), None);
        assert_eq!(Cause::of(&Circle("a")).message(), Some("a: o"));
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let long: &'static str = "€".repeat(1_000).leak();
        for cause in [
            Cause::of(&chain(&[long])),
            Cause::new(long).with_message(long),
            Cause::of(&chain(&["a", long, "b"])),
        ] {
            let text = cause.message().unwrap();
            assert!((2046..=Cause::MAX_LEN).contains(&text.len()), "{}", text.len());
            assert!(text.ends_with('€') && cause.error_type().len() <= Cause::MAX_LEN);
            assert!(cause.bytes() < 4 * Cause::MAX_LEN, "{}", cause.bytes());
        }
    }

    #[test]
    fn of_an_error_of_any_type_is_told_what_its_type_lets_be_seen() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let boxed: Box<dyn Error + Send + Sync> = "no answer".into();
        let boxed_io: Box<dyn Error + Send + Sync> = refused().into();
        let boxed_send: Box<dyn Error + Send> = Box::new(chain(&["no answer", "refused"]));
        for (cause, error_type, message) in [
            (Cause::of_any(&7_u32), "u32", None),
            (Cause::of_any(&boxed), "Box<dyn Error>", Some("no answer")),
            (Cause::of_any(&boxed_io), "std::io::error::Error", Some("connection refused")),
            (Cause::of_any(&refused()), "std::io::error::Error", Some("connection refused")),
            (Cause::of_any(&boxed_send), "Box<dyn Error>", Some("no answer: refused")),
        ] {
            assert_eq!((cause.error_type(), cause.message()), (error_type, message));
        }
    }
}
