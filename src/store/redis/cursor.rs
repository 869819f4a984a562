//! Where a reader stands in the index, and in which one.

use crate::store::Cursor;

/// How many bits of a cursor count changes. The others say which index it is of: one that was made
/// anew counts from the beginning, and a cursor of the old one may lie within it.
const BITS: u32 = 40;

/// What the entry at the top of the index says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Drawn when the index was made. Zero where there is none.
    pub(super) incarnation: u64,
    /// How many changes there were.
    pub(super) changes: u64,
}

/// The text of an entry for an index that is new. No service can be named like that, for the tabs.
pub(super) fn new_mark() -> String {
    format!("tower-breaker\tformat=1\tincarnation={:06x}", fastrand::u64(1..1 << (64 - BITS)))
}

impl Mark {
    /// From the text of the entry.
    pub(super) fn read(text: &str, changes: u64) -> Self {
        let incarnation = text.split("\tincarnation=").nth(1);
        let incarnation = incarnation.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let incarnation = incarnation.unwrap_or_default() & ((1 << (64 - BITS)) - 1);
        Self { incarnation, changes }
    }

    pub(super) const fn of(cursor: Cursor) -> Self {
        Self { incarnation: cursor.0 >> BITS, changes: cursor.0 & ((1 << BITS) - 1) }
    }

    /// The cursor of a reader that has read all this. One that does not fit is the beginning.
    pub(super) const fn cursor(self) -> Cursor {
        if self.changes >> BITS != 0 {
            return Cursor(0);
        }
        Cursor(self.incarnation << BITS | self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_says_which_index_it_is_of() {
        let mark = Mark::read(&new_mark(), 7);
        assert_eq!(mark.changes, 7);
        assert_ne!(mark.incarnation, 0);
        assert_eq!(Mark::of(mark.cursor()), mark);
        assert_eq!(Mark { changes: 1 << BITS, ..mark }.cursor(), Cursor(0));
        assert_eq!(Mark::of(Cursor(0)), Mark::default());
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_of_no_index() {
        assert_eq!(Mark::read("", 0), Mark::default());
        assert_eq!(Mark::read("tower-breaker\tincarnation=x", 1).incarnation, 0);
    }
}
