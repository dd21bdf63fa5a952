//! A page of the web, reduced to its article.

use std::{fmt::Debug, time::Duration};

use dom_smoothie::{Config, Readability, TextMode};
use kernel::{ErrorKind, Lang};
use platform::http::{FetchLimits, HttpClient};
use url::Url;

use super::nesting;
use crate::{
    VideosError,
    script::{Reading, Script},
};

/// Elements of a page that are looked at; a long article has a few thousand.
const MAX_ELEMENTS: usize = 60_000;
/// How long the search for the article may take.
const MAX_SEARCH: Duration = Duration::from_secs(20);
/// The least letters of something worth telling.
const MIN_LETTERS: usize = 120;

/// What fetches a page, and keeps to public addresses, sizes and times while doing so.
#[async_trait::async_trait]
pub trait Fetch: Debug + Send + Sync {
    async fn fetch(&self, url: &Url) -> Result<Page, VideosError>;
}

/// A page as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where it was found in the end.
    pub url: Url,
    /// Its media type, in lower case, without parameters.
    pub content_type: String,
    pub text: String,
}

#[async_trait::async_trait]
impl Fetch for HttpClient {
    async fn fetch(&self, url: &Url) -> Result<Page, VideosError> {
        let fetched = self.fetch_text(url.as_str(), &FetchLimits::PAGE).await?;
        Ok(Page { url: fetched.final_url, content_type: fetched.content_type, text: fetched.body })
    }
}

/// The article of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    pub title: Option<String>,
    pub byline: Option<String>,
    /// As the page declares it.
    pub lang: Option<Lang>,
    /// The name of the site, or its host.
    pub site: String,
    /// Where it can be read, without what only tracks readers.
    pub url: Url,
    pub markdown: String,
}

/// Fetches a page and finds its article. Navigation, notices and comments around it are left out.
pub async fn read_article(fetch: &dyn Fetch, url: &Url) -> Result<Article, VideosError> {
    let page = fetch.fetch(url).await?;
    let shown = page.url.to_string();
    let searching = tokio::task::spawn_blocking(move || find_article(&page));
    match tokio::time::timeout(MAX_SEARCH, searching).await {
        Ok(Ok(found)) => found,
        Ok(Err(_)) | Err(_) => Err(no_article(&shown, "is too tangled to find its article")),
    }
}

impl Article {
    /// The script of the article. What is given is stronger than what the page declares.
    pub fn into_script(self, lang: Option<&Lang>, title: Option<&str>) -> Result<Script, VideosError> {
        let title = title.or(self.title.as_deref());
        // Pages declare the language of their template; the words themselves are asked first.
        let lang = lang.cloned().unwrap_or_else(|| language(&self.markdown, self.lang.as_ref()));
        let reading = Reading { base: std::path::Path::new(""), lang: Some(&lang), title };
        let mut script = Script::parse(&self.markdown, reading)?;
        // A page names no files of this machine.
        script.leave_out_media();
        script.byline = self.byline.or(Some(self.site.clone()));
        script.source = Some(format!("{}: {}", self.site, self.url));
        Ok(script)
    }
}

/// The language of the words, in the variety the page declares: `en-gb` where the words are English and the page says so.
fn language(text: &str, declared: Option<&Lang>) -> Lang {
    let found = crate::script::detect(text);
    match declared {
        Some(declared) if declared.primary() == found.primary() || found == Lang::english() => declared.clone(),
        _ => found,
    }
}

fn find_article(page: &Page) -> Result<Article, VideosError> {
    let site = page.url.host_str().unwrap_or_default().trim_start_matches("www.").to_owned();
    if page.content_type.starts_with("text/plain") || page.content_type.starts_with("text/markdown") {
        let url = without_tracking(&page.url);
        return told(Article { title: None, byline: None, lang: None, site, url, markdown: page.text.clone() });
    }
    let fail = |reason: &str| no_article(page.url.as_str(), reason);
    if !nesting::is_reasonable(&page.text) {
        return Err(fail("is nested too deeply to be read"));
    }
    let config = Config { text_mode: TextMode::Markdown, max_elements_to_parse: MAX_ELEMENTS, ..Config::default() };
    let mut reader = Readability::new(page.text.as_str(), Some(page.url.as_str()), Some(config))
        .map_err(|error| fail(&format!("cannot be read: {error}")))?;
    let found = reader.parse().map_err(|_| fail("has no article that can be found"))?;
    let byline = found.byline.map(|byline| crate::script::clean(&byline)).filter(|byline| !byline.is_empty());
    let title = crate::script::clean(&found.title);
    let site = found.site_name.map(|name| crate::script::clean(&name)).filter(|name| !name.is_empty()).unwrap_or(site);
    let markdown = without_preamble(&found.text_content, &title, byline.as_deref());
    told(Article {
        lang: found.lang.and_then(|lang| lang.parse().ok()),
        url: canonical(found.url.as_deref(), &page.url),
        title: Some(title).filter(|title| !title.is_empty()),
        byline,
        site,
        markdown,
    })
}

