//! Writes as bytes, in parts of a limited size.
//!
//! Each write is its kind (1 puts, 0 deletes), then the lengths of key and value as four
//! bytes each, then both.

use bytes::Bytes;

use crate::transaction::Write;

const HEAD: usize = 9;

/// The writes in parts of about `limit` bytes and `most` writes; none is split.
pub(super) fn encode(writes: &[Write], limit: usize, most: usize) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut count = 0;
    for write in writes {
        let (kind, key, value) = match write {
            Write::Put { key, value } => (1, key, &value[..]),
            Write::Delete { key } => (0, key, &[][..]),
        };
        let size = HEAD + key.len() + value.len();
        let fits = |part: &&mut Vec<u8>| count < most && part.len() + size <= limit;
        let part = match parts.last_mut().filter(fits) {
            Some(part) => part,
            None => {
                count = 0;
                parts.push(Vec::new());
                parts.last_mut().expect("it was just pushed")
            }
        };
        count += 1;
        part.push(kind);
        for length in [key.len(), value.len()] {
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            part.extend(length.to_be_bytes());
        }
        part.extend(key.as_bytes());
        part.extend(value);
    }
    parts
}

/// The writes of a part, as far as they can be read.
pub(super) fn decode(mut part: &[u8]) -> Vec<Write> {
    let mut writes = Vec::new();
    while let Some((write, rest)) = one(part) {
        writes.push(write);
        part = rest;
    }
    writes
}

fn one(part: &[u8]) -> Option<(Write, &[u8])> {
    let (kind, rest) = part.split_first()?;
    let (key_length, rest) = length(rest)?;
    let (value_length, rest) = length(rest)?;
    let (key, rest) = rest.split_at_checked(key_length)?;
    let (value, rest) = rest.split_at_checked(value_length)?;
    let key = String::from_utf8(key.to_vec()).ok()?;
    let write = match kind {
        0 => Write::Delete { key },
        _ => Write::Put {
            key,
            value: Bytes::copy_from_slice(value),
        },
    };
    Some((write, rest))
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length);
    Some((usize::try_from(length).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_split_between_writes() {
        let put = |n: u8| Write::Put {
            key: format!("k{n}"),
            value: Bytes::from(vec![n; 30]),
        };
        let mut writes: Vec<Write> = (0..10).map(put).collect();
        writes.push(Write::Delete { key: "gone".into() });
        for limit in [1, 50, 100, 10_000] {
            let parts = encode(&writes, limit, 100);
            assert!(limit > 100 || parts.len() > 3, "{}", parts.len());
            let decoded: Vec<Write> = parts.iter().flat_map(|part| decode(part)).collect();
            assert_eq!(decoded, writes);
        }
        assert_eq!(encode(&[], 10, 10).len(), 0);
        assert_eq!(encode(&writes, 10_000, 4).len(), 3);
    }
}
