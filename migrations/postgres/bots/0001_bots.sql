-- What bots decided, what is still to be done of it, and what they keep for themselves.
-- Texts are compared by code point; the character U+0000 is replaced in them. Names in indexes have 1,000 bytes at most.
-- Times are microseconds since 1970 in UTC. Columns with JSON are read by the program only.

create table bots (
    name text collate "C" primary key,
    -- Offset of the last event that is decided, or waits behind one that is tried again.
    checkpoint bigint not null,
    -- Offset of the newest delivery whose events came by: a corrected reading of an earlier one is no news.
    delivery bigint not null,
    failures_in_row bigint not null,
    last_failure_at bigint,
    last_failure text collate "C",
    paused_at bigint,
    paused_because text collate "C",
    -- Raised whenever somebody pauses, resumes or redrives it: the process that runs it looks again.
    by_hand bigint not null default 0
);

create table runs (
    -- Never given twice: it stands in addresses.
    id bigint generated always as identity primary key,
    bot text collate "C" not null,
    version bigint not null,
    mode text collate "C" not null,
    event bytea not null check (length(event) = 16),
    event_offset bigint not null,
    round bigint not null,
    order_key text collate "C" not null,
    kind text collate "C" not null,
    subject text collate "C" not null,
    status text collate "C" not null,
    because text collate "C" not null,
    tries bigint not null,
    -- Redriven by hand: its failures do not pause the bot.
    by_hand boolean not null,
    attempts text collate "C" not null,
    note text collate "C",
    recorded_at bigint not null,
    began_at bigint,
    millis bigint not null,
    due_at bigint
);
create unique index runs_by_event on runs (event, bot, round);
create index runs_by_bot on runs (bot, id);
create index runs_open on runs (bot, order_key, id) where status in ('waiting', 'retrying');
create index runs_due on runs (bot, due_at) where status in ('retrying', 'scheduled');
create index runs_dead on runs (bot, id) where status = 'dead';

-- What a run asked, with the answers: apart from the runs, so that lists never page through them.
create table lookups (
    run bigint primary key,
    asked text collate "C" not null
);

create table actions (
    id bigint generated always as identity primary key,
    run bigint not null,
    bot text collate "C" not null,
    event bytea not null check (length(event) = 16),
    round bigint not null,
    ordinal bigint not null,
    -- Place in the queue of its destination: that of the earlier action which it supersedes, or its own.
    position bigint not null,
    order_key text collate "C" not null,
    event_time bigint not null,
    -- Whether it adds something, instead of updating what is there.
    is_new boolean not null,
    name text collate "C" not null,
    action text collate "C" not null,
    repository text collate "C",
    service text collate "C",
    client text collate "C",
    destination text collate "C",
    channel text collate "C",
    -- What later actions update: a message or a comment.
    message text collate "C",
    -- The message in whose thread it is posted.
    thread text collate "C",
    status text collate "C" not null,
    reason text collate "C",
    tries bigint not null,
    attempts text collate "C" not null,
    receipt text collate "C",
    in_doubt boolean not null,
    toil_minutes bigint not null,
    recorded_at bigint not null,
    -- When it was put into the queue, first or again: it is not tried for ever.
    queued_at bigint not null,
    performed_at bigint,
    due_at bigint,
    -- Whether the bus was told.
    announced boolean not null
);
create unique index actions_by_mark on actions (event, bot, round, ordinal);
create index actions_by_run on actions (run, ordinal);
create index actions_open on actions (client, destination, bot, position) where status in ('pending', 'attempting');
create index actions_open_by_bot on actions (bot) where status in ('pending', 'attempting');
create index actions_by_message on actions (bot, message, id) where message is not null;
create index actions_to_announce on actions (id) where not announced;
create index actions_failed on actions (bot, id) where status = 'failed';
create index actions_new on actions (bot, order_key, event_time) where is_new;

-- What a group's message, or a topic's comment, became: what the next action of the same name updates.
create table messages (
    bot text collate "C" not null,
    message text collate "C" not null,
    client text collate "C" not null,
    destination text collate "C" not null,
    channel text collate "C",
    receipt text collate "C" not null,
    written_at bigint not null,
    primary key (bot, message)
);
create index messages_by_age on messages (bot, written_at);

create table state (
    bot text collate "C" not null,
    key text collate "C" not null,
    value text collate "C" not null,
    written_at bigint not null,
    primary key (bot, key)
);
create index state_by_age on state (bot, written_at);

-- Running figures by the hour, so that nobody counts runs, and figures outlive them.
create table counts (
    bot text collate "C" not null,
    what text collate "C" not null,
    -- Hours since 1970.
    hour bigint not null,
    n bigint not null,
    minutes bigint not null,
    primary key (bot, what, hour)
);
