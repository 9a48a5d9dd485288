//! Owns the form of EC2 ids: making them and telling well-formed ones. Knows nothing of what they name.

use rand::{Rng, RngExt};

use crate::refusal::{IdKind, Refusal};

/// A new id as EC2 makes them: the prefix and 17 hexadecimal digits.
pub(crate) fn fresh(prefix: &str, rng: &mut impl Rng) -> String {
    let number: u128 = rng.random();
    format!("{prefix}{:017x}", number & 0x000f_ffff_ffff_ffff_ffff)
}

/// A new id of a spot request, which has a form of its own: `sir-` and 8 lower-case letters and digits.
pub(crate) fn fresh_spot_request(rng: &mut impl Rng) -> String {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let digits = (0..8).map(|_| char::from(DIGITS[rng.random_range(0..DIGITS.len())]));
    std::iter::once("sir-".to_owned()).chain(digits.map(String::from)).collect()
}

/// Whether `id` is the kind's prefix and 8 or 17 hexadecimal digits.
pub(crate) fn is_well_formed(kind: IdKind, id: &str) -> bool {
    let Some(digits) = id.strip_prefix(kind.prefix()) else {
        return false;
    };
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Refuses the first id that is not well-formed.
///
/// # Errors
/// `….Malformed` of the id's kind.
pub(crate) fn check_form<'a>(kind: IdKind, ids: impl IntoIterator<Item = &'a String>) -> Result<(), Refusal> {
    match ids.into_iter().find(|id| !is_well_formed(kind, id)) {
        Some(id) => Err(Refusal::Malformed(kind, id.clone())),
        None => Ok(()),
    }
}
