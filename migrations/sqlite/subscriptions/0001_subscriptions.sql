-- Who hears which events, what is still to be delivered, and what became of it.
-- Times are microseconds since 1970 in UTC. Columns with JSON are read by the program only.

create table subscriptions (
    id integer primary key autoincrement,
    name text not null unique,
    -- sse, websocket, pull or webhook.
    transport text not null,
    spec text not null,
    state text not null,
    because text,
    created_at integer not null,
    -- Every event up to here is delivered, or stands in work or dead_letters; null where the client keeps it.
    position integer,
    -- JSON, newest first.
    secrets text not null,
    -- Nothing is attempted before; null while the endpoint answers.
    open_until integer,
    open_millis integer not null,
    -- Raised by everything that whoever delivers must hear of.
    version integer not null,
    -- The last number that was given to a token or a replay.
    serial integer not null
) strict;

-- What is to be delivered: offsets, never payloads.
create table work (
    id integer primary key autoincrement,
    subscription integer not null references subscriptions (id) on delete cascade,
    event_offset integer not null,
    event blob not null check (length(event) = 16),
    key_hash integer not null,
    partition_number integer not null,
    -- 1 if another of its key comes first.
    blocked integer not null,
    attempts integer not null,
    -- When it is attempted or handed out next; for what is handed out, when its lease ends.
    due_at integer not null,
    -- 0, or which replay asked for it.
    replay integer not null,
    -- Under which token it was handed out last.
    token integer
) strict;
-- With the attempts, so that what was not tried yet is counted without its rows.
create index work_due on work (subscription, blocked, due_at, attempts);
create index work_by_key on work (subscription, key_hash, id);
create index work_by_token on work (subscription, token) where token is not null;

create table attempts (
    -- Never given twice: it stands in addresses.
    id integer primary key autoincrement,
    subscription integer not null references subscriptions (id) on delete cascade,
    event_offset integer not null,
    event blob not null,
    webhook_id text not null,
    number integer not null,
    replay integer not null,
    verdict text not null,
    next_at integer,
    -- JSON: request headers, answer, timings.
    seen text not null
) strict;
create index attempts_by_subscription on attempts (subscription, id);

create table dead_letters (
    id integer primary key autoincrement,
    subscription integer not null references subscriptions (id) on delete cascade,
    event_offset integer not null,
    event blob not null,
    key_hash integer not null,
    partition_number integer not null,
    attempts integer not null,
    at integer not null,
    because text not null,
    replay integer not null
) strict;
create index dead_letters_by_subscription on dead_letters (subscription, id);

create table consumers (
    subscription integer not null references subscriptions (id) on delete cascade,
    consumer text not null,
    lives_until integer not null,
    primary key (subscription, consumer)
) strict, without rowid;

create table partitions (
    subscription integer not null references subscriptions (id) on delete cascade,
    partition_number integer not null,
    consumer text not null,
    primary key (subscription, partition_number)
) strict, without rowid;
