/// The candidate that was probably meant: the nearest, if it is near enough to be a typing error.
pub(super) fn nearest<'c>(found: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let word = found.as_bytes();
    let holds_word = |candidate: &str| {
        word.len() > 2 && candidate.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
    };
    let mut nearest = None;
    let mut too_far = word.len() / 3 + 2;
    for candidate in candidates {
        if holds_word(candidate) {
            return Some(candidate);
        }
        let distance = distance(found, candidate);
        if distance < too_far {
            (nearest, too_far) = (Some(candidate), distance);
        }
    }
    nearest
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
        for (found, meant) in [
            ("jsno", Some("json")),
            ("port", Some("ports")),
            ("JSON", Some("json")),
            ("device", Some("port-device")),
            ("colour", None),
        ] {
            assert_eq!(nearest(found, ["ports", "port-device", "json"].into_iter()), meant);
        }
    }
}
