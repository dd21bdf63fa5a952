//! The key of one object: drawn by chance, wrapped by a key of the installation, written into the object's row.

use std::{fmt, str::FromStr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::Rng;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

use crate::{
    secrets::{DerivedKey, Purpose, SecretKeys},
    storage::ObjectId,
};

/// What the version of the format begins with in a row.
const VERSION: &str = "v1";
/// Told apart from anything else that the same key might wrap.
const WHAT: &[u8] = b"pressroom object key v1";
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const ID_BYTES: usize = 8;
/// The longest text that is read as a seal.
const MAX_TEXT_BYTES: usize = 160;

/// The wrapped key of an object, as its row holds it. It opens nothing without the secret, and no other object with it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seal {
    /// The name of the key that wraps it.
    key_id: [u8; ID_BYTES],
    nonce: [u8; NONCE_LEN],
    wrapped: [u8; KEY_BYTES + TAG_BYTES],
}

/// Why something sealed cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    #[error("the secret `{0}` that sealed it is no longer among the previous ones; put it into SECRET_KEY_PREVIOUS")]
    UnknownKey(String),
    #[error("its bytes were changed, cut or belong to another object")]
    Forged,
    #[error("`{0}` is no seal")]
    Unreadable(String),
}

/// Draws and wraps keys of objects. The newest secret wraps; earlier ones still open what they wrapped.
#[derive(Debug, Clone)]
pub struct Seals {
    keys: Vec<DerivedKey>,
    rng: Arc<dyn Rng>,
}

/// The key of one object, opened. It is nowhere but in memory.
pub(in crate::storage) struct DataKey([u8; KEY_BYTES]);

impl DataKey {
    pub(super) fn cipher(&self) -> Result<LessSafeKey, SealFault> {
        cipher(&self.0)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").finish_non_exhaustive()
    }
}

impl Seals {
    pub fn new(secrets: &SecretKeys, rng: Arc<dyn Rng>) -> Self {
        Self { keys: secrets.derive(Purpose::Objects), rng }
    }

    /// A new key for `object`, and its seal.
    pub(in crate::storage) fn draw(&self, object: ObjectId) -> Result<(DataKey, Seal), SealFault> {
        let mut bytes = [0; KEY_BYTES];
        self.rng.fill(&mut bytes);
        let key = DataKey(bytes);
        let seal = self.wrap(object, &key)?;
        Ok((key, seal))
    }

    /// The key of `object` that `seal` holds.
    pub(in crate::storage) fn open(&self, object: ObjectId, seal: &Seal) -> Result<DataKey, SealFault> {
        let key = self.keys.iter().find(|key| key.id.as_bytes() == seal.key_id);
        let key = key.ok_or_else(|| SealFault::UnknownKey(seal.key_id()))?;
        let mut bytes = seal.wrapped;
        let nonce = Nonce::assume_unique_for_key(seal.nonce);
        let opened = cipher(key.bytes())?.open_in_place(nonce, Aad::from(place(object)), &mut bytes);
        let opened = opened.map_err(|_| SealFault::Forged)?;
        Ok(DataKey(<[u8; KEY_BYTES]>::try_from(&*opened).map_err(|_| SealFault::Forged)?))
    }

    /// Whether one of the secrets is the one that `seal` was made under.
    pub(in crate::storage) fn knows(&self, seal: &Seal) -> bool {
        self.keys.iter().any(|key| key.id.as_bytes() == seal.key_id)
    }

    /// The same key under the newest secret; nothing where it is that already.
    pub(in crate::storage) fn rewrap(&self, object: ObjectId, seal: &Seal) -> Result<Option<Seal>, SealFault> {
        if self.keys.first().is_some_and(|key| key.id.as_bytes() == seal.key_id) {
            return Ok(None);
        }
        self.wrap(object, &self.open(object, seal)?).map(Some)
    }

    fn wrap(&self, object: ObjectId, key: &DataKey) -> Result<Seal, SealFault> {
        // A set of secrets is never empty.
        let wrapping = self.keys.first().ok_or_else(|| SealFault::UnknownKey(String::new()))?;
        let mut nonce = [0; NONCE_LEN];
        self.rng.fill(&mut nonce);
        let mut wrapped = [0; KEY_BYTES + TAG_BYTES];
        wrapped[..KEY_BYTES].copy_from_slice(&key.0);
        let tag = cipher(wrapping.bytes())?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place(object)),
                &mut wrapped[..KEY_BYTES],
            )
            .map_err(|_| SealFault::Forged)?;
        wrapped[KEY_BYTES..].copy_from_slice(tag.as_ref());
        let key_id = <[u8; ID_BYTES]>::try_from(wrapping.id.as_bytes());
        let key_id = key_id.map_err(|_| SealFault::UnknownKey(wrapping.id.clone()))?;
        Ok(Seal { key_id, nonce, wrapped })
    }
}

