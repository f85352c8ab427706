/// The candidate that was probably meant: the nearest, if it is near enough to be a typing error.
pub(super) fn nearest<'c>(found: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let near_enough = found.chars().count() / 3 + 1;
    candidates
        .iter()
        .map(|candidate| (distance(found, candidate), *candidate))
        .min()
        .filter(|(distance, _)| *distance <= near_enough)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be put in, taken out or replaced to get from `a` to `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn a_typing_error_is_recognised_and_another_word_is_not() {
        let options = ["--ports", "--port-device", "--json"];
        assert_eq!(nearest("--jsno", &options), Some("--json"));
        assert_eq!(nearest("--port", &options), Some("--ports"));
        assert_eq!(nearest("--colour", &options), None);
    }
}
