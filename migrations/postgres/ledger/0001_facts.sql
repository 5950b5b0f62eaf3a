-- The facts of one generation, in a schema of their own (`devhose_ledger_1` and so on): a rebuild fills another schema
-- beside it and then takes its place. `devhose_ledger.live` says which one is live.
--
-- Tables hold what Ledger needs; the views further down are the stable schema for reading: names and meanings of
-- their columns do not change, new columns may be added. Times are ISO 8601 in UTC. No column holds a person.
--
-- Keys are compared by code point. They have about 1,000 bytes at most, and no U+0000.

-- What this generation includes: the offset of the last event folded in, and what it was folded with.
create table position (
    only_row integer primary key check (only_row = 1),
    checkpoint bigint not null,
    revised_through bigint not null,
    fingerprint text collate "C" not null,
    data_through text collate "C",
    -- Raised with every write: rows with a higher version than seen are new to the reader.
    version bigint not null
);

-- `state` is the whole fact as JSON. It is kept as text, so that it stays bit for bit what was written.
create table change_facts (key text collate "C" primary key, state text collate "C" not null, version bigint not null);
create table deployment_facts (key text collate "C" primary key, state text collate "C" not null, version bigint not null);
create table pipeline_run_facts (key text collate "C" primary key, state text collate "C" not null, version bigint not null);
create table incident_facts (key text collate "C" primary key, state text collate "C" not null, version bigint not null);
create table measurement_facts (key text collate "C" primary key, state text collate "C" not null, version bigint not null);
create table vulnerability_facts (key text collate "C" primary key, state text collate "C" not null, version bigint not null);
create table commit_facts (key text collate "C" primary key, state text collate "C" not null, version bigint not null);
-- `state` is a JSON list of one: the time of the first event.
create table first_seen_facts (key text collate "C" primary key, state text collate "C" not null, version bigint not null);

-- Reads the state of a fact, once for all columns. The escape of U+0000 is the one that jsonb refuses.
create function parsed(state text) returns jsonb
    language sql immutable strict parallel safe
    return replace(state, '\u0000', '\ufffd')::jsonb;

create view changes as
select
    key,
    fact ->> 'repository' as repository,
    (fact ->> 'number')::numeric as number,
    (fact ->> 'direct')::boolean as is_direct,
    fact #>> '{first_commit,at}' as first_commit_at,
    fact #>> '{opened,at}' as opened_at,
    fact #>> '{ready,at}' as ready_at,
    fact #>> '{merged,at}' as merged_at,
    fact #>> '{closed,at}' as closed_at,
    fact ->> 'merge_sha' as merge_sha,
    fact ->> 'base_branch' as base_branch,
    (fact ->> 'to_default_branch')::boolean as to_default_branch,
    (fact #>> '{size,value,additions}')::numeric as additions,
    (fact #>> '{size,value,deletions}')::numeric as deletions,
    (fact #>> '{size,value,files}')::numeric as files,
    (fact #>> '{size,value,commits}')::numeric as commits,
    (fact ->> 'author_is_bot')::boolean as author_is_bot,
    fact ->> 'reverts' as reverts,
    fact #>> '{merged,event}' as merged_event,
    version
from change_facts cross join lateral (select parsed(state) as fact offset 0) once;

create view deployments as
select
    key,
    fact ->> 'repository' as repository,
    fact ->> 'service' as service,
    fact ->> 'environment' as environment,
    (fact ->> 'production')::boolean as is_production,
    fact ->> 'sha' as sha,
    fact ->> 'git_ref' as git_ref,
    fact ->> 'version' as version_name,
    fact #>> '{started,at}' as started_at,
    fact #>> '{finished,at}' as finished_at,
    fact #>> '{finished,value}' as outcome,
    fact ->> 'manner' as manner,
    fact ->> 'fixes' as fixes,
    fact #>> '{finished,event}' as finished_event,
    version
from deployment_facts cross join lateral (select parsed(state) as fact offset 0) once;

create view pipeline_runs as
select
    key,
    fact ->> 'repository' as repository,
    fact ->> 'pipeline' as pipeline,
    fact ->> 'sha' as sha,
    fact ->> 'branch' as branch,
    (fact ->> 'on_default_branch')::boolean as on_default_branch,
    (fact ->> 'change')::numeric as change,
    fact #>> '{queued,at}' as queued_at,
    fact #>> '{started,at}' as started_at,
    fact #>> '{finished,at}' as finished_at,
    fact #>> '{finished,value}' as outcome,
    fact #>> '{finished,event}' as finished_event,
    version
from pipeline_run_facts cross join lateral (select parsed(state) as fact offset 0) once;

create view incidents as
select
    key,
    fact ->> 'repository' as repository,
    fact ->> 'service' as service,
    fact ->> 'environment' as environment,
    fact ->> 'severity' as severity,
    fact ->> 'deployment' as deployment,
    fact #>> '{detected,at}' as detected_at,
    fact #>> '{acknowledged,at}' as acknowledged_at,
    fact #>> '{resolved,at}' as resolved_at,
    fact #>> '{detected,event}' as detected_event,
    version
from incident_facts cross join lateral (select parsed(state) as fact offset 0) once;

create view measurements as
select
    key,
    fact ->> 'repository' as repository,
    fact ->> 'service' as service,
    fact ->> 'sha' as sha,
    fact ->> 'tool' as tool,
    (fact #>> '{coverage,value}')::double precision as coverage,
    fact #>> '{coverage,at}' as coverage_measured_at,
    fact #> '{findings,value}' as findings,
    fact #>> '{findings,at}' as findings_measured_at,
    version
from measurement_facts cross join lateral (select parsed(state) as fact offset 0) once;

create view vulnerabilities as
select
    key,
    fact ->> 'repository' as repository,
    fact ->> 'severity' as severity,
    fact #>> '{detected,at}' as detected_at,
    fact #>> '{resolved,at}' as resolved_at,
    fact #>> '{detected,event}' as detected_event,
    version
from vulnerability_facts cross join lateral (select parsed(state) as fact offset 0) once;
