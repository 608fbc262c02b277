//! How the contents of older versions become today's.

use std::collections::BTreeMap;

use bytes::Bytes;

/// One version's contents made into the next one's.
pub type Step = fn(&mut BTreeMap<String, Bytes>);

/// The versions of the contents that a program knows: the first, and one more by each step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schema {
    pub steps: &'static [Step],
}

impl Schema {
    /// The version that is written.
    pub fn version(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX) + 1
    }

    /// Brings contents of version `found` to the present one.
    pub fn migrate(&self, found: u32, contents: &mut BTreeMap<String, Bytes>) {
        let done = usize::try_from(found.saturating_sub(1)).unwrap_or(usize::MAX);
        for step in self.steps.iter().skip(done) {
            step(contents);
        }
    }
}
