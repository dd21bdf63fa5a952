//! Amounts: numbers with units, currencies, percents, ranges, times of day and fractions.

use super::{
    super::{
        language::{Language, Unit},
        numbers::{Number, leading_number},
    },
    Token,
};

/// What is said for the token at `index` when it is an amount, or belongs to the amount before it.
pub(super) fn read(tokens: &[Token<'_>], index: usize, language: &Language) -> Option<String> {
    let core = tokens[index].core;
    if let Some(said) = fraction(core, language) {
        return Some(said.to_owned());
    }
    if let Some(said) = after_number(tokens, index, language) {
        return Some(said);
    }
    let (about, rest) = match core.strip_prefix(['~', '≈']) {
        Some(rest) => (format!("{} ", language.about).trim_start().to_owned(), rest),
        None => (String::new(), core),
    };
    if currency_sign(core, language).is_some() && tokens.get(index + 1).is_some_and(Token::starts_with_digit) {
        // `R$ 5`: said after the number.
        return Some(String::new());
    }
    let apart = index.checked_sub(1).and_then(|i| currency_sign(tokens[i].core, language));
    let joined = language.currencies.iter().find(|c| rest.starts_with(c.sign));
    let rest = joined.map_or(rest, |c| rest[c.sign.len()..].trim_start());
    let currency = joined.or(apart);
    let number = leading_number(rest, language)?;
    let rest = &rest[number.bytes..];
    let said = if let Some(currency) = currency {
        let scaled = tokens.get(index + 1).is_some_and(|next| language.scales.contains(&next.core));
        priced(number, rest, currency, scaled, language)?
    } else if let Some(minutes) = rest.strip_prefix(':') {
        clock(&number.said, minutes, language)?
    } else {
        measured(number, rest, tokens.get(index + 1), language)?
    };
    Some(format!("{about}{said}"))
}

/// `½`, `1/2`.
fn fraction(core: &str, language: &Language) -> Option<&'static str> {
    let [half, quarter, three_quarters] = language.fractions;
    let said = match core {
        "½" | "1/2" => half,
        "¼" | "1/4" => quarter,
        "¾" | "3/4" => three_quarters,
        _ => return None,
    };
    Some(said).filter(|said| !said.is_empty())
}

