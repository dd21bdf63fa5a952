//! Access tokens: whose session it is, signed, for a quarter of an hour. They hold no role and no right: those are looked up, so
//! that taking one away takes effect at once.

use kernel::{SessionId, UserId};
use serde::{Deserialize, Serialize};

use super::{jws, keys::KeySet};

/// How far the clocks of two servers may be apart.
const LEEWAY_S: i64 = 5;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who made it.
    pub iss: String,
    /// For whom.
    pub aud: String,
    /// The user.
    pub sub: UserId,
    /// The session.
    pub sid: SessionId,
    /// Seconds since the Unix epoch.
    pub iat: i64,
    pub exp: i64,
}

impl AccessClaims {
    pub fn has_run_out(&self, now_ms: i64) -> bool {
        self.exp <= now_ms.div_euclid(1000)
    }
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the access token is not one of ours")]
    Invalid,
    #[error("the access token has run out; renew it with the refresh token")]
    Expired,
    /// It may be signed with a key that another server has just made.
    #[error("the access token names a key that is not known here")]
    UnknownKey,
}

/// Makes and checks access tokens of one installation.
#[derive(Debug, Clone)]
pub struct AccessTokens {
    /// The origin under which users reach the server.
    pub issuer: String,
    pub lifetime_s: i64,
}

/// For whom tokens are: the API of this program.
const AUDIENCE: &str = "pressroom";

impl AccessTokens {
    /// A token for a session; nothing where the key cannot sign.
    pub fn issue(&self, keys: &KeySet, sub: UserId, sid: SessionId, now_ms: i64) -> Option<String> {
        let iat = now_ms.div_euclid(1000);
        let (iss, aud) = (self.issuer.clone(), AUDIENCE.to_owned());
        jws::sign(keys.current(), &AccessClaims { iss, aud, sub, sid, iat, exp: iat + self.lifetime_s })
    }

