-- The facts of one generation, in a file of their own: a rebuild fills another file beside it and then takes its place.
--
-- Tables hold what Ledger needs; the views further down are the stable schema for reading: names and meanings of
-- their columns do not change, new columns may be added. Times are ISO 8601 in UTC. No column holds a person.

-- What this generation includes: the offset of the last event folded in, and what it was folded with.
create table position (
    only_row integer primary key check (only_row = 1),
    checkpoint integer not null,
    revised_through integer not null,
    fingerprint text not null,
    data_through text,
    -- Raised with every write: rows with a higher version than seen are new to the reader.
    version integer not null
) strict;

-- `state` is the whole fact as JSON. Keys are read and written in order, so rows lie in the order of keys.
create table change_facts (key text primary key, state text not null, version integer not null) strict, without rowid;
create table deployment_facts (key text primary key, state text not null, version integer not null) strict, without rowid;
create table pipeline_run_facts (key text primary key, state text not null, version integer not null) strict, without rowid;
create table incident_facts (key text primary key, state text not null, version integer not null) strict, without rowid;
create table measurement_facts (key text primary key, state text not null, version integer not null) strict, without rowid;
create table vulnerability_facts (key text primary key, state text not null, version integer not null) strict, without rowid;
create table commit_facts (key text primary key, state text not null, version integer not null) strict, without rowid;
-- `state` is a JSON list of one: the time of the first event.
create table first_seen_facts (key text primary key, state text not null, version integer not null) strict, without rowid;

create view changes as
select
    key,
    state ->> '$.repository' as repository,
    state ->> '$.number' as number,
    state ->> '$.direct' as is_direct,
    state ->> '$.first_commit.at' as first_commit_at,
    state ->> '$.opened.at' as opened_at,
    state ->> '$.ready.at' as ready_at,
    state ->> '$.merged.at' as merged_at,
    state ->> '$.closed.at' as closed_at,
    state ->> '$.merge_sha' as merge_sha,
    state ->> '$.base_branch' as base_branch,
    state ->> '$.to_default_branch' as to_default_branch,
    state ->> '$.size.value.additions' as additions,
    state ->> '$.size.value.deletions' as deletions,
    state ->> '$.size.value.files' as files,
    state ->> '$.size.value.commits' as commits,
    state ->> '$.author_is_bot' as author_is_bot,
    state ->> '$.reverts' as reverts,
    state ->> '$.merged.event' as merged_event,
    version
from change_facts;

create view deployments as
select
    key,
    state ->> '$.repository' as repository,
    state ->> '$.service' as service,
    state ->> '$.environment' as environment,
    state ->> '$.production' as is_production,
    state ->> '$.sha' as sha,
    state ->> '$.git_ref' as git_ref,
    state ->> '$.version' as version_name,
    state ->> '$.started.at' as started_at,
    state ->> '$.finished.at' as finished_at,
    state ->> '$.finished.value' as outcome,
    state ->> '$.manner' as manner,
    state ->> '$.fixes' as fixes,
    state ->> '$.finished.event' as finished_event,
    version
from deployment_facts;

create view pipeline_runs as
select
    key,
    state ->> '$.repository' as repository,
    state ->> '$.pipeline' as pipeline,
    state ->> '$.sha' as sha,
    state ->> '$.branch' as branch,
    state ->> '$.on_default_branch' as on_default_branch,
    state ->> '$.change' as change,
    state ->> '$.queued.at' as queued_at,
    state ->> '$.started.at' as started_at,
    state ->> '$.finished.at' as finished_at,
    state ->> '$.finished.value' as outcome,
    state ->> '$.finished.event' as finished_event,
    version
from pipeline_run_facts;

create view incidents as
select
    key,
    state ->> '$.repository' as repository,
    state ->> '$.service' as service,
    state ->> '$.environment' as environment,
    state ->> '$.severity' as severity,
    state ->> '$.deployment' as deployment,
    state ->> '$.detected.at' as detected_at,
    state ->> '$.acknowledged.at' as acknowledged_at,
    state ->> '$.resolved.at' as resolved_at,
    state ->> '$.detected.event' as detected_event,
    version
from incident_facts;

create view measurements as
select
    key,
    state ->> '$.repository' as repository,
    state ->> '$.service' as service,
    state ->> '$.sha' as sha,
    state ->> '$.tool' as tool,
    state ->> '$.coverage.value' as coverage,
    state ->> '$.coverage.at' as coverage_measured_at,
    state -> '$.findings.value' as findings,
    state ->> '$.findings.at' as findings_measured_at,
    version
from measurement_facts;

create view vulnerabilities as
select
    key,
    state ->> '$.repository' as repository,
    state ->> '$.severity' as severity,
    state ->> '$.detected.at' as detected_at,
    state ->> '$.resolved.at' as resolved_at,
    state ->> '$.detected.event' as detected_event,
    version
from vulnerability_facts;
