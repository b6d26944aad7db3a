-- Deploy idscope:counts to pg
-- requires: imports
-- How many entries the lists of an ID scope have, at all and with each value of a member that is counted, kept aside, so that nobody who asks has them
-- counted. A worker counts all of them, round after round, in bites; what registering and enrolling write knows nothing of it.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.list_count (
    id_scope         text COLLATE "C" NOT NULL,
    list             text COLLATE "C" NOT NULL,
    member           text COLLATE "C" NOT NULL,
    value            text COLLATE "C" NOT NULL,
    even_round       bigint NOT NULL DEFAULT 0,
    even_count       bigint NOT NULL DEFAULT 0,
    odd_round        bigint NOT NULL DEFAULT 0,
    odd_count        bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (id_scope, list, member, value)
) WITH (fillfactor = 50);
COMMENT ON TABLE idscope.list_count IS 'How many entries of a list of an ID scope have a value of a member: in the last whole round, and in the one that runs (the one is even, the other odd)';
COMMENT ON COLUMN idscope.list_count.list IS 'registrations, enrollments or enrollmentGroups';
COMMENT ON COLUMN idscope.list_count.member IS 'As clients know it; empty, like value: all entries, whatever they have';
COMMENT ON COLUMN idscope.list_count.value IS 'Hosts and ids in lower case';
COMMENT ON COLUMN idscope.list_count.even_round IS 'The round that even_count is of: of another one it counts for nothing';

CREATE TABLE idscope.count_round (
    name         text COLLATE "C" PRIMARY KEY,
    round        bigint NOT NULL DEFAULT 1,
    at_scope     text COLLATE "C" NOT NULL DEFAULT '',
    at_group     boolean NOT NULL DEFAULT false,
    at_key       text COLLATE "C" NOT NULL DEFAULT '',
    begun_at     timestamptz NOT NULL DEFAULT now(),
    counted_at   timestamptz
);
COMMENT ON TABLE idscope.count_round IS 'How far a round of counting has come: the one before it is whole';
COMMENT ON COLUMN idscope.count_round.name IS 'What is counted: registrations, or enrollments (of single devices and of groups)';
COMMENT ON COLUMN idscope.count_round.at_key IS 'With at_scope and at_group: behind this row the next bite begins';
COMMENT ON COLUMN idscope.count_round.counted_at IS 'When the last whole round began; NULL: there was none';

-- Of a list that was never counted: 0.
CREATE FUNCTION idscope.counted(scope text, of_list text) RETURNS bigint
    LANGUAGE sql STABLE
    BEGIN ATOMIC
    SELECT coalesce((SELECT CASE WHEN r.round % 2 = 1 THEN c.even_count ELSE c.odd_count END
                       FROM idscope.count_round r
                       JOIN idscope.list_count c ON CASE WHEN r.round % 2 = 1 THEN c.even_round ELSE c.odd_round END = r.round - 1
                      WHERE r.name = CASE of_list WHEN 'registrations' THEN of_list ELSE 'enrollments' END AND r.counted_at IS NOT NULL
                        AND c.id_scope = scope AND c.list = of_list AND c.member = '' AND c.value = ''
                      LIMIT 1), 0);
    END;
COMMENT ON FUNCTION idscope.counted(text, text) IS 'How many entries a list of an ID scope has, as they were counted last';
REVOKE ALL ON FUNCTION idscope.counted(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.counted(text, text) TO idscope_api;

GRANT SELECT ON idscope.list_count, idscope.count_round TO idscope_api;
GRANT SELECT, INSERT, UPDATE ON idscope.list_count, idscope.count_round TO idscope_worker;

COMMIT;
