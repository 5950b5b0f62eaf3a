//! The hash chain over deliveries, worked out anew from its description.
//!
//! The hash of a record is BLAKE3 over the hash before it (32 zero bytes before the first) and then, in this order:
//! position, source, delivery id, received at in microseconds, headers as JSON, content type, verification, bytes of the
//! body, BLAKE3 of the body. Numbers are 8 bytes, little-endian; texts and hashes are preceded by their length as such a
//! number; what may be missing is preceded by one byte, 1 or 0, and is empty where it is missing.

use super::Row;

/// Where one stands in a chain.
pub(super) struct Chain {
    position: i64,
    hash: [u8; 32],
}

impl Chain {
    /// Before the first record.
    pub(super) const START: Self = Self { position: 0, hash: [0; 32] };

    /// Goes on to the next record, or says what is wrong with it.
    pub(super) fn follow(&mut self, row: &Row) -> Result<(), String> {
        let expected = self.position + 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.hash);
        let number = |hasher: &mut blake3::Hasher, number: i64| {
            hasher.update(&number.to_le_bytes());
        };
        let bytes = |hasher: &mut blake3::Hasher, bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        number(&mut hasher, row.position);
        bytes(&mut hasher, row.source.as_bytes());
        bytes(&mut hasher, row.delivery_id.as_bytes());
        number(&mut hasher, row.received_at);
        bytes(&mut hasher, row.headers.as_bytes());
        hasher.update(&[u8::from(row.content_type.is_some())]);
        bytes(&mut hasher, row.content_type.as_deref().unwrap_or_default().as_bytes());
        bytes(&mut hasher, row.verification.as_bytes());
        number(&mut hasher, row.body_bytes);
        bytes(&mut hasher, &row.body_hash);
        let hash: [u8; 32] = hasher.finalize().into();
        // Goes on from what stands there, so that one broken link is told once.
        *self = Self { position: row.position, hash: row.chain_hash.as_slice().try_into().unwrap_or(hash) };
        if row.position != expected {
            return Err(format!("delivery {expected} is missing: {} follows", row.position));
        }
        if hash.as_slice() != row.chain_hash {
            return Err(format!("the hash of delivery {expected} does not follow from the one before it"));
        }
        Ok(())
    }
}