    /// What `token` says, where it is one of ours and has not run out.
    pub fn verify(&self, keys: &KeySet, token: &str, now_ms: i64) -> Result<AccessClaims, TokenError> {
        let key_id = jws::key_id(token).ok_or(TokenError::Invalid)?;
        if keys.find(&key_id).is_none() {
            return Err(TokenError::UnknownKey);
        }
        if keys.is_retired(&key_id, now_ms) {
            return Err(TokenError::Invalid);
        }
        let claims: AccessClaims = jws::verify(keys, token).ok_or(TokenError::Invalid)?;
        let now_s = now_ms.div_euclid(1000);
        if claims.iss != self.issuer || claims.aud != AUDIENCE || claims.iat > now_s + LEEWAY_S {
            return Err(TokenError::Invalid);
        }
        if claims.has_run_out(now_ms) { Err(TokenError::Expired) } else { Ok(claims) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use kernel::{SeededRng, Uuid};
    use platform::secrets::{Purpose, SecretKeys};
    use ring::hmac;
    use serde_json::json;

    use super::*;
    use crate::tokens::{NewSigningKey, SigningKey};

    const NOW_MS: i64 = 1_800_000_000_000;

    fn tokens() -> AccessTokens {
        AccessTokens { issuer: "https://press.example.org".to_owned(), lifetime_s: 900 }
    }

    fn hs256(letter: &str) -> SigningKey {
        let secrets = SecretKeys::new(letter.repeat(32).into(), Vec::new()).unwrap();
        SigningKey::hs256(&secrets.derive(Purpose::AccessTokens)[0])
    }

    fn ed_dsa(seed: u64) -> SigningKey {
        let made = NewSigningKey::make(&SeededRng::new(seed)).unwrap();
        SigningKey::ed_dsa(made.id, made.seed.bytes()).unwrap()
    }

    fn issue(keys: &KeySet) -> String {
        let id = Uuid::from_u128(7);
        tokens().issue(keys, UserId::from_uuid(id), SessionId::from_uuid(id), NOW_MS).unwrap()
    }

    fn encode(value: &serde_json::Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    #[test]
    fn both_algorithms_sign_what_they_verify() {
        for key in [hs256("a"), ed_dsa(1)] {
            let keys = KeySet::new(key, Vec::new());
            let claims = tokens().verify(&keys, &issue(&keys), NOW_MS).unwrap();
            assert_eq!((claims.iat, claims.exp), (1_800_000_000, 1_800_000_900));
        }
    }

    #[test]
    fn a_token_runs_out() {
        let keys = KeySet::new(hs256("a"), Vec::new());
        let token = issue(&keys);
        assert!(tokens().verify(&keys, &token, NOW_MS + 899_000).is_ok());
        assert_eq!(tokens().verify(&keys, &token, NOW_MS + 900_000), Err(TokenError::Expired));
        assert_eq!(tokens().verify(&keys, &token, NOW_MS - 60_000), Err(TokenError::Invalid), "from the future");
    }

    #[test]
    fn no_token_chooses_its_own_algorithm() {
        let signer = ed_dsa(1);
        let keys = KeySet::new(ed_dsa(1), vec![hs256("a")]);
        let claims = issue(&keys).split('.').nth(1).unwrap().to_owned();
        let public = keys.public(NOW_MS)["keys"][0]["x"].as_str().unwrap().to_owned();
        let header = |alg: &str| encode(&json!({ "alg": alg, "kid": signer.id(), "typ": "at+jwt" }));
        // No signature at all.
        for alg in ["none", "None", "", "EdDSA"] {
            let token = format!("{}.{claims}.", header(alg));
            assert_eq!(tokens().verify(&keys, &token, NOW_MS), Err(TokenError::Invalid), "{alg}");
        }
        // The public key, which everybody knows, as the secret of HMAC.
        for secret in [public.clone().into_bytes(), URL_SAFE_NO_PAD.decode(&public).unwrap()] {
            let signed = format!("{}.{claims}", header("HS256"));
            let code = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(code));
            assert_eq!(tokens().verify(&keys, &token, NOW_MS), Err(TokenError::Invalid));
        }
        // A key of the set under another's name.
        let other = KeySet::new(hs256("a"), Vec::new());
        let token = issue(&other);
        let renamed = format!("{}.{}", header("HS256"), token.split_once('.').unwrap().1);
        assert_eq!(tokens().verify(&keys, &renamed, NOW_MS), Err(TokenError::Invalid));
    }

    #[test]
    fn a_changed_character_is_no_longer_believed() {
        for key in [hs256("a"), ed_dsa(1)] {
            let keys = KeySet::new(key, Vec::new());
            let token = issue(&keys);
            for index in (0..token.len()).step_by(7) {
                let mut bytes = token.clone().into_bytes();
                bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(bytes).unwrap();
                assert!(tokens().verify(&keys, &changed, NOW_MS).is_err(), "character {index}");
            }
        }
    }

    #[test]
    fn foreign_tokens_are_not_believed() {
        let keys = KeySet::new(hs256("a"), Vec::new());
        let foreign = issue(&KeySet::new(hs256("b"), Vec::new()));
        assert_eq!(tokens().verify(&keys, &foreign, NOW_MS), Err(TokenError::UnknownKey));
        let elsewhere = AccessTokens { issuer: "https://other.example".to_owned(), ..tokens() };
        assert_eq!(elsewhere.verify(&keys, &issue(&keys), NOW_MS), Err(TokenError::Invalid));
        for odd in ["", ".", "..", "a.b", "a.b.c", "....", &"a".repeat(5000)] {
            assert_eq!(tokens().verify(&keys, odd, NOW_MS), Err(TokenError::Invalid), "{odd}");
        }
    }

    #[test]
    fn an_earlier_key_is_believed_until_it_retires_and_then_no_longer_published() {
        let token = issue(&KeySet::new(ed_dsa(1), Vec::new()));
        let keys = KeySet::new(ed_dsa(2), vec![ed_dsa(1).retired_at(Some(NOW_MS + 10_000))]);
        assert!(tokens().verify(&keys, &token, NOW_MS + 9_999).is_ok());
        assert_eq!(tokens().verify(&keys, &token, NOW_MS + 10_000), Err(TokenError::Invalid));
        let published = |now_ms| keys.public(now_ms)["keys"].as_array().unwrap().len();
        assert_eq!((published(NOW_MS), published(NOW_MS + 10_000)), (2, 1));
    }

    #[test]
    fn a_secret_key_is_never_published_nor_shown() {
        let keys = KeySet::new(hs256("a"), Vec::new());
        assert_eq!(keys.public(NOW_MS), json!({ "keys": [] }));
        let shown = format!("{:?} {:?}", Arc::new(keys), NewSigningKey::make(&SeededRng::new(1)));
        assert!(shown.contains("SeedBytes(..)") && !shown.contains("hmac"), "{shown}");
    }
}
