//! `Idempotency-Key`: the same request, sent again, gets the same ids, on whatever replica. Who comes first writes a claim into the
//! input bucket; S3 lets only one claim be written. Knows nothing of HTTP or of what becomes of an image.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::aws::{AwsError, Store};
use crate::digest::Digest;

/// Longest key, in bytes.
const LONGEST: usize = 255;
/// How often a claim is tried to be written or read when S3 says that another is just being written.
const TRIES: usize = 4;

/// What a client calls its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

/// What was claimed for one image of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// Its id, now and ever.
    pub(crate) id: Uuid,
    /// Whether the request came for the first time.
    pub(crate) first: bool,
}

/// Why nothing was claimed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// The key was used before, for another image.
    #[error("the key was used for {name:?} with other bytes or another name")]
    Reused {
        /// Name of the image that it was used for.
        name: String,
    },
    /// S3 could not be asked.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// The object that a claim is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    id: Uuid,
    name: String,
    sha256: String,
}

impl Key {
    /// A key as a header has it. Quotation marks around it, as the IETF's draft has them, are no part of it.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub(crate) fn parse(value: &[u8]) -> Result<Self, &'static str> {
        let bare = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
        if bare.is_empty() {
            return Err("it is empty");
        }
        if bare.len() > LONGEST {
            return Err("it is longer than 255 bytes");
        }
        if !bare.iter().all(u8::is_ascii_graphic) {
            return Err("it has other characters than visible ASCII ones");
        }
        Ok(Self(bare.iter().copied().map(char::from).collect()))
    }

    /// Where the claim to the image at `place` of the request lies in the input bucket.
    fn object(&self, place: usize) -> String {
        format!("idempotency/{}/{place}.json", Digest::of(self.0.as_bytes()))
    }
}

/// The id of the image at `place` of the request: a new one for the first that asks, and its for all that ask later.
///
/// # Errors
/// [`ClaimError::Reused`] when the image is another one than at the first time.
pub(crate) async fn claim(store: &Store, key: &Key, place: usize, name: &str, digest: Digest) -> Result<Claimed, ClaimError> {
    let ours = Claim { id: Uuid::now_v7(), name: name.to_owned(), sha256: digest.to_string() };
    let object = key.object(place);
    let body = serde_json::to_string(&ours).map_err(|source| AwsError::NotAClaim { key: object.clone(), source })?;
    for _ in 0..TRIES {
        if store.put_new(&object, body.clone()).await? {
            return Ok(Claimed { id: ours.id, first: true });
        }
        // None when it was written at the same moment and is not to be seen yet, or was deleted since.
        if let Some(claim) = store.text(&object).await? {
            let theirs = serde_json::from_slice(&claim).map_err(|source| AwsError::NotAClaim { key: object.clone(), source })?;
            return follow(&ours, theirs);
        }
    }
    Err(AwsError::Contended { key: object }.into())
}

fn follow(ours: &Claim, theirs: Claim) -> Result<Claimed, ClaimError> {
    if ours.name != theirs.name || ours.sha256 != theirs.sha256 {
        return Err(ClaimError::Reused { name: theirs.name });
    }
    // The SDK may have written ours and asked again because the answer was lost.
    Ok(Claimed { id: theirs.id, first: theirs.id == ours.id })
}

impl From<ClaimError> for crate::refusal::Refusal {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Reused { name } => Self::KeyReused { name },
            ClaimError::Aws(error) => Self::Unavailable { source: Arc::new(error) },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_are_visible_ascii_of_at_most_255_bytes() {
        let longest = "x".repeat(255);
        for good in ["7", "8e03978e-40d5-43dd-bc93-6894a57f9324", "!~", longest.as_str()] {
            assert_eq!(Key::parse(good.as_bytes()), Ok(Key(good.to_owned())));
            assert_eq!(Key::parse(format!("\"{good}\"").as_bytes()), Ok(Key(good.to_owned())), "as the draft has it");
        }
        let too_long = "x".repeat(256);
        for bad in ["", "\"\"", "a b", "a\tb", "caf\u{e9}", too_long.as_str()] {
            assert!(Key::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn each_place_of_a_request_has_a_claim_of_its_own() {
        let key = Key::parse(b"abc").unwrap();
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(key.object(0), format!("idempotency/{sha256}/0.json"));
        assert_eq!(key.object(12), format!("idempotency/{sha256}/12.json"));
    }

    #[test]
    fn who_comes_later_follows_with_the_same_image_only() {
        let claim = |name: &str, sha256: &str| Claim { id: Uuid::now_v7(), name: name.to_owned(), sha256: sha256.to_owned() };
        let (ours, theirs) = (claim("a.jpg", "1"), claim("a.jpg", "1"));
        let id = theirs.id;
        assert_eq!(follow(&ours, theirs).unwrap(), Claimed { id, first: false });
        assert!(matches!(follow(&ours, claim("a.jpg", "2")), Err(ClaimError::Reused { .. })));
        assert!(matches!(follow(&ours, claim("b.jpg", "1")), Err(ClaimError::Reused { name }) if name == "b.jpg"));
        let own = Claim { id: ours.id, ..claim("a.jpg", "1") };
        assert!(follow(&ours, own).unwrap().first, "our own, whose answer was lost");
    }
}
