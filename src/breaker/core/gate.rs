//! The one word that a call loads to know whether it may go ahead.

use crate::circuit::Standing;

/// What the circuit answers now, and for which generation: the generation in the upper bits, what a
/// call has to look at besides in the lower ones.
///
/// Two gates are equal only if they are of the same generation, so that a permit that carries its
/// gate is good as long as the gate is the same. Generations count up to 2^56 and start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GateWord(u64);

const STANDING: u64 = 0b1111;
/// Calls have to know when they started: slow calls are detected.
const TIMED: u64 = 1 << 4;
/// Successes have to know when they ended: a lease ends with its slice.
const CLOCKED: u64 = 1 << 5;
/// Calls that go on are tracked while they are in flight.
const TRACKED: u64 = 1 << 6;
/// The time of each result is recorded; such a gate is timed.
const MEASURED: u64 = 1 << 7;
const GENERATION_SHIFT: u32 = 8;

impl GateWord {
    pub(super) fn new(standing: Standing, generation: u64) -> Self {
        Self(generation << GENERATION_SHIFT | code(standing))
    }

    pub(super) fn timed(self, timed: bool) -> Self {
        Self(self.0 | if timed { TIMED } else { 0 })
    }

    pub(super) fn clocked(self, clocked: bool) -> Self {
        Self(self.0 | if clocked { CLOCKED } else { 0 })
    }

    pub(super) fn tracked(self, tracked: bool) -> Self {
        Self(self.0 | if tracked { TRACKED } else { 0 })
    }

    pub(super) fn measured(self, measured: bool) -> Self {
        Self(self.0 | if measured { MEASURED } else { 0 })
    }

    /// The same for a result whose time is not to be recorded. No other gate is equal to it.
    pub(crate) fn unmeasured(self) -> Self {
        Self(self.0 & !MEASURED)
    }

    #[inline(always)]
    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline(always)]
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// The generation, without its bits beyond the 56th.
    pub(crate) fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }

    pub(crate) fn is_generation(self, generation: u64) -> bool {
        self.0 >> GENERATION_SHIFT == generation << GENERATION_SHIFT >> GENERATION_SHIFT
    }

    /// Whether a call goes ahead without asking anything else.
    #[inline(always)]
    pub(crate) fn admits(self) -> bool {
        self.0 & STANDING <= code(Standing::Disabled)
    }

    #[inline(always)]
    pub(crate) fn is_timed(self) -> bool {
        self.0 & TIMED != 0
    }

    #[inline(always)]
    pub(crate) fn is_clocked(self) -> bool {
        self.0 & CLOCKED != 0
    }

    #[inline(always)]
    pub(crate) fn is_tracked(self) -> bool {
        self.0 & TRACKED != 0
    }

    #[inline(always)]
    pub(crate) fn is_measured(self) -> bool {
        self.0 & MEASURED != 0
    }

    pub(crate) fn standing(self) -> Standing {
        ALL[(self.0 & STANDING) as usize % ALL.len()]
    }
}

/// Those that admit without asking come first.
const ALL: [Standing; 9] = [
    Standing::Closed,
    Standing::MetricsOnly,
    Standing::Disabled,
    Standing::Open,
    Standing::HasProbes,
    Standing::NoProbeLeft,
    Standing::ProbedElsewhere,
    Standing::AwaitsGrant,
    Standing::ForcedOpen,
];

const fn code(standing: Standing) -> u64 {
    match standing {
        Standing::Closed => 0,
        Standing::MetricsOnly => 1,
        Standing::Disabled => 2,
        Standing::Open => 3,
        Standing::HasProbes => 4,
        Standing::NoProbeLeft => 5,
        Standing::ProbedElsewhere => 6,
        Standing::AwaitsGrant => 7,
        Standing::ForcedOpen => 8,
    }
}

#[cfg(all(test, not(tower_breaker_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_what_it_was_made_of() {
        for (index, standing) in ALL.into_iter().enumerate() {
            let generation = (1 << 40) + index as u64;
            let word = GateWord::new(standing, generation).timed(true).tracked(true);
            assert_eq!(word.standing(), standing);
            assert_eq!(word.generation(), generation);
            assert!(word.is_timed() && word.is_tracked() && !word.is_clocked());
            assert_eq!(GateWord::from_bits(word.bits()), word);
            assert_eq!(word.admits(), index < 3);
        }
    }

    #[test]
    fn generations_past_2_to_the_32_are_told_apart_and_past_2_to_the_56_start_again() {
        let word = |generation| GateWord::new(Standing::Closed, generation);
        assert_ne!(word(1), word((1 << 32) + 1));
        assert!(!word(1).is_generation((1 << 32) + 1));
        assert!(word((1 << 56) + 7).is_generation((1 << 56) + 7));
        assert_eq!(word((1 << 56) + 7).generation(), 7);
        assert!(word(u64::MAX).is_generation(u64::MAX));
    }

    #[test]
    fn flags_do_not_touch_each_other() {
        let plain = GateWord::new(Standing::Closed, 3);
        assert!(!plain.is_timed() && !plain.is_clocked());
        assert!(!plain.is_tracked() && !plain.is_measured());
        assert!(plain.clocked(true).is_clocked() && !plain.clocked(true).is_timed());
        assert!(plain.tracked(true).is_tracked() && !plain.tracked(true).is_clocked());
        assert!(plain.measured(true).is_measured() && !plain.measured(true).is_tracked());
        let none = plain.timed(false).clocked(false).tracked(false).measured(false);
        assert_eq!(none, plain);
        let all = plain.timed(true).clocked(true).tracked(true).measured(true);
        let again = all.timed(true).clocked(true).tracked(true).measured(true);
        assert_eq!(again, all, "set twice is set");
        assert_eq!((all.standing(), all.generation()), (Standing::Closed, 3));
    }
}
