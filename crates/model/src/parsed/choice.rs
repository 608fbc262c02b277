//! Fields that are one of a few words.

use crate::invalid::Invalid;

/// The value that the field's word stands for.
pub(super) fn choice<T: Copy>(
    field: &'static str,
    text: &str,
    words: &[(&str, T)],
) -> Result<T, Invalid> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let known = match known.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    };
    Err(Invalid::new(
        field,
        match text {
            "" => format!("is empty; give {known}"),
            text => format!("{text:?} is not known; give {known}"),
        },
    ))
}
