//! Pages, tame and hostile, as a server would send them.

use url::Url;
use videos::{
    VideosError,
    script::{Block, Script},
    source::web::{Article, Fetch, Page, read_article},
};

/// Answers every address with one page.
#[derive(Debug)]
struct OnePage(Page);

#[async_trait::async_trait]
impl Fetch for OnePage {
    async fn fetch(&self, _url: &Url) -> Result<Page, VideosError> {
        Ok(self.0.clone())
    }
}

async fn read_as(content_type: &str, text: impl Into<String>) -> Result<Article, String> {
    let url = Url::parse("https://www.gazette.example/salt?utm_source=mail").map_err(|error| error.to_string())?;
    let page = Page { url: url.clone(), content_type: content_type.to_owned(), text: text.into() };
    read_article(&OnePage(page), &url).await.map_err(|error| error.to_string())
}

async fn read(html: impl Into<String>) -> Result<Article, String> {
    read_as("text/html", html).await
}

fn said(script: &Script) -> String {
    script.narration().into_iter().map(|spoken| spoken.text).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_article_is_told_without_what_surrounds_it() {
    let article = read(include_str!("pages/article.html")).await.unwrap();
    assert_eq!(article.title.as_deref(), Some("Why the sea is salty"));
    assert_eq!(article.byline.as_deref(), Some("Ada Merriweather"));
    assert_eq!(article.site, "The Harbour Gazette");
    assert_eq!(article.url.as_str(), "https://www.gazette.example/salt");
    let script = article.into_script(None, None).unwrap();
    assert_eq!(script.lang.as_str(), "en-gb");
    assert_eq!(script.byline.as_deref(), Some("Ada Merriweather"));
    let said = said(&script);
    for part in ["four billion years", "What stays behind", "Three seas to taste", "nobody sinks", "sailor"] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    for part in ["cookies", "Home", "Share", "Related", "Ten boats", "rights reserved", "rivers * time", "By Ada"] {
        assert!(!said.contains(part), "{part} should not be said:\n{said}");
    }
    assert!(script.blocks.iter().any(|block| matches!(block, Block::List { items, .. } if items.len() == 3)));
    assert!(script.blocks.iter().any(|block| matches!(block, Block::Quote { .. })));
    assert!(script.left_out.iter().any(|left| left.contains("/img/waves.jpg")), "{:?}", script.left_out);
}

#[tokio::test]
async fn a_title_and_a_language_that_are_given_are_stronger_than_the_page() {
    let article = read(include_str!("pages/article.html")).await.unwrap();
    let script = article.into_script(Some(&"en-us".parse().unwrap()), Some("Salt")).unwrap();
    assert_eq!((script.title.as_deref(), script.lang.as_str()), (Some("Salt"), "en-us"));
}

#[tokio::test]
async fn the_words_say_which_language_it_is_when_the_page_is_wrong() {
    let spanish =
        "El mar es salado porque los ríos llevan a él los minerales de las rocas desde hace millones de años. ";
    let html =
        format!("<html lang=\"en\"><body><article><h1>Sal</h1><p>{}</p></article></body></html>", spanish.repeat(6));
    let script = read(html).await.unwrap().into_script(None, None).unwrap();
    assert_eq!(script.lang.as_str(), "es");
}

#[tokio::test]
async fn a_page_without_an_article_is_an_error_with_a_remedy() {
    for html in [
        "",
        "<html></html>",
        "<html><body><div id=app></div><script>render()</script></body></html>",
        "<nav><a href=/>Home</a><a href=/a>About</a></nav>",
        "\u{0}\u{1}\u{2}",
    ] {
        let error = read(html).await.unwrap_err();
        assert!(error.contains("gazette.example") && error.contains("copy its text into a file"), "{html}: {error}");
    }
}

#[tokio::test]
async fn a_page_cannot_name_files_of_this_machine() {
    let words = "The sea is salty, and it is wide, and nobody knows how deep it really is. ".repeat(8);
    let html = format!(
        "<article><h1>Sea</h1><p>{words}</p><img src=\"file:///etc/passwd\"><p>{words} ![](/etc/shadow)</p></article>"
    );
    let script = read(html).await.unwrap().into_script(None, None).unwrap();
    assert!(!script.blocks.iter().any(|block| matches!(block, Block::Media { .. })), "{:?}", script.blocks);
    let plain = read_as("text/markdown", format!("{words}\n\n![](/etc/shadow)")).await.unwrap();
    let script = plain.into_script(None, None).unwrap();
    assert!(!script.blocks.iter().any(|block| matches!(block, Block::Media { .. })));
}

#[tokio::test]
async fn a_tower_of_elements_is_refused_at_once() {
    let begun = std::time::Instant::now();
    let words = "The sea is salty, and it is wide. ".repeat(50);
    let error = read(format!("{}<p>{words}</p>", "<div>".repeat(50_000))).await.unwrap_err();
    assert!(error.contains("nested too deeply"), "{error}");
    assert!(begun.elapsed().as_secs() < 5);
}

#[tokio::test]
async fn broken_markup_is_read_as_browsers_read_it() {
    let words = "The sea is salty, and it is wide, and nobody knows how deep it really is. ".repeat(8);
    let html = format!("<html><body><article><h1>Sea</h2><p>{words}<p>Second {words}</b></i><div><p>Third {words}");
    let said = said(&read(html).await.unwrap().into_script(None, None).unwrap());
    assert!(said.contains("Second The sea") && said.contains("Third The sea"), "{said}");
}
