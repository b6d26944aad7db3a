-- The state machine of links: the table has the moves of core/linkstate.def, and the statements that move a link go by the table.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();

\set moves `node "$cluster_root/tests/lint/states.js" moves`
SELECT set_eq('SELECT format(''%s %s %s'', state, event, next) FROM idscope.link_move',
              regexp_split_to_array(trim(:'moves'), '\n'), 'link_move has the moves of core/linkstate.def, and no others');
SELECT is_empty('SELECT next FROM idscope.link_move m WHERE t.says(''linked_hub'', jsonb_build_object(''state'', next, ''host'', ''n'', ''host_name'', ''n'')) <> ''accepted''',
                'every state of it is one that a link may have');

-- Puts the links of scope a: host and key name of each.
CREATE FUNCTION pg_temp.link(hosts text[], keys text[]) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    PERFORM t.run('linked_put', format('%L, %L, %L, %L, %L, %L, %L, %L, %L, %L, %L', t.tenant('a'), t.scope('a'), hosts, array_fill('west'::text, ARRAY[cardinality(hosts)]),
                   array_fill(NULL::text, ARRAY[cardinality(hosts)]), keys, array_fill('\x01'::bytea, ARRAY[cardinality(hosts)]),
                   array_fill(NULL::text, ARRAY[cardinality(hosts)]), array_fill(NULL::bytea, ARRAY[cardinality(hosts)]), array_fill(0, ARRAY[cardinality(hosts)]), array_fill(0, ARRAY[cardinality(hosts)])));
    RETURN array(SELECT host || ' ' || state FROM idscope.linked_hub WHERE id_scope = t.scope('a') ORDER BY 1);
END
$$;
SELECT is(pg_temp.link('{one,two}', '{k,k}'), '{"one pending","two pending"}', 'a new link waits for its first probe');
UPDATE idscope.linked_hub SET state = 'valid' WHERE id_scope = t.scope('a');
SELECT is(pg_temp.link('{one,two}', '{k,other}'), '{"one valid","two pending"}', 'a new credential waits for its first probe, an old one stays what it is');

-- What a tenant does moves a link by the table: another table, other moves.
UPDATE idscope.link_move SET next = 'degraded' WHERE event IN ('LINKED', 'CREDENTIAL_CHANGE');
UPDATE idscope.link_move SET next = 'unreachable' WHERE event = 'HUB_DELETED';
SELECT is(pg_temp.link('{one,two,three}', '{k,third,k}'), '{"one valid","three degraded","two degraded"}', 'links that are made or get a new credential go where the table says');
SELECT t.put('linked_hub', '{"host": "by-name", "host_name": "by-name"}');
SELECT idscope.hub_deleted('hub-a', 'hub-a.hub.example') FROM set_config('idscope.tenant', t.tenant('a')::text, true);
SELECT is((SELECT array_agg(state) FROM idscope.linked_hub WHERE hub_key = 'hub-a'), '{unreachable}', 'and those whose hub is deleted');

SELECT * FROM finish();
ROLLBACK;
