//! How often somebody may guess: by address of mail and of network together, and by each alone. Counted the same whether or not
//! there is such a user.

use std::{net::IpAddr, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::server::{
    ClientAddress,
    rate_limit::{Quota, RateLimiter},
};
use ring::digest::{SHA256, digest};

use crate::{
    error::IdentityError,
    model::{Email, Origin},
};

const WINDOW: Duration = Duration::from_mins(15);

/// Guesses at one mail address from one network: a person who mistypes needs fewer.
const PAIR: Quota = Quota { name: "login-pair", units: 10, window: WINDOW };
/// Guesses at one mail address from anywhere: enough that nobody locks its owner out with a few.
const MAILBOX: Quota = Quota { name: "login-mailbox", units: 100, window: WINDOW };
/// Guesses from one network at any mail address.
const NETWORK: Quota = Quota { name: "login-network", units: 100, window: WINDOW };
/// Letters with a link to a new password for one mail address.
const LETTERS: Quota = Quota { name: "reset-mailbox", units: 3, window: WINDOW };

#[derive(Debug)]
pub(super) struct Throttle {
    limiter: Arc<dyn RateLimiter>,
}

impl Throttle {
    pub(super) fn new(limiter: Arc<dyn RateLimiter>) -> Self {
        Self { limiter }
    }

    /// Counts one guess; fails where there were too many. Counted before the guess is looked at, so that many at once are no
    /// way around it.
    pub(super) async fn guess(&self, email: &Email, origin: Origin) -> Result<(), IdentityError> {
        let network = network(origin.address);
        let mailbox = mailbox(email);
        self.spend(&format!("{mailbox}:{network}"), &PAIR).await?;
        self.spend(&network, &NETWORK).await?;
        self.spend(&mailbox, &MAILBOX).await
    }

    /// Counts one guess at the password of somebody signed in.
    pub(super) async fn guess_again(&self, email: &Email) -> Result<(), IdentityError> {
        self.spend(&format!("{}:signed-in", mailbox(email)), &PAIR).await
    }

    /// Counts one letter; fails where there were too many.
    pub(super) async fn letter(&self, email: &Email) -> Result<(), IdentityError> {
        self.spend(&mailbox(email), &LETTERS).await
    }

    async fn spend(&self, key: &str, quota: &Quota) -> Result<(), IdentityError> {
        match self.limiter.spend(key, 1, quota).await.refused() {
            Some(wait) => Err(IdentityError::Throttled { wait }),
            None => Ok(()),
        }
    }
}

/// Counters may lie in a server that many read: they hold no mail address.
fn mailbox(email: &Email) -> String {
    let digest = digest(&SHA256, email.as_str().as_bytes());
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..12])
}

fn network(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "console".to_owned(), |address| ClientAddress(address).network().to_string())
}
