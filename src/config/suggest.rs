//! The nearest known name to a mistyped one.

/// Returns the known name that was probably meant: at most a third of its letters differ.
pub(super) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (distance(written, name), name))
        .filter(|(distance, name)| distance * 3 <= name.len().max(3))
        .min()
        .map(|(_, name)| name)
}

/// Counts the letters to insert, delete, replace or swap with their neighbour (optimal string alignment, the restricted
/// form of Damerau 1964). Quadratic, and names are short.
pub(super) fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(a != b);
            let mut least = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_known_pairs() {
        for (from, to, expected) in [
            ("", "", 0),
            ("home", "home", 0),
            ("homme", "home", 1),
            ("hoem", "home", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
            assert_eq!(distance(to, from), expected, "{to} {from}");
        }
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        let known = ["home", "protect", "threads"];
        assert_eq!(nearest("homme", known), Some("home"));
        assert_eq!(nearest("proetct", known), Some("protect"));
        assert_eq!(nearest("zzzz", known), None);
    }
}