/// Where alone a wrapped key can be opened.
fn place(object: ObjectId) -> Vec<u8> {
    [WHAT, object.as_uuid().as_bytes()].concat()
}

fn cipher(key: &[u8; KEY_BYTES]) -> Result<LessSafeKey, SealFault> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| SealFault::Forged)
}

impl Seal {
    /// The name of the key that wraps it.
    pub fn key_id(&self) -> String {
        String::from_utf8_lossy(&self.key_id).into_owned()
    }
}

impl fmt::Display for Seal {
    /// As a row holds it: the version, the name of the wrapping key, the wrapped key in Base64.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrapped = URL_SAFE_NO_PAD.encode([&self.nonce[..], &self.wrapped[..]].concat());
        write!(f, "{VERSION}.{}.{wrapped}", self.key_id())
    }
}

impl From<Seal> for String {
    fn from(seal: Seal) -> Self {
        seal.to_string()
    }
}

impl TryFrom<String> for Seal {
    type Error = SealFault;

    fn try_from(text: String) -> Result<Self, SealFault> {
        text.parse()
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

impl FromStr for Seal {
    type Err = SealFault;

    fn from_str(text: &str) -> Result<Self, SealFault> {
        let read = || {
            let mut parts = text.splitn(3, '.');
            let (version, key_id, wrapped) = (parts.next()?, parts.next()?, parts.next()?);
            let bytes = URL_SAFE_NO_PAD.decode(wrapped).ok()?;
            let (nonce, wrapped) = bytes.split_at_checked(NONCE_LEN)?;
            let key_id = key_id.as_bytes().try_into().ok()?;
            let seal = Self { key_id, nonce: nonce.try_into().ok()?, wrapped: wrapped.try_into().ok()? };
            (version == VERSION).then_some(seal)
        };
        let seal = if text.len() <= MAX_TEXT_BYTES { read() } else { None };
        seal.ok_or_else(|| SealFault::Unreadable(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use kernel::{SeededRng, Uuid};
    use secrecy::SecretString;

    use super::*;

    fn seals(current: &str, previous: &[&str]) -> Seals {
        let secret = |letter: &str| SecretString::from(letter.repeat(32));
        let secrets = SecretKeys::new(secret(current), previous.iter().map(|letter| secret(letter)).collect()).unwrap();
        Seals::new(&secrets, Arc::new(SeededRng::new(1)))
    }

    fn object(number: u128) -> ObjectId {
        ObjectId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn a_key_is_opened_for_its_object_and_for_no_other() {
        let seals = seals("a", &[]);
        let (key, seal) = seals.draw(object(1)).unwrap();
        assert_eq!(seals.open(object(1), &seal).unwrap().0, key.0);
        assert_eq!(seals.open(object(2), &seal).unwrap_err(), SealFault::Forged);
        assert_ne!(seals.draw(object(1)).unwrap().0.0, key.0);
    }

    #[test]
    fn a_seal_is_read_back_and_nothing_else_is_one() {
        let (_, seal) = seals("a", &[]).draw(object(1)).unwrap();
        let text = seal.to_string();
        assert_eq!(text.parse(), Ok(seal));
        for wrong in ["", "v1", "v1..", &text.replacen("v1", "v2", 1), &text[..text.len() - 1], &format!("{text}AAAA")]
        {
            assert!(matches!(wrong.parse::<Seal>(), Err(SealFault::Unreadable(_))), "{wrong}");
        }
        assert!(!format!("{seal:?}").contains(&text[12..]), "{seal:?}");
    }

    #[test]
    fn a_new_secret_takes_over_what_the_one_before_wrapped() {
        let (key, old) = seals("a", &[]).draw(object(1)).unwrap();
        assert_eq!(seals("b", &[]).open(object(1), &old).unwrap_err(), SealFault::UnknownKey(old.key_id()));
        let both = seals("b", &["a"]);
        let new = both.rewrap(object(1), &old).unwrap().unwrap();
        assert_eq!(both.rewrap(object(1), &new), Ok(None));
        assert_eq!(seals("b", &[]).open(object(1), &new).unwrap().0, key.0);
        assert_eq!(new.key_id(), both.draw(object(2)).unwrap().1.key_id());
    }
}
