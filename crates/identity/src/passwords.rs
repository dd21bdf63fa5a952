//! Hashing of passwords with Argon2id, a few at a time: each takes memory and a processor for a while, by intention.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use kernel::{ErrorKind, Rng};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
const SALT_BYTES: usize = 16;

/// What hashing a password costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HashingCost {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Hashes at a time.
    pub at_a_time: usize,
}

impl Default for HashingCost {
    /// The first choice of OWASP's password storage cheat sheet for Argon2id.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, at_a_time: 2 }
    }
}

/// Why a password could not be hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashingError {
    #[error("too many passwords are being checked; try again in a moment")]
    Busy,
    #[error("hashing a password failed: {0}")]
    Failed(String),
}

impl HashingError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Busy => ErrorKind::Unavailable,
            Self::Failed(_) => ErrorKind::Internal,
        }
    }
}

/// Whether a password was the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Right,
    /// It was right, and its hash was made with another cost: make a new one.
    RightButOld,
    Wrong,
}

/// Hashes and checks passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    turns: Arc<Semaphore>,
    rng: Arc<dyn Rng>,
    /// What is checked where there is no user, so that it takes as long as where there is one.
    decoy: String,
    count: Arc<AtomicU64>,
}

impl Passwords {
    /// Makes the decoy, which costs one hash.
    pub fn new(cost: HashingCost, rng: Arc<dyn Rng>) -> Result<Self, HashingError> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|error| failed(&error))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        let decoy = hash(&argon2, &secret, rng.as_ref())?;
        let turns = Arc::new(Semaphore::new(cost.at_a_time.max(1)));
        Ok(Self { argon2, turns, rng, decoy, count: Arc::default() })
    }

    /// The hash of `password`, in the form of PHC strings.
    pub async fn hash(&self, password: &SecretString) -> Result<String, HashingError> {
        let (argon2, password, rng) = (self.argon2.clone(), password.clone(), self.rng.clone());
        self.in_turn(move || hash(&argon2, password.expose_secret().as_bytes(), rng.as_ref())).await?
    }

    /// Whether `password` is the one of `stored`. Without a stored hash it is wrong, after the same work.
    pub async fn verify(&self, password: &SecretString, stored: Option<&str>) -> Result<Verdict, HashingError> {
        let (argon2, password) = (self.argon2.clone(), password.clone());
        let is_known = stored.is_some();
        let stored = stored.unwrap_or(&self.decoy).to_owned();
        let verdict = self.in_turn(move || verify(&argon2, password.expose_secret().as_bytes(), &stored)).await??;
        Ok(if is_known { verdict } else { Verdict::Wrong })
    }

    /// How many hashes were made since the start.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashingError> {
        let turn = tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(HashingError::Busy) };
        self.count.fetch_add(1, Ordering::Relaxed);
        // The turn goes along: a request that is dropped must not let another begin while its hash is still being made.
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|error| failed(&error))
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8], rng: &dyn Rng) -> Result<String, HashingError> {
    let mut salt = [0; SALT_BYTES];
    rng.fill(&mut salt);
    Ok(argon2.hash_password_with_salt(password, &salt).map_err(|error| failed(&error))?.to_string())
}

fn verify(argon2: &Argon2<'_>, password: &[u8], stored: &str) -> Result<Verdict, HashingError> {
    let parsed = PasswordHash::new(stored).map_err(|error| failed(&error))?;
    if argon2.verify_password(password, &parsed).is_err() {
        return Ok(Verdict::Wrong);
    }
    let cost = Params::try_from(&parsed).map_err(|error| failed(&error))?;
    let same = |a: &Params, b: &Params| (a.m_cost(), a.t_cost(), a.p_cost()) == (b.m_cost(), b.t_cost(), b.p_cost());
    Ok(if same(&cost, argon2.params()) { Verdict::Right } else { Verdict::RightButOld })
}

fn failed(error: &dyn std::fmt::Display) -> HashingError {
    HashingError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use kernel::SeededRng;

    use super::*;

    const CHEAP: HashingCost = HashingCost { memory_kib: 8, passes: 1, at_a_time: 1 };

    fn passwords(cost: HashingCost) -> Passwords {
        Passwords::new(cost, Arc::new(SeededRng::new(1))).unwrap()
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[tokio::test]
    async fn the_right_password_is_told_from_a_wrong_one() {
        let passwords = passwords(CHEAP);
        let stored = passwords.hash(&secret("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        assert_eq!(passwords.verify(&secret("correct horse"), Some(&stored)).await, Ok(Verdict::Right));
        assert_eq!(passwords.verify(&secret("correct house"), Some(&stored)).await, Ok(Verdict::Wrong));
        assert_ne!(stored, passwords.hash(&secret("correct horse")).await.unwrap(), "each has a salt of its own");
    }

    #[tokio::test]
    async fn no_user_costs_as_much_as_a_wrong_password() {
        let passwords = passwords(CHEAP);
        let stored = passwords.hash(&secret("correct horse")).await.unwrap();
        let before = passwords.count();
        assert_eq!(passwords.verify(&secret("guess"), Some(&stored)).await, Ok(Verdict::Wrong));
        let with_user = passwords.count() - before;
        assert_eq!(passwords.verify(&secret("guess"), None).await, Ok(Verdict::Wrong));
        assert_eq!(passwords.count() - before - with_user, with_user);
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_right_and_old() {
        let stored = passwords(CHEAP).hash(&secret("correct horse")).await.unwrap();
        let dearer = passwords(HashingCost { memory_kib: 16, ..CHEAP });
        assert_eq!(dearer.verify(&secret("correct horse"), Some(&stored)).await, Ok(Verdict::RightButOld));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_for_a_turn_is_sent_away() {
        let passwords = passwords(CHEAP);
        let _held = passwords.turns.clone().acquire_owned().await.unwrap();
        assert_eq!(passwords.hash(&secret("correct horse")).await, Err(HashingError::Busy));
    }
}
