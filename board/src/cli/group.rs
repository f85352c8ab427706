use std::fs;

/// The number of a group by its name in `/etc/group` (group(5)), or by its number. Other databases are not asked: a
/// board has none, and the C library would load code for them.
pub(super) fn number(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    fs::read_to_string("/etc/group").ok()?.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        fields.nth(1)?.parse().ok().filter(|_| is_it)
    })
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_group_has_a_name_and_a_number() {
        assert_eq!((number("root"), number("17")), (Some(0), Some(17)));
        assert_eq!((number("no such group"), number("-1"), number("")), (None, None, None));
    }
}
