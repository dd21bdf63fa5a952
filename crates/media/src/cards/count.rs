//! Numbers that count up to what they are.

/// Steps before the number itself.
const STEPS: u32 = 22;

/// The texts a number passes on its way up: `0 %`, `12 %` … before `87 %`. Empty where counting would mislead or look odd: no
/// number, several, a year, a date, digits other than 0 to 9.
pub(super) fn count_steps(text: &str) -> Vec<String> {
    let Some(number) = Number::in_text(text) else { return Vec::new() };
    let mut steps: Vec<String> = (0..STEPS).map(|step| number.at(step)).collect();
    steps.dedup();
    steps
}

/// A number with what stands around it.
#[derive(Debug, PartialEq)]
struct Number<'a> {
    before: &'a str,
    after: &'a str,
    /// All digits as one integer: 42 of 4.2.
    value: u64,
    decimals: usize,
    point: char,
    grouping: Option<char>,
}

impl<'a> Number<'a> {
    fn in_text(text: &'a str) -> Option<Self> {
        let start = text.find(|c: char| c.is_ascii_digit())?;
        let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
        let middle = &text[start..end];
        let is_separator = |c: char| matches!(c, '.' | ',' | '\'' | '’' | ' ' | '\u{A0}' | '\u{202F}');
        if middle.len() > 15 || !middle.chars().all(|c| c.is_ascii_digit() || is_separator(c)) {
            return None;
        }
        let separators: Vec<(usize, char)> = middle.char_indices().filter(|(_, c)| is_separator(*c)).collect();
        let (grouping, point) = read_separators(middle, &separators)?;
        let decimals = point.map_or(0, |(at, point)| middle.len() - at - point.len_utf8());
        let value: u64 = middle.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()?;
        let is_year = separators.is_empty() && (1400..2200).contains(&value);
        let is_padded = middle.len() > 1 && middle.starts_with('0') && decimals == 0;
        if value < 2 || is_year || is_padded {
            return None;
        }
        let point = point.map_or('.', |(_, point)| point);
        Some(Self { before: &text[..start], after: &text[end..], value, decimals, point, grouping })
    }

    fn at(&self, step: u32) -> String {
        let value = (u128::from(self.value) * u128::from(step) / u128::from(STEPS)).to_string();
        let value = format!("{value:0>width$}", width = self.decimals + 1);
        let (whole, fraction) = value.split_at(value.len() - self.decimals);
        let mut text = self.before.to_owned();
        for (index, digit) in whole.chars().enumerate() {
            if let Some(mark) = self.grouping.filter(|_| index > 0 && (whole.len() - index).is_multiple_of(3)) {
                text.push(mark);
            }
            text.push(digit);
        }
        if !fraction.is_empty() {
            text.push(self.point);
            text.push_str(fraction);
        }
        text.push_str(self.after);
        text
    }
}

/// Which separator groups thousands and which is the decimal point, with its place.
type Separators = (Option<char>, Option<(usize, char)>);

fn read_separators(middle: &str, separators: &[(usize, char)]) -> Option<Separators> {
    let digits_after =
        |at: usize, c: char| middle[at + c.len_utf8()..].chars().take_while(char::is_ascii_digit).count();
    let Some(&(last_at, last)) = separators.last() else { return Some((None, None)) };
    let groups = separators.iter().all(|&(at, c)| c == last && digits_after(at, c) == 3);
    if groups {
        return Some((Some(last), None));
    }
    let earlier = &separators[..separators.len() - 1];
    let grouping = earlier.first().map(|&(_, c)| c);
    let even = earlier.iter().all(|&(at, c)| Some(c) == grouping && digits_after(at, c) == 3);
    (even && matches!(last, '.' | ',') && grouping != Some(last)).then_some((grouping, Some((last_at, last))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_up_in_its_own_way_of_writing() {
        let steps = count_steps("87 %");
        assert_eq!(steps.first().unwrap(), "0 %");
        assert!(steps.iter().all(|step| step.ends_with(" %")));
        assert!(count_steps("$4.2 million").contains(&"$2.1 million".to_owned()));
        assert!(count_steps("1.200.000").iter().any(|step| step == "600.000"), "{:?}", count_steps("1.200.000"));
        assert!(count_steps("12,5").iter().all(|step| step.contains(',')));
    }

    #[test]
    fn years_dates_ranges_and_words_do_not_count() {
        for text in ["1984", "24/7", "2019–2024", "many", "007", "1", "12.05.2026", "٤٢"] {
            assert_eq!(count_steps(text), Vec::<String>::new(), "{text}");
        }
    }
}
