//! Fields that are kept so that the database alone does not show them: AES-256-GCM under a key that its own name tells.

use std::sync::Arc;

use kernel::Rng;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{Purpose, SecretKeys, key::DerivedKey};

/// Bytes of a key's name in front of what it sealed.
const ID_BYTES: usize = 8;

/// What was sealed cannot be opened: it was changed, belongs elsewhere, or its secret is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed field cannot be opened; was it changed, or is its secret key no longer among the previous ones?")]
pub struct SealError;

/// Seals and opens fields. The key in use seals; earlier ones still open what they sealed.
#[derive(Debug, Clone)]
pub struct Sealer {
    keys: Vec<DerivedKey>,
    rng: Arc<dyn Rng>,
}

impl Sealer {
    /// A sealer with the keys that `secrets` have for fields.
    pub fn new(secrets: &SecretKeys, rng: Arc<dyn Rng>) -> Self {
        Self { keys: secrets.derive(Purpose::Fields), rng }
    }

    /// A sealer for what was looked up: it seals so much that it has keys of its own.
    pub fn of_lookups(secrets: &SecretKeys, rng: Arc<dyn Rng>) -> Self {
        Self { keys: secrets.derive(Purpose::Lookups), rng }
    }

    /// `plain` sealed for `place` (a table, a column and a row), where alone it can be opened again.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.keys.first().ok_or(SealError)?;
        let mut nonce = [0; NONCE_LEN];
        self.rng.fill(&mut nonce);
        let mut sealed = plain.to_vec();
        cipher(key)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.as_bytes()), &mut sealed)
            .map_err(|_| SealError)?;
        Ok([key.id.as_bytes(), &nonce, &sealed].concat())
    }

    /// What was sealed for `place`.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (id, rest) = sealed.split_at_checked(ID_BYTES).ok_or(SealError)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        let key = self.keys.iter().find(|key| key.id.as_bytes() == id).ok_or(SealError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut bytes = sealed.to_vec();
        let plain =
            cipher(key)?.open_in_place(nonce, Aad::from(place.as_bytes()), &mut bytes).map_err(|_| SealError)?;
        Ok(plain.to_vec())
    }
}

fn cipher(key: &DerivedKey) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, key.bytes()).map(LessSafeKey::new).map_err(|_| SealError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededRng;
    use secrecy::SecretString;

    fn sealer(current: &str, previous: &[&str]) -> Sealer {
        let secret = |letter: &str| SecretString::from(letter.repeat(32));
        let secrets = SecretKeys::new(secret(current), previous.iter().map(|letter| secret(letter)).collect()).unwrap();
        Sealer::new(&secrets, Arc::new(SeededRng::new(1)))
    }

    #[test]
    fn what_was_sealed_is_opened_in_its_place_and_nowhere_else() {
        let sealer = sealer("a", &[]);
        let sealed = sealer.seal("users.phone.1", b"+1 555").unwrap();
        assert!(!sealed.windows(4).any(|window| window == b"+1 5"));
        assert_eq!(sealer.open("users.phone.1", &sealed).unwrap(), b"+1 555");
        assert_eq!(sealer.open("users.phone.2", &sealed), Err(SealError));
        assert_ne!(sealed, sealer.seal("users.phone.1", b"+1 555").unwrap());
    }

    #[test]
    fn a_changed_byte_opens_nothing() {
        let sealer = sealer("a", &[]);
        let sealed = sealer.seal("here", b"text").unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(sealer.open("here", &changed), Err(SealError), "byte {index}");
            assert_eq!(sealer.open("here", &sealed[..index]), Err(SealError), "{index} bytes");
        }
    }

    #[test]
    fn after_a_change_of_secrets_the_old_is_opened_until_it_is_dropped() {
        let sealed = sealer("a", &[]).seal("here", b"text").unwrap();
        assert_eq!(sealer("b", &["a"]).open("here", &sealed).unwrap(), b"text");
        assert_eq!(sealer("b", &[]).open("here", &sealed), Err(SealError));
    }
}
