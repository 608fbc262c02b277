//! Keys as earlier versions of the contents had them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;

use super::Key;

/// Makes version 2 of version 1, in which keys had addresses as people write them: now they are
/// in the order of the addresses. A record that is there under its new key is the later one.
pub fn order_addresses(contents: &mut BTreeMap<String, Bytes>) {
    let renamed = |key: &String| {
        let (network, address) = key.strip_prefix("/addresses/")?.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let now = Key::Address(network.parse().ok()?, address).to_string();
        (now != *key).then(|| (key.clone(), now))
    };
    let renamed: Vec<(String, String)> = contents.keys().filter_map(renamed).collect();
    for (before, now) in renamed {
        if let Some(value) = contents.remove(&before) {
            contents.entry(now).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(entries: &[(&str, &'static str)]) -> BTreeMap<String, Bytes> {
        let entries = entries.iter();
        let entries = entries.map(|(key, value)| ((*key).to_owned(), Bytes::from(*value)));
        entries.collect()
    }

    #[test]
    fn addresses_keep_their_records_and_others_their_keys() {
        let mut all = contents(&[
            ("/addresses/7/10.1.0.9", "nine"),
            ("/addresses/7/10.1.0.10", "ten"),
            ("/addresses/7/fd00::a", "a"),
            ("/addresses/8/010.001.000.001", "one"),
            ("/addresses/8/10.1.0.1", "one as it was"),
            ("/addresses/x/y", "somebody else's"),
            ("/tunnels/192.0.2.7", "tunnel"),
        ]);
        order_addresses(&mut all);
        let wanted = contents(&[
            ("/addresses/7/010.001.000.009", "nine"),
            ("/addresses/7/010.001.000.010", "ten"),
            ("/addresses/7/fd00:0000:0000:0000:0000:0000:0000:000a", "a"),
            ("/addresses/8/010.001.000.001", "one"),
            ("/addresses/x/y", "somebody else's"),
            ("/tunnels/192.0.2.7", "tunnel"),
        ]);
        assert_eq!(all, wanted);
        order_addresses(&mut all);
        assert_eq!(all, wanted);
    }
}
