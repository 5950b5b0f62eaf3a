-- Who hears which events, what is still to be delivered, and what became of it.
-- Times are microseconds since 1970 in UTC. Columns with JSON are read by the program only.

create table subscriptions (
    id bigint generated always as identity primary key,
    name text not null unique,
    -- sse, websocket, pull or webhook.
    transport text not null,
    spec text not null,
    state text not null,
    because text,
    created_at bigint not null,
    -- Every event up to here is delivered, or stands in work or dead_letters; null where the client keeps it.
    position bigint,
    -- JSON, newest first.
    secrets text not null,
    -- Nothing is attempted before; null while the endpoint answers.
    open_until bigint,
    open_millis bigint not null,
    -- Raised by everything that whoever delivers must hear of.
    version bigint not null,
    -- The last number that was given to a token or a replay.
    serial bigint not null
);

-- What is to be delivered: offsets, never payloads.
create table work (
    id bigint generated always as identity primary key,
    subscription bigint not null references subscriptions (id) on delete cascade,
    event_offset bigint not null,
    event bytea not null check (length(event) = 16),
    key_hash bigint not null,
    partition_number bigint not null,
    -- 1 if another of its key comes first.
    blocked bigint not null,
    attempts bigint not null,
    -- When it is attempted or handed out next; for what is handed out, when its lease ends.
    due_at bigint not null,
    -- 0, or which replay asked for it.
    replay bigint not null,
    -- Under which token it was handed out last.
    token bigint
);
-- With the attempts, so that what was not tried yet is counted without its rows.
create index work_due on work (subscription, blocked, due_at, attempts);
create index work_by_key on work (subscription, key_hash, id);
create index work_by_token on work (subscription, token) where token is not null;

create table attempts (
    -- Never given twice: it stands in addresses.
    id bigint generated always as identity primary key,
    subscription bigint not null references subscriptions (id) on delete cascade,
    event_offset bigint not null,
    event bytea not null,
    webhook_id text not null,
    number bigint not null,
    replay bigint not null,
    verdict text not null,
    next_at bigint,
    -- JSON: request headers, answer, timings.
    seen text not null
);
create index attempts_by_subscription on attempts (subscription, id);

create table dead_letters (
    id bigint generated always as identity primary key,
    subscription bigint not null references subscriptions (id) on delete cascade,
    event_offset bigint not null,
    event bytea not null,
    key_hash bigint not null,
    partition_number bigint not null,
    attempts bigint not null,
    at bigint not null,
    because text not null,
    replay bigint not null
);
create index dead_letters_by_subscription on dead_letters (subscription, id);

create table consumers (
    subscription bigint not null references subscriptions (id) on delete cascade,
    consumer text not null,
    lives_until bigint not null,
    primary key (subscription, consumer)
);

create table partitions (
    subscription bigint not null references subscriptions (id) on delete cascade,
    partition_number bigint not null,
    consumer text not null,
    primary key (subscription, partition_number)
);
