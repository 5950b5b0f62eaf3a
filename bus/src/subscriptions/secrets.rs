//! The secrets that webhooks are signed with: made here, kept in the tables, two at a time.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};

use super::{LiveSecret, Signatures, SigningKey, SubscriptionError};

/// A secret signs so long beside the one that replaced it, so that the receiver has the time to learn the new one.
const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// Secrets that sign at the same time: the newest and the one before.
const LIVE_MAX: usize = 2;

/// The secrets of a subscription, newest first.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Secrets(Vec<Made>);

/// What was made at one time.
#[derive(Clone, Serialize, Deserialize)]
struct Made {
    at: DateTime<Utc>,
    /// None for the newest.
    until: Option<DateTime<Utc>>,
    /// Base64.
    v1: Option<String>,
    /// Base64 of the seed.
    v1a: Option<String>,
}

impl Secrets {
    /// Makes the first secret.
    pub(super) fn fresh(signatures: Signatures, now: DateTime<Utc>) -> Result<Self, SubscriptionError> {
        Ok(Self(vec![Made::fresh(signatures, now)?]))
    }

    /// Makes a new secret; the one before signs for a while still. Gives the new one's text.
    pub(super) fn rotate(&mut self, signatures: Signatures, now: DateTime<Utc>) -> Result<String, SubscriptionError> {
        let made = Made::fresh(signatures, now)?;
        let text = made.live()?.into_iter().next().map(|secret| secret.text).unwrap_or_default();
        for earlier in &mut self.0 {
            earlier.until = Some(earlier.until.unwrap_or(now + OVERLAP));
        }
        self.0.insert(0, made);
        self.0.retain(|made| made.is_live(now));
        self.0.truncate(LIVE_MAX);
        Ok(text)
    }

    /// The secrets that sign now, newest first.
    pub(super) fn live(&self, now: DateTime<Utc>) -> Result<Vec<LiveSecret>, SubscriptionError> {
        let live: Result<Vec<_>, _> = self.0.iter().filter(|made| made.is_live(now)).map(Made::live).collect();
        Ok(live?.concat())
    }

    /// The newest public key, `whpk_…`, if there is one.
    pub(super) fn public_key(&self) -> Result<Option<String>, SubscriptionError> {
        let Some(text) = self.0.first().and_then(|made| made.v1a.as_ref()) else { return Ok(None) };
        Ok(Some(format!("whpk_{}", BASE64_STANDARD.encode(public_key(&seed(text)?)?))))
    }
}

// Secrets are not for logs.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Made {
    fn fresh(signatures: Signatures, now: DateTime<Utc>) -> Result<Self, SubscriptionError> {
        let (v1, v1a) = match signatures {
            Signatures::V1 => (true, false),
            Signatures::V1a => (false, true),
            Signatures::Both => (true, true),
        };
        Ok(Self { at: now, until: None, v1: v1.then(random).transpose()?, v1a: v1a.then(random).transpose()? })
    }

    fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn live(&self) -> Result<Vec<LiveSecret>, SubscriptionError> {
        let secret = |key, text| LiveSecret { key, text, made_at: self.at, until: self.until };
        let mut live = Vec::new();
        if let Some(text) = &self.v1 {
            live.push(secret(SigningKey::Symmetric(bytes(text)?), format!("whsec_{text}")));
        }
        if let Some(text) = &self.v1a {
            let seed = seed(text)?;
            // As senders exchange it: the public key stands after the seed.
            let both = [seed, public_key(&seed)?].concat();
            live.push(secret(SigningKey::Asymmetric(seed), format!("whsk_{}", BASE64_STANDARD.encode(both))));
        }
        Ok(live)
    }
}

/// 32 bytes that nobody can guess, as base64.
fn random() -> Result<String, SubscriptionError> {
    let mut bytes = [0; 32];
    let failed = |_| SubscriptionError::Store("the system gives no random bytes".to_owned());
    SystemRandom::new().fill(&mut bytes).map_err(failed)?;
    Ok(BASE64_STANDARD.encode(bytes))
}

fn bytes(text: &str) -> Result<Vec<u8>, SubscriptionError> {
    BASE64_STANDARD.decode(text).map_err(|_| damaged())
}

fn seed(text: &str) -> Result<[u8; 32], SubscriptionError> {
    bytes(text)?.try_into().map_err(|_| damaged())
}

fn public_key(seed: &[u8; 32]) -> Result<[u8; 32], SubscriptionError> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| damaged())?;
    pair.public_key().as_ref().try_into().map_err(|_| damaged())
}

fn damaged() -> SubscriptionError {
    SubscriptionError::Store("a secret is damaged: rotate it".to_owned())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 14, 0, 0, 0).unwrap() + TimeDelta::hours(hour)
    }

    fn texts(secrets: &Secrets, hour: i64) -> Vec<String> {
        secrets.live(at(hour)).unwrap().into_iter().map(|secret| secret.text).collect()
    }

    #[test]
    fn a_rotated_secret_signs_for_a_day_more_and_never_three_do() {
        let mut secrets = Secrets::fresh(Signatures::V1, at(0)).unwrap();
        let first = texts(&secrets, 0).remove(0);
        let second = secrets.rotate(Signatures::V1, at(1)).unwrap();
        assert!(first.starts_with("whsec_") && second.starts_with("whsec_"));
        assert_eq!(texts(&secrets, 24), [second.clone(), first]);
        assert_eq!(texts(&secrets, 25), [second]);
        let third = secrets.rotate(Signatures::V1, at(30)).unwrap();
        let fourth = secrets.rotate(Signatures::V1, at(31)).unwrap();
        assert_eq!(texts(&secrets, 31), [fourth, third]);
        let kept: Secrets = serde_json::from_str(&serde_json::to_string(&secrets).unwrap()).unwrap();
        assert_eq!(texts(&kept, 31), texts(&secrets, 31));
    }

    #[test]
    fn both_signatures_have_a_secret_each_and_the_public_key_is_told() {
        let secrets = Secrets::fresh(Signatures::Both, at(0)).unwrap();
        let live = secrets.live(at(0)).unwrap();
        assert!(matches!(&live[0].key, SigningKey::Symmetric(secret) if secret.len() == 32));
        assert!(matches!(&live[1].key, SigningKey::Asymmetric(_)));
        assert!(live[1].text.starts_with("whsk_"));
        assert!(secrets.public_key().unwrap().unwrap().starts_with("whpk_"));
        assert_eq!(Secrets::fresh(Signatures::V1, at(0)).unwrap().public_key().unwrap(), None);
        assert!(!format!("{secrets:?} {live:?}").contains(&live[0].text), "secrets are not for logs");
    }
}
