//! The cookie of a browser's session.

use axum::http::{HeaderMap, header};
use platform::server::headers::Transport;

/// How the cookie is called and guarded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionCookie {
    name: &'static str,
    attributes: &'static str,
}

impl SessionCookie {
    /// Encrypted, the name itself has browsers refuse the cookie from any other host or path (RFC 6265bis).
    pub(crate) fn new(transport: Transport) -> Self {
        match transport {
            Transport::Tls => {
                Self { name: "__Host-pressroom_session", attributes: "Path=/; HttpOnly; SameSite=Lax; Secure" }
            }
            Transport::Plain => Self { name: "pressroom_session", attributes: "Path=/; HttpOnly; SameSite=Lax" },
        }
    }

    /// The value of `Set-Cookie` that sets it.
    pub(crate) fn set(self, secret: &str, max_age_s: i64) -> String {
        format!("{}={secret}; Max-Age={max_age_s}; {}", self.name, self.attributes)
    }

    /// The value of `Set-Cookie` that removes it.
    pub(crate) fn clear(self) -> String {
        format!("{}=; Max-Age=0; {}", self.name, self.attributes)
    }

    /// What a browser sent of it.
    pub(crate) fn find(self, headers: &HeaderMap) -> Option<&str> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.name).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn scripts_and_other_sites_do_not_get_the_cookie() {
        let cookie = SessionCookie::new(Transport::Tls).set("secret", 60);
        let expected = "__Host-pressroom_session=secret; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(cookie, expected);
        assert!(!SessionCookie::new(Transport::Plain).set("secret", 60).contains("Secure"));
        assert!(SessionCookie::new(Transport::Tls).clear().contains("=; Max-Age=0;"));
    }

    #[test]
    fn it_is_found_among_others_by_its_whole_name() {
        let find = |text: &'static str| {
            let headers = [(header::COOKIE, HeaderValue::from_static(text))].into_iter().collect();
            SessionCookie::new(Transport::Plain).find(&headers).map(str::to_owned)
        };
        assert_eq!(find("a=1; pressroom_session=x;b=2"), Some("x".to_owned()));
        assert_eq!(find("xpressroom_session=x; pressroom_session2=y"), None);
    }
}