/// A unit, a percent sign, a currency or a word such as `million` that stands apart after its number.
fn after_number(tokens: &[Token<'_>], index: usize, language: &Language) -> Option<String> {
    let core = tokens[index].core;
    let previous = tokens.get(index.checked_sub(1)?)?;
    let digits = previous.core.trim_start_matches(['~', '≈']);
    let number = leading_number(digits, language).filter(|n| n.bytes == digits.len());
    if let Some(number) = number.filter(|_| previous.trail.is_empty()) {
        if is_percent(core) {
            return Some(if language.percent_first { String::new() } else { language.percent.to_owned() });
        }
        let unit = language.currencies.iter().find(|c| c.sign == core).or_else(|| language.unit(core));
        if let Some(unit) = unit {
            return Some(amount(unit, number.is_one).to_owned());
        }
    }
    // `$5 million`: the currency comes after the last of such words.
    let is_scale = |token: &Token<'_>| language.scales.contains(&token.core);
    if !is_scale(&tokens[index]) || tokens.get(index + 1).is_some_and(is_scale) {
        return None;
    }
    let at = tokens[..index].iter().rposition(|token| !is_scale(token))?;
    let priced = tokens[at].core;
    let apart = at.checked_sub(1).and_then(|i| currency_sign(tokens[i].core, language));
    let joined = language.currencies.iter().find(|c| priced.starts_with(c.sign));
    leading_number(priced[joined.map_or(0, |c| c.sign.len())..].trim_start(), language)?;
    let currency = joined.or(apart)?;
    Some(format!("{core}{}{}", language.of, currency.many))
}

/// `$5`, `$5–10`, `$5.99`, `$5M`.
fn priced(number: Number, rest: &str, currency: &Unit, scaled: bool, language: &Language) -> Option<String> {
    if scaled && rest.is_empty() {
        return Some(number.said);
    }
    if let Some((to, end)) = range_end(rest) {
        let end = currency.sign.len() * usize::from(end.starts_with(currency.sign)) + to;
        let last = leading_number(rest.get(end..)?, language)?;
        return (end + last.bytes == rest.len())
            .then(|| format!("{} {} {} {}", number.said, language.to, last.said, currency.many));
    }
    if rest.is_empty() {
        return Some(format!("{} {}", number.said, amount(currency, number.is_one)));
    }
    let words: &[&str] = match rest {
        "k" | "K" => &["thousand", "mil", "mille", "mila", "Tausend"],
        "m" | "M" => &["million", "millones", "millions", "milioni", "Millionen", "milhões"],
        "b" | "B" | "bn" => &["billion", "milliards", "miliardi", "Milliarden", "bilhões"],
        _ => return None,
    };
    let scale = language.scales.iter().find(|scale| words.contains(scale));
    scale.map(|scale| format!("{} {scale}{}{}", number.said, language.of, currency.many))
}

/// `12:30`, `9:05`, `5:30pm`.
fn clock(hours: &str, minutes: &str, language: &Language) -> Option<String> {
    let digits = minutes.get(..2).filter(|m| m.bytes().all(|b| b.is_ascii_digit()))?;
    let suffix = &minutes[2..];
    let half = match suffix.to_ascii_lowercase().as_str() {
        "" => "",
        "am" | "a.m" => " A M",
        "pm" | "p.m" => " P M",
        _ => return None,
    };
    let (hour, minute) = (hours.parse::<u32>().ok()?, digits.parse::<u32>().ok()?);
    if hour > 24 || minute > 59 {
        return None;
    }
    Some(match minute {
        0 if half.is_empty() => format!("{hour}{}", language.full_hour),
        0 => format!("{hour}{half}"),
        1..10 if language.clock == " " => format!("{hour} oh {minute}{half}"),
        _ => format!("{hour}{}{minute}{half}", language.clock),
    })
}

/// A number with what stands right after it: nothing, `%`, a unit, the end of a range.
fn measured(number: Number, rest: &str, next: Option<&Token<'_>>, language: &Language) -> Option<String> {
    if rest.is_empty() {
        // `50 %` in a language that says percent first.
        let percent = language.percent_first && next.is_some_and(|n| is_percent(n.core));
        return Some(if percent { format!("{}{}", language.percent, number.said) } else { number.said });
    }
    if is_percent(rest) {
        let said = if language.percent_first {
            format!("{}{}", language.percent, number.said)
        } else {
            format!("{} {}", number.said, language.percent)
        };
        return Some(said.trim().to_owned());
    }
    let unit = language.currencies.iter().find(|c| c.sign == rest.trim()).or_else(|| language.unit(rest.trim()));
    if let Some(unit) = unit {
        return Some(format!("{} {}", number.said, amount(unit, number.is_one)));
    }
    if let Some((start, _)) = range_end(rest) {
        let last = leading_number(&rest[start..], language)?;
        let tail = &rest[start + last.bytes..];
        let dashed = rest.starts_with('-');
        let grows = number.said.parse::<f64>().ok()? < last.said.parse::<f64>().ok()?;
        // A hyphen joins scores and telephone numbers too.
        if language.to.is_empty()
            || dashed && (!grows || number.said.len() + 1 < last.said.len() || number.said.len() == 3)
        {
            return None;
        }
        let last = measured(last, tail, next, language)?;
        return Some(format!("{} {} {last}", number.said, language.to));
    }
    if let Some(factor) = rest.strip_prefix(['×', 'x'])
        && let Some(last) = leading_number(factor, language).filter(|l| l.bytes == factor.len())
    {
        return Some(format!("{} {} {}", number.said, language.times, last.said));
    }
    // `1st`, `3D`, `1990s`: the engine knows.
    rest.chars().all(char::is_alphabetic).then(|| format!("{}{rest}", number.said))
}

/// Where the second number of a range begins in `rest`, and what stands there.
fn range_end(rest: &str) -> Option<(usize, &str)> {
    let dash = rest.chars().next().filter(|c| matches!(c, '–' | '—' | '-' | '‑' | '−' | '～' | '〜'))?;
    let end = &rest[dash.len_utf8()..];
    (!end.is_empty()).then_some((dash.len_utf8(), end))
}

fn is_percent(text: &str) -> bool {
    matches!(text, "%" | "％" | "٪")
}

/// The currency whose sign is all of `core`.
fn currency_sign(core: &str, language: &Language) -> Option<&'static Unit> {
    language.currencies.iter().find(|c| c.sign == core)
}

fn amount(unit: &Unit, is_one: bool) -> &'static str {
    if is_one { unit.one } else { unit.many }
}
