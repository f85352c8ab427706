/// The candidate that was probably meant: the nearest, if it is near enough to be a typing error.
pub(super) fn nearest<'c>(found: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = found.trim_start_matches('-').as_bytes();
    let holds_word = |candidate: &&&str| {
        word.len() > 2 && candidate.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
    };
    if let Some(whole) = candidates.iter().find(holds_word) {
        return Some(whole);
    }
    let near_enough = word.len() / 3 + 1;
    let nearest = candidates.iter().min_by_key(|candidate| distance(found, candidate))?;
    (distance(found, nearest) <= near_enough).then_some(nearest)
}

/// How many bytes must be put in, taken out or replaced to get from `a` to `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        row[0] = left;
        for (above, to) in row[1..].iter_mut().zip(b.bytes()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *above;
            left = replaced.min(left + 1).min(diagonal + 1);
            *above = left;
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
        assert_eq!(nearest("--JSON", &options), Some("--json"));
        assert_eq!(nearest("--device", &options), Some("--port-device"));
        assert_eq!(nearest("--colour", &options), None);
    }
}
