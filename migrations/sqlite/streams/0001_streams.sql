-- The two append-only streams and what is kept beside them.
-- Times are microseconds since 1970 in UTC. Hashes are BLAKE3.
-- Rows of deliveries, delivery_bodies and events are written once; nothing but retention and erasure may touch them.

-- Running figures per source, so that nobody counts millions of rows. Its id stands for the name in the streams.
create table sources (
    id integer primary key,
    name text not null unique,
    deliveries integer not null,
    body_bytes integer not null,
    first_at integer not null,
    last_at integer not null
) strict;

create table deliveries (
    position integer primary key,
    source_id integer not null,
    delivery_id text not null,
    -- First 16 bytes of the hash of source and delivery id: half the size of the texts in the one index that is
    -- written at random.
    dedupe_key blob not null check (length(dedupe_key) = 16),
    received_at integer not null,
    headers text not null,
    content_type text,
    verification text not null,
    body_bytes integer not null,
    body_hash blob not null check (length(body_hash) = 32),
    chain_hash blob not null check (length(chain_hash) = 32)
) strict;
create unique index deliveries_by_dedupe_key on deliveries (dedupe_key);
-- Covers the gaps between arrivals.
create index deliveries_by_source on deliveries (source_id, position, received_at);

-- Apart from the deliveries, so that reading their small columns never pages through bodies.
create table delivery_bodies (
    position integer primary key,
    -- One zstd frame.
    body blob not null
) strict;

create table events (
    position integer primary key,
    id blob not null check (length(id) = 16),
    revision integer not null,
    kind text not null,
    source text not null,
    subject text not null,
    order_key text not null,
    happened_at integer not null,
    recorded_at integer not null,
    source_id integer not null,
    delivery integer not null,
    ordinal integer not null,
    repository text,
    service text,
    environment text,
    outcome text,
    -- Absent where the body of the delivery is the data.
    data text,
    chain_hash blob not null check (length(chain_hash) = 32)
) strict;
create unique index events_by_id on events (id, revision);
create index events_by_delivery on events (delivery, ordinal);
create index events_by_time on events (happened_at, outcome);
-- Every search walks one of these, or the table, from the newest position down. Outcomes have none: a failure is never
-- far away, and an index costs every event.
create index events_by_kind on events (kind, position);
create index events_by_source on events (source_id, position);
create index events_by_repository on events (repository, position) where repository is not null;
create index events_by_service on events (service, position) where service is not null;
create index events_by_environment on events (environment, position) where environment is not null;

-- Events that a later revision replaces: few, so that looking here is cheaper than marking rows of the stream.
create table superseded_events (
    position integer primary key
) strict;

-- Every kind that ever stood in the stream, so that a prefix of kinds becomes a few exact ones.
create table kinds (
    name text primary key
) strict, without rowid;

-- Deliveries that could not be interpreted.
create table quarantine (
    delivery integer primary key,
    source_id integer not null,
    error text not null,
    attempts integer not null,
    since integer not null
) strict;
create index quarantine_by_source on quarantine (source_id);

create table checkpoints (
    reader text primary key,
    position integer not null
) strict, without rowid;

create table settings (
    name text primary key,
    value text not null
) strict, without rowid;
