//! Keys and values of the kernel's maps, as the loader's library takes them.

use aya::maps::lpm_trie::Key;
use contiv_datapath_abi::Plain;

/// A key or value of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Row<T>(pub T);

#[allow(
    unsafe_code,
    reason = "the kernel reads and writes the bytes of these types"
)]
// SAFETY: a `Plain` type is `repr(C)` without padding, and every bit pattern is a value of it.
unsafe impl<T: Plain> aya::Pod for Row<T> {}

/// A key of a longest-prefix map; `Key::new(bits, Row(key))`.
pub type Trie<T> = Key<Row<T>>;
