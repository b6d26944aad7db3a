-- Locks: what they are over, and that they go with what they are on.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
DELETE FROM idscope.resource_lock;

CREATE FUNCTION pg_temp.lock(name text, grp text DEFAULT NULL, hub text DEFAULT NULL, instance text DEFAULT NULL, level text DEFAULT 'CanNotDelete') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    on_ record;
BEGIN
    EXECUTE format('PREPARE asked AS %s', (SELECT text FROM t.statement s WHERE s.name = 'lock_scope'));
    PERFORM t.become('idscope_api', 'a');
    EXECUTE format('EXECUTE asked (%L, %L, %L, %L, %L)', t.tenant('a'), t.subscription('a'), grp, hub, instance) INTO on_;
    RESET ROLE;
    DEALLOCATE asked;
    IF on_.path IS NOT NULL THEN
        PERFORM t.run('lock_put', format('%L, %L, %L, %L, %L, %L, %L, %L, NULL', t.tenant('a'), t.subscription('a'), on_.path, on_."group", on_.hub, on_.id_scope, name, level));
    END IF;
END
$$;
CREATE FUNCTION pg_temp.over(rest text, deletes boolean, who text DEFAULT 'a') RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    found text[];
BEGIN
    EXECUTE format('PREPARE asked AS SELECT array_agg(path) FROM (%s) l', rtrim((SELECT text FROM t.statement s WHERE s.name = 'lock_over'), E'; \n'));
    PERFORM t.become('idscope_api', who);
    EXECUTE format('EXECUTE asked (%L, %L, %L)', t.tenant(who), '/subscriptions/' || t.subscription('a') || rest, deletes) INTO found;
    RESET ROLE;
    DEALLOCATE asked;
    RETURN array(SELECT replace(f, '/subscriptions/' || t.subscription('a'), '') FROM unnest(found) AS f);
END
$$;
\set group '/resourcegroups/group-a'
\set hub '/resourcegroups/group-a/providers/microsoft.devices/iothubs/hub-a'
\set instance '/resourcegroups/group-a/providers/microsoft.devices/provisioningservices/inst-a'

SELECT is(pg_temp.over(:'hub', true), '{}', 'without locks nothing is locked');
SELECT pg_temp.lock('L', 'group-a', 'hub-a');
SELECT is(pg_temp.over(:'hub', true), '{/resourceGroups/Group-a/providers/Microsoft.Devices/IotHubs/Hub-a}', 'a locked hub is not deleted');
SELECT is(pg_temp.over(:'hub' || '/certificates/x', true), '{/resourceGroups/Group-a/providers/Microsoft.Devices/IotHubs/Hub-a}', 'nor what it has');
SELECT is(pg_temp.over(:'group', true), '{/resourceGroups/Group-a/providers/Microsoft.Devices/IotHubs/Hub-a}', 'nor its group');
SELECT is(pg_temp.over(:'hub' || 'x', true) || pg_temp.over(:'instance', true) || pg_temp.over(:'hub', false) || pg_temp.over(:'group', false), '{}',
          'but others are, that begin like it or stand beside it, and it may be changed');
SELECT is(pg_temp.over(:'hub', true, 'b'), '{}', 'other tenants have nothing of it');
SELECT pg_temp.lock('l', 'group-a', 'hub-a', level => 'ReadOnly');
SELECT is(pg_temp.over(:'hub', false), '{/resourceGroups/Group-a/providers/Microsoft.Devices/IotHubs/Hub-a}', 'ReadOnly: it is not changed');
SELECT is(pg_temp.over(:'group', false) || pg_temp.over(:'instance', false), '{}', 'what it stands in is, and what stands beside it');
SELECT is((SELECT count(*) FROM idscope.resource_lock), 1::bigint, 'names ignore case');
DELETE FROM idscope.hub WHERE hub_key = 'hub-a';
SELECT is_empty('SELECT name FROM idscope.resource_lock', 'a lock goes with its hub');

SELECT pg_temp.lock('on-group', 'group-a'), pg_temp.lock('on-all');
SELECT is(pg_temp.over(:'instance', true), '{""}', 'locks on the subscription and on the group are over all that stands there');
DELETE FROM idscope.resource_lock WHERE name = 'on-all';
SELECT is(pg_temp.over(:'instance', true), '{/resourceGroups/Group-a}', 'each by itself, too');
DELETE FROM idscope.resource_lock;
SELECT pg_temp.lock('L', 'group-a', NULL, 'inst-a'), pg_temp.lock('none', 'group-a', 'none'), pg_temp.lock('none', 'group-b'), pg_temp.lock('none', 'group-a', NULL, 'inst-b');
SELECT results_eq('SELECT name, id_scope COLLATE "C" FROM idscope.resource_lock', $$VALUES ('L', t.scope('a') COLLATE "C")$$, 'only what is there can be locked');
SELECT t.run('instance_delete', t.place('a') || $$, 'inst-a', NULL, 604800$$);
SELECT is(pg_temp.over(:'instance', true) || pg_temp.over(:'group', true), '{}', 'a lock on an instance that was deleted all the same holds nothing');
SELECT results_eq($$SELECT detail ->> 'change' FROM idscope.audit_event WHERE kind = 'lock' ORDER BY id$$, $$VALUES ('created'), ('updated'), ('created'), ('created'), ('created')$$, 'each change has its event');

SELECT * FROM finish();
ROLLBACK;
