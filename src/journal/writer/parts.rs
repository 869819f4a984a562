//! What the writer has in hand, in parts that are written whole.

use std::collections::VecDeque;

/// Things to be written in their order, part by part. A part that the store refuses is cut in halves
/// until the one thing that is wrong is alone.
#[derive(Debug)]
pub(super) struct Parts<T>(VecDeque<Vec<T>>);

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Parts<T> {
    /// Adds things behind all that are there, in parts of a size above zero.
    pub(super) fn put(&mut self, things: Vec<T>, size: usize) {
        let mut things = things;
        while things.len() > size {
            let rest = things.split_off(size);
            self.0.push_back(std::mem::replace(&mut things, rest));
        }
        if !things.is_empty() {
            self.0.push_back(things);
        }
    }

    /// The part to write next.
    pub(super) fn front(&self) -> Option<&[T]> {
        self.0.front().map(Vec::as_slice)
    }

    /// Takes the first part out.
    pub(super) fn pop(&mut self) -> Option<Vec<T>> {
        self.0.pop_front()
    }

    /// The store refused the first part: returns the thing that is alone in it, or cuts it.
    pub(super) fn refuse(&mut self) -> Option<T> {
        let mut part = self.0.pop_front()?;
        if part.len() <= 1 {
            return part.pop();
        }
        let second = part.split_off(part.len() / 2);
        self.0.push_front(second);
        self.0.push_front(part);
        None
    }

    /// Takes everything out.
    pub(super) fn take_all(&mut self) -> Vec<T> {
        self.0.drain(..).flatten().collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn of_all_things_only_the_wrong_ones_are_left_out(
            things in prop::collection::vec(any::<bool>(), 0..200),
            size in 1_usize..50,
        ) {
            let mut parts = Parts::default();
            parts.put(things.iter().copied().enumerate().collect(), size);
            let (mut written, mut refused, mut tries) = (Vec::new(), Vec::new(), 0);
            while let Some(part) = parts.front() {
                prop_assert!((1..=size).contains(&part.len()));
                tries += 1;
                if part.iter().any(|&(_, is_wrong)| is_wrong) {
                    refused.extend(parts.refuse());
                } else {
                    written.extend(parts.pop().unwrap());
                }
            }
            prop_assert!(tries <= 2 * things.len());
            prop_assert!(written.iter().all(|&(_, is_wrong)| !is_wrong));
            prop_assert!(refused.iter().all(|&(_, is_wrong)| is_wrong));
            prop_assert_eq!(written.len() + refused.len(), things.len());
            prop_assert!(written.is_sorted());
        }
    }
}