/// An article with enough words to be told.
fn told(article: Article) -> Result<Article, VideosError> {
    // A Chinese character says about as much as three letters.
    let letters: usize =
        article.markdown.chars().filter(|c| c.is_alphabetic()).map(|c| if c > '\u{2e80}' { 3 } else { 1 }).sum();
    if letters < MIN_LETTERS {
        return Err(no_article(article.url.as_str(), "has no article that can be found"));
    }
    Ok(article)
}

fn no_article(url: &str, reason: &str) -> VideosError {
    let reason = format!("{reason}; copy its text into a file and give that instead");
    VideosError::Page { url: url.to_owned(), kind: ErrorKind::Invalid, reason }
}

/// The text without the lines before its first sentence that only repeat who wrote it and what it is called.
fn without_preamble(markdown: &str, title: &str, byline: Option<&str>) -> String {
    let bare =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let (title, byline) = (bare(title), byline.map(bare).unwrap_or_default());
    let mut paragraphs: Vec<&str> = markdown.split("\n\n").collect();
    let repeats = |paragraph: &&str| {
        let text = bare(paragraph);
        let names_author = !byline.is_empty() && text.ends_with(&byline) && text.len() <= byline.len() + 12;
        text.is_empty() || text == title || names_author
    };
    let first = paragraphs.iter().take(4).take_while(|paragraph| repeats(paragraph)).count();
    paragraphs.drain(..first);
    paragraphs.join("\n\n")
}

/// The address a page gives itself, when it is of the same site; else the one it was found at.
fn canonical(own: Option<&str>, found: &Url) -> Url {
    let own = own.and_then(|own| found.join(own).ok());
    let same_site = own.filter(|own| own.host_str() == found.host_str() && matches!(own.scheme(), "http" | "https"));
    without_tracking(&same_site.unwrap_or_else(|| found.clone()))
}

/// An address without user, password, fragment and the parameters that name the reader's way there.
fn without_tracking(url: &Url) -> Url {
    let mut clean = url.clone();
    clean.set_fragment(None);
    // What cannot hold a user has none.
    let _ = clean.set_username("");
    let _ = clean.set_password(None);
    let tracks =
        |name: &str| name.starts_with("utm_") || matches!(name, "fbclid" | "gclid" | "mc_cid" | "mc_eid" | "igshid");
    let kept: Vec<(String, String)> =
        url.query_pairs().filter(|(name, _)| !tracks(name)).map(|(n, v)| (n.into(), v.into())).collect();
    if kept.is_empty() {
        clean.set_query(None);
    } else if kept.len() < url.query_pairs().count() {
        clean.query_pairs_mut().clear().extend_pairs(kept);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_tracks_readers() {
        let url = |text: &str| Url::parse(text).unwrap();
        let shown = without_tracking(&url("https://me:secret@a.example/salt?id=3&utm_source=mail&fbclid=x#top"));
        assert_eq!(shown.as_str(), "https://a.example/salt?id=3");
        assert_eq!(without_tracking(&url("https://a.example/?utm_medium=x")).as_str(), "https://a.example/");
    }

    #[test]
    fn a_page_cannot_claim_to_be_another_site() {
        let found = Url::parse("https://a.example/salt").unwrap();
        assert_eq!(canonical(Some("https://bank.example/login"), &found), found);
        assert_eq!(canonical(Some("/story/salt"), &found).as_str(), "https://a.example/story/salt");
        assert_eq!(canonical(Some("javascript:alert(1)"), &found), found);
    }
}
