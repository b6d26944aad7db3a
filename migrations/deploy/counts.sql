-- Deploy idscope:counts to pg
-- requires: imports
-- How many registrations there are of each status, hub and group, kept aside, so that nobody who asks has them counted. A worker counts all of them, round
-- after round, in bites; what registering writes knows nothing of it.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.registration_count (
    id_scope         text COLLATE "C" NOT NULL,
    status           text COLLATE "C" NOT NULL,
    hub              text COLLATE "C" NOT NULL,
    enrollment_group text COLLATE "C" NOT NULL,
    even_round       bigint NOT NULL DEFAULT 0,
    even_count       bigint NOT NULL DEFAULT 0,
    odd_round        bigint NOT NULL DEFAULT 0,
    odd_count        bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (id_scope, status, hub, enrollment_group)
) WITH (fillfactor = 50);
COMMENT ON TABLE idscope.registration_count IS 'How many registrations of an ID scope have a status, a hub and a group: of the last whole round, and of the one that runs (the one is even, the other odd)';
COMMENT ON COLUMN idscope.registration_count.hub IS 'assigned_hub in lower case; empty: none';
COMMENT ON COLUMN idscope.registration_count.enrollment_group IS 'In lower case; empty: enrollments of their own';
COMMENT ON COLUMN idscope.registration_count.even_round IS 'The round that even_count is of: of another one it counts for nothing';

CREATE TABLE idscope.count_round (
    name         text COLLATE "C" PRIMARY KEY,
    round        bigint NOT NULL DEFAULT 1,
    at_scope     text COLLATE "C" NOT NULL DEFAULT '',
    at_key       text COLLATE "C" NOT NULL DEFAULT '',
    begun_at     timestamptz NOT NULL DEFAULT now(),
    counted_at   timestamptz
);
COMMENT ON TABLE idscope.count_round IS 'How far a round of counting has come: the one before it is whole';
COMMENT ON COLUMN idscope.count_round.name IS 'What is counted: registrations';
COMMENT ON COLUMN idscope.count_round.at_key IS 'With at_scope: behind this row the next bite begins';
COMMENT ON COLUMN idscope.count_round.counted_at IS 'When the last whole round began; NULL: there was none';

GRANT SELECT ON idscope.registration_count, idscope.count_round TO idscope_api;
GRANT SELECT, INSERT, UPDATE ON idscope.registration_count, idscope.count_round TO idscope_worker;

COMMIT;
