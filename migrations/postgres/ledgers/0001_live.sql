-- Which generation of facts is live. The facts themselves stand in a schema for each generation.
create table live (
    only_row integer primary key check (only_row = 1),
    generation bigint not null
);
