//! Names that one may have meant.

/// The closest names to what was said, the closest first.
pub fn near<'a>(said: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    const SHOWN: usize = 3;
    let said_lower = said.to_lowercase();
    let bound = (said.len() / 3).clamp(1, 2);
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

/// How many letters have to be put in, left out, replaced, or swapped with the next one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let above = &rows[i - 1];
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
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
        assert_eq!(near("web"), ["wbe", "web-group"]);
        assert!(near("monitoring").is_empty());
    }
}
