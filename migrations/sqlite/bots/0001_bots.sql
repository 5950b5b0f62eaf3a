-- What bots decided, what is still to be done of it, and what they keep for themselves.
-- Times are microseconds since 1970 in UTC. Columns with JSON are read by the program only.

create table bots (
    name text primary key,
    -- Offset of the last event that is decided, or waits behind one that is tried again.
    checkpoint integer not null,
    -- Offset of the newest delivery whose events came by: a corrected reading of an earlier one is no news.
    delivery integer not null,
    failures_in_row integer not null,
    last_failure_at integer,
    last_failure text,
    paused_at integer,
    paused_because text
) strict, without rowid;

create table runs (
    -- Never given twice: it stands in addresses.
    id integer primary key autoincrement,
    bot text not null,
    version integer not null,
    mode text not null,
    event blob not null check (length(event) = 16),
    event_offset integer not null,
    round integer not null,
    order_key text not null,
    kind text not null,
    subject text not null,
    status text not null,
    because text not null,
    tries integer not null,
    -- Redriven by hand: its failures do not pause the bot.
    by_hand integer not null,
    attempts text not null,
    note text,
    recorded_at integer not null,
    began_at integer,
    millis integer not null,
    due_at integer
) strict;
create unique index runs_by_event on runs (event, bot, round);
create index runs_by_bot on runs (bot, id);
create index runs_open on runs (bot, order_key, id) where status in ('waiting', 'retrying');
create index runs_due on runs (bot, due_at) where status in ('retrying', 'scheduled');
create index runs_dead on runs (bot, id) where status = 'dead';

-- What a run asked, with the answers: apart from the runs, so that lists never page through them.
create table lookups (
    run integer primary key,
    asked text not null
) strict;

create table actions (
    id integer primary key,
    run integer not null,
    bot text not null,
    event blob not null check (length(event) = 16),
    round integer not null,
    ordinal integer not null,
    -- Place in the queue of its destination: that of the earlier action which it supersedes, or its own.
    position integer not null,
    order_key text not null,
    event_time integer not null,
    -- Whether it adds something, instead of updating what is there.
    is_new integer not null,
    name text not null,
    action text not null,
    repository text,
    service text,
    client text,
    destination text,
    channel text,
    -- What later actions update: a message or a comment.
    message text,
    -- The message in whose thread it is posted.
    thread text,
    status text not null,
    reason text,
    tries integer not null,
    attempts text not null,
    receipt text,
    in_doubt integer not null,
    toil_minutes integer not null,
    recorded_at integer not null,
    -- When it was put into the queue, first or again: it is not tried for ever.
    queued_at integer not null,
    performed_at integer,
    due_at integer,
    -- Whether the bus was told.
    announced integer not null
) strict;
create unique index actions_by_mark on actions (event, bot, round, ordinal);
create index actions_by_run on actions (run, ordinal);
create index actions_open on actions (client, destination, bot, position) where status in ('pending', 'attempting');
create index actions_open_by_bot on actions (bot) where status in ('pending', 'attempting');
create index actions_by_message on actions (bot, message, id) where message is not null;
create index actions_to_announce on actions (id) where announced = 0;
create index actions_failed on actions (bot, id) where status = 'failed';
create index actions_new on actions (bot, order_key, event_time) where is_new = 1;

-- What a group's message, or a topic's comment, became: what the next action of the same name updates.
create table messages (
    bot text not null,
    message text not null,
    client text not null,
    destination text not null,
    channel text,
    receipt text not null,
    written_at integer not null,
    primary key (bot, message)
) strict, without rowid;
create index messages_by_age on messages (bot, written_at);

create table state (
    bot text not null,
    key text not null,
    value text not null,
    written_at integer not null,
    primary key (bot, key)
) strict, without rowid;
create index state_by_age on state (bot, written_at);

-- Running figures by the hour, so that nobody counts runs, and figures outlive them.
create table counts (
    bot text not null,
    what text not null,
    -- Hours since 1970.
    hour integer not null,
    n integer not null,
    minutes integer not null,
    primary key (bot, what, hour)
) strict, without rowid;
