use super::*;

fn put(key: &str) -> Write {
    Write::Put {
        key: key.into(),
        value: "v".into(),
    }
}

fn transaction(compares: &[&str], writes: &[&str]) -> Transaction {
    let compare = |key: &&str| Compare {
        key: (*key).into(),
        number: 1,
    };
    Transaction {
        compares: compares.iter().map(compare).collect(),
        writes: writes.iter().map(|key| put(key)).collect(),
        ..Transaction::default()
    }
}

#[test]
fn a_batch_ends_before_what_one_in_it_would_change() {
    let mut batch = Batch::default();
    batch.take(transaction(&["guard"], &["a"])).unwrap();
    // Readers of one key go together, and so does who writes what one before only read.
    batch.take(transaction(&["guard"], &["b"])).unwrap();
    batch.take(transaction(&[], &["guard"])).unwrap();
    for late in [
        transaction(&["guard"], &["c"]),
        transaction(&["b"], &["c"]),
        transaction(&[], &["a"]),
    ] {
        batch.take(late).unwrap_err();
    }
    let mut range = transaction(&[], &["c"]);
    let over = |first: &str, last: &str| Unchanged {
        first: first.into(),
        last: last.into(),
        since: 1,
    };
    range.unchanged = vec![over("b", "f")];
    let mut range = batch.take(range).unwrap_err();
    range.unchanged = vec![over("c", "f")];
    batch.take(range).unwrap();
}

#[test]
fn a_batch_has_as_many_as_etcd_takes_and_room_for_the_mark() {
    let mut batch = Batch::default();
    let all = (0..200).map(|n| batch.take(transaction(&[], &[&format!("{n}")])));
    assert_eq!(all.filter(Result::is_ok).count(), 126);
    let mut batch = Batch::default();
    let mut large = transaction(&[], &["large"]);
    large.writes = vec![Write::Put {
        key: "large".into(),
        value: vec![0; BYTES].into(),
    }];
    batch.take(large).unwrap();
    batch.take(transaction(&[], &["small"])).unwrap_err();
    // A wide one leaves room for few others.
    let names: Vec<String> = (0..100).map(|n| format!("w{n}")).collect();
    let wide: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut batch = Batch::default();
    batch.take(transaction(&[], &wide)).unwrap();
    let all = (0..200).map(|n| batch.take(transaction(&[], &[&format!("{n}")])));
    assert_eq!(all.filter(Result::is_ok).count(), 26);
    assert!(!is_large(&transaction(&[], &wide)) && is_large(&transaction(&wide, &[])));
}
