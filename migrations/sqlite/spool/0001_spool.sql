-- Deliveries that are durable here and not yet known to be with the brokers, in order.
-- Times are microseconds since 1970 in UTC. Hashes are BLAKE3.
create table spool (
    position integer primary key,
    source text not null,
    delivery_id text not null,
    received_at integer not null,
    headers text not null,
    content_type text,
    verification text not null,
    body_bytes integer not null,
    body_hash blob not null check (length(body_hash) = 32),
    -- One zstd frame.
    body blob not null
) strict;
