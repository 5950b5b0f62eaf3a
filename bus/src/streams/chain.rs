//! The hash chain over each stream: every record's hash covers the record and the hash before it, so that any later
//! change of any record shows, whatever engine keeps the stream.

/// A BLAKE3 hash.
pub(super) type Hash = [u8; 32];

/// The hash before the first record.
pub(super) const START: Hash = [0; 32];

/// Everything of a delivery that the chain covers; the body by its hash.
pub(super) struct DeliveryLink<'a> {
    pub(super) position: i64,
    pub(super) source: &'a str,
    pub(super) delivery_id: &'a str,
    pub(super) received_at: i64,
    pub(super) headers: &'a str,
    pub(super) content_type: Option<&'a str>,
    pub(super) verification: &'a str,
    pub(super) body_bytes: i64,
    pub(super) body_hash: &'a [u8],
}

/// Everything of an event that the chain covers.
pub(super) struct EventLink<'a> {
    pub(super) position: i64,
    pub(super) id: &'a [u8],
    pub(super) revision: i64,
    /// Kind, source, subject, order key, source of the delivery.
    pub(super) texts: [&'a str; 5],
    /// Happened at, recorded at, delivery, ordinal.
    pub(super) numbers: [i64; 4],
    /// Repository, service, environment, outcome, data.
    pub(super) optional: [Option<&'a str>; 5],
}

impl DeliveryLink<'_> {
    pub(super) fn hash(&self, previous: &Hash) -> Hash {
        let mut hasher = Hasher::after(previous);
        hasher.number(self.position);
        hasher.bytes(self.source.as_bytes());
        hasher.bytes(self.delivery_id.as_bytes());
        hasher.number(self.received_at);
        hasher.bytes(self.headers.as_bytes());
        hasher.optional(self.content_type);
        hasher.bytes(self.verification.as_bytes());
        hasher.number(self.body_bytes);
        hasher.bytes(self.body_hash);
        hasher.finish()
    }
}

impl EventLink<'_> {
    pub(super) fn hash(&self, previous: &Hash) -> Hash {
        let mut hasher = Hasher::after(previous);
        hasher.number(self.position);
        hasher.bytes(self.id);
        hasher.number(self.revision);
        self.texts.iter().for_each(|text| hasher.bytes(text.as_bytes()));
        self.numbers.iter().for_each(|number| hasher.number(*number));
        self.optional.iter().for_each(|text| hasher.optional(*text));
        hasher.finish()
    }
}

/// Writes fields so that no two different records give the same bytes: every text is preceded by its length.
struct Hasher(blake3::Hasher);

impl Hasher {
    fn after(previous: &Hash) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(previous);
        Self(hasher)
    }

    fn number(&mut self, number: i64) {
        self.0.update(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn optional(&mut self, text: Option<&str>) {
        self.0.update(&[u8::from(text.is_some())]);
        self.bytes(text.unwrap_or_default().as_bytes());
    }

    fn finish(&self) -> Hash {
        self.0.finalize().into()
    }
}

/// What identifies a delivery for ever: the first half of a hash over source and id.
pub(super) fn dedupe_key(source: &str, delivery_id: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(source.as_bytes());
    // A zero byte can stand in neither, so two different pairs never give the same bytes.
    hasher.update(&[0]);
    hasher.update(delivery_id.as_bytes());
    let mut key = [0; 16];
    hasher.finalize_xof().fill(&mut key);
    key
}
