//! Ports, one or many: `80,443,8000-8100`.

use std::fmt;

use super::list::{Item, items};
use crate::agent::PortRange;
use crate::invalid::Invalid;

const FORM: &str = "is not a port; write 80, or a range of ports such as 8000-8100";

/// A set of ports, as ranges in order that neither meet nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports(Vec<PortRange>);

impl Ports {
    /// The ports that the field lists; none when it is empty.
    pub fn parse(field: &'static str, text: &str) -> Result<Ports, Invalid> {
        let ranges = items(text).map(|item| range(field, item));
        Ok(Ports::of(ranges.collect::<Result<_, _>>()?))
    }

    /// These ranges, which may overlap.
    pub fn of(mut ranges: Vec<PortRange>) -> Ports {
        ranges.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if u32::from(range.first) <= u32::from(last.last) + 1 => {
                    last.last = last.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        Ports(merged)
    }

    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }
}

fn range(field: &'static str, item: Item<'_>) -> Result<PortRange, Invalid> {
    let (first, last) = item.text.split_once('-').unwrap_or((item.text, item.text));
    let (Some(first), Some(last)) = (port(first), port(last)) else {
        return Err(item.refuse(field, FORM));
    };
    let (Ok(first), Ok(last)) = (u16::try_from(first), u16::try_from(last)) else {
        return Err(item.refuse(field, "is too high; ports go from 1 to 65535"));
    };
    if first == 0 {
        return Err(item.refuse(field, "has port 0 in it; ports go from 1 to 65535"));
    }
    if first > last {
        return Err(item.refuse(field, "ends before it begins; write the lower port first"));
    }
    Ok(PortRange { first, last })
}

/// A decimal number without sign or leading zeros.
fn port(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (digits && canonical && text.len() <= 9)
        .then(|| text.parse().ok())
        .flatten()
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, PortRange { first, last }) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            match first == last {
                true => write!(f, "{first}")?,
                false => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Ports, Invalid> {
        Ports::parse("ports", text)
    }

    #[test]
    fn a_wrong_item_is_named_with_its_place() {
        for (text, said) in [
            ("80,443,8100-8000", "item 3, \"8100-8000\", ends before"),
            ("80,,443", "item 2, \"\", is not a port"),
            ("80,", "item 2, \"\", is not a port"),
            ("http", "\"http\" is not a port"),
            ("0", "\"0\" has port 0"),
            ("1-65536", "\"1-65536\" is too high"),
            ("080", "\"080\" is not a port"),
            ("1-2-3", "\"1-2-3\" is not a port"),
            ("99999999999999999999", "is not a port"),
        ] {
            let refused = parse(text).unwrap_err();
            assert_eq!(refused.field, "ports");
            assert!(refused.message.contains(said), "{text}: {refused}");
        }
    }

    #[test]
    fn lists_are_put_in_order() {
        let ports = parse("8000-8100, 443,80, 8101, 8050-8200").unwrap();
        assert_eq!(ports.to_string(), "80,443,8000-8200");
        assert!(parse("").unwrap().ranges().is_empty());
        assert_eq!(parse("1-65535").unwrap().to_string(), "1-65535");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(
            pairs in prop::collection::vec((1u16.., 0u16..300), 0..12)
        ) {
            let of = |(first, width): (u16, u16)| PortRange {
                first,
                last: first.saturating_add(width),
            };
            let ranges: Vec<PortRange> = pairs.into_iter().map(of).collect();
            let expected: BTreeSet<u16> = ranges.iter().flat_map(|r| r.first..=r.last).collect();
            let ports = Ports::of(ranges);
            let members = ports.ranges().iter().flat_map(|r| r.first..=r.last);
            prop_assert_eq!(members.collect::<BTreeSet<u16>>(), expected);
            prop_assert_eq!(parse(&ports.to_string()), Ok(ports));
        }

        #[test]
        fn no_text_is_too_strange(text in "[0-9, -]{0,24}|.{0,12}") {
            drop(parse(&text));
        }
    }
}
