//! Quantities of Kubernetes: `512Mi`, `1.5G`, `100m`, `1e9`; read and written without rounding through floats.

/// Reads a quantity in whole units, rounded up: bytes for memory and storage. None if it is none, or negative, or more
/// than fits.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let mantissa: u128 = format!("{whole}{fraction}").parse().ok()?;
    let digits = i32::try_from(fraction.len()).ok()?;
    let (twos, tens) = scale(suffix)?;
    let value = mantissa.checked_mul(1_u128.checked_shl(twos)?)?;
    shift_decimal(value, tens.checked_sub(digits)?)
}

/// The powers of two and of ten that a suffix stands for.
fn scale(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        exponent => (0, exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

/// Times ten to that power, rounded up.
fn shift_decimal(value: u128, tens: i32) -> Option<u64> {
    if value == 0 {
        return Some(0);
    }
    let factor = 10_u128.checked_pow(tens.unsigned_abs());
    let shifted =
        if tens >= 0 { value.checked_mul(factor?)? } else { factor.map_or(1, |factor| value.div_ceil(factor)) };
    u64::try_from(shifted).ok()
}

/// Bytes in the largest binary unit, with one decimal where it is not whole: `512Mi`, `1.5Gi`, `312Ki`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [(&str, u32); 6] = [("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
    let Some((unit, shift)) = UNITS.into_iter().find(|(_, shift)| count >> shift > 0) else {
        return format!("{count}");
    };
    let tenths = (u128::from(count) * 10) >> shift;
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole}{unit}"),
        (whole, tenth) => format!("{whole}.{tenth}{unit}"),
    }
}

/// How many hundredths of the whole that part is, rounded down; none of nothing.
#[must_use]
pub fn percent(part: u64, whole: u64) -> Option<u64> {
    let hundredths = (u128::from(part) * 100).checked_div(u128::from(whole))?;
    Some(u64::try_from(hundredths).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_suffix_of_the_api_is_read() {
        let read =
            ["512Mi", "1Gi", "1.5Gi", "128974848", "129e6", "129M", "128974848000m", "123Ki", "1k", "0.5", "1E", "2E3"];
        let bytes = [536_870_912, 1_073_741_824, 1_610_612_736, 128_974_848, 129_000_000, 129_000_000, 128_974_848];
        let rest = [125_952, 1000, 1, 1_000_000_000_000_000_000, 2000];
        for (text, expected) in read.into_iter().zip(bytes.into_iter().chain(rest)) {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in ["", "Mi", ".", "-1Gi", "1.2.3", "1gb", "99999999999Ei", "1e99", "0x10", "１Mi"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("0"), Some(0));
        assert_eq!(parse("1e-99"), Some(1));
    }

    #[test]
    fn bytes_are_written_as_people_write_limits() {
        let written: Vec<_> = [0, 1023, 536_870_912, 1_610_612_736, 319_488, u64::MAX].into_iter().map(bytes).collect();
        assert_eq!(written, ["0", "1023", "512Mi", "1.5Gi", "312Ki", "15.9Ei"]);
        assert_eq!((percent(40, 100), percent(1, 0), percent(2, 3)), (Some(40), None, Some(66)));
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".{0,40}") {
            prop_assert!(parse(&text).is_none_or(|value| value > 0) || text.contains('0'));
        }

        #[test]
        fn whole_units_read_back_as_they_were_written(count in 1_u64..1023, shift in 1_u32..6) {
            let value = count << (shift * 10);
            prop_assert_eq!(parse(&bytes(value)), Some(value));
        }
    }
}
