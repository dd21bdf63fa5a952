//! A client stays with the upstream that a cookie names, for as long as that one takes requests.

use hyper::header::{self, HeaderMap, HeaderValue};
use kernel::Rng;

use crate::{
    client::Transport,
    pool::Pool,
    upstream::{Admission, Upstream},
};

/// What a cookie says that leads to an upstream: chance, so that it tells nothing and cannot be made up.
pub(crate) fn ticket(rng: &dyn Rng) -> String {
    let mut bytes = [0; 16];
    rng.fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// How the cookie is called, and how it is sent.
#[derive(Debug)]
pub(crate) struct Sticky {
    name: String,
    attributes: &'static str,
}

impl Sticky {
    /// The cookie of this name.
    pub(crate) fn new(name: String, transport: Transport) -> Self {
        let attributes = match transport {
            Transport::Tls => "; Path=/; HttpOnly; SameSite=Lax; Secure",
            Transport::Plain => "; Path=/; HttpOnly; SameSite=Lax",
        };
        Self { name, attributes }
    }

    /// What the request's cookie says.
    pub(crate) fn find_ticket<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.name).map(|(_, ticket)| ticket)
    }

    /// The cookie that leads back to an upstream; none where the client has it.
    pub(crate) fn cookie(&self, upstream: &Upstream, given: Option<&str>) -> Option<HeaderValue> {
        if given == Some(upstream.ticket()) {
            return None;
        }
        HeaderValue::from_str(&format!("{}={}{}", self.name, upstream.ticket(), self.attributes)).ok()
    }
}

/// The upstream of a ticket, where it takes requests.
pub(crate) fn admit(pool: &Pool, ticket: &str) -> Option<Admission> {
    pool.choose(|serving| serving.iter().find(|upstream| upstream.ticket() == ticket).and_then(Upstream::admit))
}
