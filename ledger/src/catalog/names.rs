//! How names are made, compared and suggested. It knows nothing of what they name.

use super::Unknown;

/// Longest name of a team or service, in characters: it is part of URLs and labels of charts.
pub(super) const NAME_CHARS_MAX: usize = 100;

/// Words that mean production when they are the environment's name or a part of it: `prod-eu`.
const PRODUCTION_WORDS: [&str; 3] = ["production", "prod", "live"];

/// Words that take the meaning away again: `non-prod`, `pre-production`.
const NEGATIONS: [&str; 5] = ["non", "not", "no", "pre", "test"];

/// Whether an environment's word, in lower case, means production.
pub(super) fn is_production_like(word: &str) -> bool {
    let parts = || word.split(|c: char| !c.is_alphanumeric());
    parts().any(|part| PRODUCTION_WORDS.contains(&part)) && !parts().any(|part| NEGATIONS.contains(&part))
}

/// Whether a name may stand in a URL as it is.
pub(super) fn is_valid(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && name.chars().all(allowed)
        && !name.trim_matches('.').is_empty()
}

/// The nearest name that may stand in a URL.
pub(super) fn slug(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let slug: String = text.chars().map(allowed).take(NAME_CHARS_MAX).collect();
    if is_valid(&slug) { slug } else { "service".to_owned() }
}

/// A name with a number, which is not cut off where the name is too long for both.
pub(super) fn numbered(name: &str, number: u32) -> String {
    let number = format!("-{number}");
    let name: String = name.chars().take(NAME_CHARS_MAX - number.len()).collect();
    name + &number
}

/// Whether one of two paths is the other or lies below it, by whole segments.
pub(super) fn overlap(left: &str, right: &str) -> bool {
    let segments = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    segments(left).iter().zip(&segments(right)).all(|(left, right)| left == right)
}

/// The error about an unknown name, with the most similar one there is.
pub(super) fn unknown<'a>(kind: &'static str, name: &str, known: impl Iterator<Item = &'a str>) -> Unknown {
    Unknown { kind, name: name.to_owned(), near: nearest(name, known) }
}

/// The most similar of the known names, if it is similar enough to be meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let wanted = name.to_lowercase();
    let similar_enough = 1 + wanted.chars().count() / 4;
    known
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= similar_enough)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Levenshtein distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, one) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut next = vec![before];
        for (other, above) in right.iter().zip(row.iter().skip(1)) {
            let substituted = diagonal + usize::from(one != *other);
            before = substituted.min(above + 1).min(before + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_what_was_meant() {
        let near = |name| nearest(name, ["payments", "checkout", "shop"].into_iter());
        assert_eq!(near("paymnets").as_deref(), Some("payments"));
        assert_eq!(near("Checkout").as_deref(), Some("checkout"));
        assert_eq!(near("shp").as_deref(), Some("shop"));
        assert_eq!(near("billing"), None);
    }

    #[test]
    fn the_distance_is_levenshteins() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn production_is_meant_by_a_whole_word_only() {
        for word in ["production", "prod", "live", "prod-eu", "eu/production", "prod_1"] {
            assert!(is_production_like(word), "{word}");
        }
        for word in ["staging", "product-demo", "non-prod", "pre-production", "preprod", "delivery", ""] {
            assert!(!is_production_like(word), "{word}");
        }
    }

    #[test]
    fn a_number_makes_a_difference_to_the_longest_name() {
        let long = "x".repeat(NAME_CHARS_MAX);
        assert_eq!(numbered("shop", 2), "shop-2");
        assert_eq!(slug(&numbered(&long, 12)), format!("{}-12", "x".repeat(NAME_CHARS_MAX - 3)));
    }

    #[test]
    fn paths_overlap_by_whole_segments() {
        assert!(overlap("services/checkout", "services"));
        assert!(overlap("services", "services/checkout/src"));
        assert!(!overlap("services/check", "services/checkout"));
    }
}
