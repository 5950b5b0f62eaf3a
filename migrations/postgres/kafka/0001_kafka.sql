-- What Kafka has of the log, and what does not fit into its messages. Hashes are BLAKE3.

-- How far each partition of the topic of deliveries was taken into the log: written in the transaction that appends.
create table positions (
    topic text not null,
    "partition" integer not null,
    -- The offset that is read next.
    next bigint not null check (next >= 0),
    primary key (topic, "partition")
);

-- Bodies that are larger than a message. They are kept for as long as messages may refer to them.
create table bodies (
    hash bytea primary key check (octet_length(hash) = 32),
    body_bytes bigint not null,
    -- One zstd frame.
    body bytea not null,
    referenced_at timestamptz not null
);
-- It is compressed already.
alter table bodies alter column body set storage external;
create index bodies_by_age on bodies (referenced_at);
