-- The two append-only streams and what is kept beside them.
-- Times are microseconds since 1970 in UTC. Hashes are BLAKE3.
-- Rows of deliveries, delivery_bodies and events are written once; nothing but retention and erasure may touch them.
-- Texts are compared by code point. The character U+0000, which the server cannot store, is written as U+0001 U+FDD0,
-- and U+0001 as U+0001 U+FDD1: neither order nor prefixes change.

-- The sequencer: a transaction that appends to a log holds its row, so that positions are dense and in order of
-- commit, whichever process appends.
create table log_heads (
    log text collate "C" primary key,
    position bigint not null,
    chain_hash bytea not null check (length(chain_hash) = 32)
);
insert into log_heads (log, position, chain_hash) values
    ('deliveries', 0, decode(repeat('00', 32), 'hex')),
    ('events', 0, decode(repeat('00', 32), 'hex'));

-- Who holds a lease: raised each time it changes hands.
create table epochs (
    name text collate "C" primary key,
    epoch bigint not null
);

-- Running figures per source, so that nobody counts millions of rows. Its id stands for the name in the streams.
create table sources (
    id bigint generated always as identity primary key,
    name text collate "C" not null unique,
    deliveries bigint not null,
    body_bytes bigint not null,
    first_at bigint not null,
    last_at bigint not null
);

create table deliveries (
    position bigint primary key,
    source_id bigint not null,
    delivery_id text collate "C" not null,
    -- First 16 bytes of the hash of source and delivery id: half the size of the texts in the one index that is
    -- written at random.
    dedupe_key bytea not null check (length(dedupe_key) = 16),
    received_at bigint not null,
    headers text collate "C" not null,
    content_type text collate "C",
    verification text collate "C" not null,
    body_bytes bigint not null,
    body_hash bytea not null check (length(body_hash) = 32),
    chain_hash bytea not null check (length(chain_hash) = 32)
);
create unique index deliveries_by_dedupe_key on deliveries (dedupe_key);
-- Covers the gaps between arrivals.
create index deliveries_by_source on deliveries (source_id, position, received_at);

-- Apart from the deliveries, so that reading their small columns never pages through bodies.
create table delivery_bodies (
    position bigint primary key,
    -- One zstd frame.
    body bytea not null
);
-- It is compressed already.
alter table delivery_bodies alter column body set storage external;

create table events (
    position bigint primary key,
    id bytea not null check (length(id) = 16),
    revision bigint not null,
    kind text collate "C" not null,
    source text collate "C" not null,
    subject text collate "C" not null,
    order_key text collate "C" not null,
    happened_at bigint not null,
    recorded_at bigint not null,
    source_id bigint not null,
    delivery bigint not null,
    ordinal bigint not null,
    repository text collate "C",
    service text collate "C",
    environment text collate "C",
    outcome text collate "C",
    -- Absent where the body of the delivery is the data. Not jsonb, which would not give back the same bytes.
    data text collate "C",
    chain_hash bytea not null check (length(chain_hash) = 32)
);
create unique index events_by_id on events (id, revision);
create index events_by_delivery on events (delivery, ordinal);
-- With the position, so that counting needs no row.
create index events_by_time on events (happened_at, outcome, position);
-- Every search walks one of these, or the table, from the newest position down. Outcomes have none: a failure is never
-- far away, and an index costs every event. Names are indexed by their hash: an entry holds at most 2,704 bytes, and
-- nobody knows how long a name a sender makes up.
create index events_by_kind on events (hashtextextended(kind, 0), position);
create index events_by_source on events (source_id, position);
create index events_by_repository on events (hashtextextended(repository, 0), position) where repository is not null;
create index events_by_service on events (hashtextextended(service, 0), position) where service is not null;
create index events_by_environment on events (hashtextextended(environment, 0), position)
    where environment is not null;

-- Events that a later revision replaces: few, so that looking here is cheaper than marking rows of the stream.
create table superseded_events (
    position bigint primary key
);

-- Every kind that ever stood in the stream, so that a prefix of kinds becomes a few exact ones. Whoever adds one holds
-- the head of the events.
create table kinds (
    name text collate "C" not null
);
create index kinds_by_name on kinds (hashtextextended(name, 0));

-- Deliveries that could not be interpreted.
create table quarantine (
    delivery bigint primary key,
    source_id bigint not null,
    error text collate "C" not null,
    attempts bigint not null,
    since bigint not null
);
create index quarantine_by_source on quarantine (source_id);

create table checkpoints (
    reader text collate "C" primary key,
    position bigint not null
);

create table settings (
    name text collate "C" primary key,
    value text collate "C" not null
);

-- How far records were removed from the beginning of a stream, and the hash of the last of them, from which the chain
-- goes on. No row if none was removed.
create table trimmed (
    log text collate "C" primary key,
    position bigint not null,
    chain_hash bytea not null check (length(chain_hash) = 32)
);

-- What identified deliveries that were removed: one of them that comes again is still a duplicate.
create table trimmed_deliveries (
    dedupe_key bytea primary key check (length(dedupe_key) = 16),
    position bigint not null,
    body_hash bytea not null check (length(body_hash) = 32)
);
