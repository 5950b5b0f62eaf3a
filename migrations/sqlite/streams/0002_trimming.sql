-- How far records were removed from the beginning of a stream, and the hash of the last of them, from which the chain
-- goes on. No row if none was removed.
create table trimmed (
    log text primary key,
    position integer not null,
    chain_hash blob not null check (length(chain_hash) = 32)
) strict, without rowid;

-- What identified deliveries that were removed: one of them that comes again is still a duplicate.
create table trimmed_deliveries (
    dedupe_key blob primary key check (length(dedupe_key) = 16),
    position integer not null,
    body_hash blob not null check (length(body_hash) = 32)
) strict, without rowid;
