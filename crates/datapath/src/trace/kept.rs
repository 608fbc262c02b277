//! Values that stay where they are.

use std::cell::OnceCell;

/// A list that only grows, so that references into it stay good.
#[derive(Debug)]
pub(super) struct Kept<T>(OnceCell<Box<(T, Kept<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept(OnceCell::new())
    }
}

impl<T> Kept<T> {
    /// Puts a value at the end.
    pub(super) fn keep(&self, value: T) -> &T {
        let mut last = self;
        while let Some(next) = last.0.get() {
            last = &next.1;
        }
        &last.0.get_or_init(|| Box::new((value, Kept::default()))).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_first_is_there_after_what_came_later() {
        let kept = Kept::default();
        let first = kept.keep(1);
        let others: Vec<&i32> = (2..100).map(|n| kept.keep(n)).collect();
        assert_eq!((*first, *others[97]), (1, 99));
    }
}
