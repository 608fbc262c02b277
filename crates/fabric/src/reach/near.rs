//! Names that one may have meant.

/// The closest names to what was said, the closest first.
pub(super) fn near<'a>(said: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    const SHOWN: usize = 3;
    let said_lower = said.to_lowercase();
    let bound = (said.len() / 2).clamp(1, 3);
    let mut close: Vec<(usize, &str)> = names
        .filter(|name| !name.is_empty())
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = distance(&said_lower, &lower);
            let contains = said.len() >= 2 && lower.contains(&said_lower);
            (distance <= bound || contains).then_some((distance, name))
        })
        .collect();
    close.sort_unstable();
    close.dedup();
    let close = close.into_iter().take(SHOWN);
    close.map(|(_, name)| name).collect()
}

/// How many letters have to be put in, left out or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_what_was_meant() {
        let names = ["web-group", "db-group", "cache", "wbe"];
        let near = |said| near(said, names.into_iter());
        assert_eq!(near("web-gruop"), ["web-group"]);
        assert_eq!(near("group"), ["db-group", "web-group"]);
        assert_eq!(near("cashe"), ["cache"]);
        assert!(near("monitoring").is_empty());
    }
}
