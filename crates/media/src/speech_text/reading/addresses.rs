//! Web addresses, mail addresses, hashtags and handles.

use super::{super::language::Language, plain};

/// Endings that make `name.ending` a web address without a scheme.
const TOP_DOMAINS: [&str; 40] = [
    "com", "org", "net", "io", "dev", "app", "edu", "gov", "info", "biz", "me", "tv", "ai", "eu", "uk", "de", "es",
    "fr", "it", "pt", "br", "cn", "jp", "in", "th", "il", "ar", "mx", "ca", "au", "nl", "ch", "at", "be", "se", "no",
    "pl", "ru", "us", "co",
];

/// What is said for an address: the name of the site, without scheme, `www` and path.
pub(super) fn read(core: &str, language: &Language) -> Option<String> {
    if let Some(tag) = core.strip_prefix('#') {
        let is_number = tag.starts_with(|c: char| c.is_numeric());
        return Some(if is_number { format!("{} {tag}", language.number) } else { separate(tag, language) });
    }
    if let Some(handle) = core.strip_prefix('@').filter(|h| !h.is_empty()) {
        return Some(format!("{} {}", language.at, separate(handle, language)).trim().to_owned());
    }
    if let Some((user, host)) = core.strip_prefix("mailto:").unwrap_or(core).split_once('@')
        && is_host(host)
        && !user.is_empty()
    {
        return Some(format!("{} {} {}", dotted(user, language), language.at, dotted(host, language)));
    }
    let lower = core.to_ascii_lowercase();
    let schemed = ["https://", "http://", "ftp://"].iter().find(|scheme| lower.starts_with(*scheme));
    let rest = &core[schemed.map_or(0, |scheme| scheme.len())..];
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default().split(':').next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or(host);
    let bare = host.strip_prefix("www.").or_else(|| host.strip_prefix("WWW.")).unwrap_or(host);
    if bare.is_empty() || schemed.is_none() && bare.len() == host.len() && !is_host(host) {
        return None;
    }
    Some(dotted(bare, language))
}

/// A host name of a known ending: letters of a word, not `e.g` or `3.5`.
fn is_host(text: &str) -> bool {
    let Some((name, ending)) = text.rsplit_once('.') else { return false };
    let letter = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    TOP_DOMAINS.contains(&ending) && name.chars().all(letter) && name.chars().filter(|c| c.is_alphabetic()).count() >= 2
}

fn dotted(host: &str, language: &Language) -> String {
    let labels = host.split('.').map(|label| plain(&label.replace(['-', '_'], " "), language));
    let labels: Vec<String> = labels.filter(|label| !label.is_empty()).collect();
    labels.join(&format!(" {} ", language.dot).replace("  ", " "))
}

/// `ClimateAction` and `climate_action` as two words; `NASA` as one.
fn separate(name: &str, language: &Language) -> String {
    let mut said = String::with_capacity(name.len() + 4);
    let mut previous = ' ';
    for character in name.chars() {
        if character.is_uppercase() && previous.is_lowercase() {
            said.push(' ');
        }
        said.push(if character == '_' || character == '.' { ' ' } else { character });
        previous = character;
    }
    plain(&said, language)
}
