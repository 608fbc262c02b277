//! Fields that hold a list, separated by commas.

use crate::invalid::Invalid;

/// The list's items, each with its place in it for messages. An empty text is an empty list.
pub(super) fn items(text: &str) -> impl Iterator<Item = Item<'_>> {
    let alone = !text.contains(',');
    let parts = text.split(',').enumerate();
    parts
        .filter(|_| !text.is_empty())
        .map(move |(index, text)| Item {
            text: text.trim(),
            place: (!alone).then_some(index + 1),
        })
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) text: &'a str,
    /// Counted from 1; none for the only one.
    place: Option<usize>,
}

impl Item<'_> {
    /// Refuses the item of this field: it `is not …`.
    pub(super) fn refuse(&self, field: &'static str, why: &str) -> Invalid {
        let text = self.text;
        Invalid::new(
            field,
            match self.place {
                None => format!("{text:?} {why}"),
                Some(place) => format!("item {place}, {text:?}, {why}"),
            },
        )
    }
}
