-- Outside issuers of access tokens: whose keys and subjects the api finds, when keys are fetched, what a fetch leaves.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
DELETE FROM idscope.tenant_job;

CREATE FUNCTION pg_temp.call(called text, VARIADIC args text[]) RETURNS void LANGUAGE sql AS $$
    SELECT t.run(called, (SELECT string_agg(quote_nullable(v), ', ') FROM unnest(args) v), 'idscope_worker')
$$;
CREATE FUNCTION pg_temp.issuers() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    SET LOCAL ROLE idscope_api;
    SELECT string_agg(format('%s %s', substr(issuer, 9, 1), coalesce(kids::text, '-')), ' ' ORDER BY issuer) INTO told FROM idscope.gate_issuers(60000);
    RESET ROLE;
    RETURN told;
END
$$;
CREATE FUNCTION pg_temp.client(issuer text, subject text, said text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    found uuid;
BEGIN
    SET LOCAL ROLE idscope_api;
    SELECT client_id INTO found FROM idscope.gate_federated(issuer, subject, said);
    RESET ROLE;
    RETURN found;
END
$$;

-- Keys are good for a while after their fetch; those that an operator gave for ever; none of an issuer that is disabled.
SELECT is(pg_temp.issuers(), 'a - b -', 'keys that were never fetched are none');
UPDATE idscope.trusted_issuer SET fetched_at = now() - CASE issuer WHEN 'https://a.example' THEN interval '59 s' ELSE interval '61 s' END;
SELECT is(pg_temp.issuers(), 'a {kid-a} b -', 'nor are those that are too old');
UPDATE idscope.trusted_issuer SET keys_from = 'file', next_fetch_at = 'infinity', fetched_at = NULL WHERE issuer = 'https://b.example';
SELECT is(pg_temp.issuers(), 'a {kid-a} b {kid-b}', 'those of a file do not age');
UPDATE idscope.trusted_issuer SET disabled_at = now() WHERE issuer = 'https://b.example';
SELECT is(pg_temp.issuers(), 'a {kid-a}', 'a disabled issuer is none');
SELECT is(pg_temp.client('https://b.example', 'app-b', NULL), NULL, 'nor has it subjects');
UPDATE idscope.trusted_issuer SET disabled_at = NULL;

-- Subjects.
SELECT is(pg_temp.client('https://a.example', 'app-a', said), t.client('a'), 'an issuer of one tenant: whatever the token says of tenants')
  FROM unnest(ARRAY[NULL, t.tenant('b')::text]) said;
SELECT is(pg_temp.client(issuer, subject, NULL), NULL, format('%s is nobody of %s', subject, issuer))
  FROM (VALUES ('https://a.example', 'app-b'), ('https://a.example', 'App-a'), ('https://a.example', ''), ('https://b.example', 'app-a'), ('https://c.example', 'app-a')) AS v (issuer, subject);
UPDATE idscope.trusted_issuer SET tenant_id = t.tenant('b') WHERE issuer = 'https://a.example';
SELECT is(pg_temp.client('https://a.example', 'app-a', NULL), NULL, 'a subject of another tenant than its issuer''s');
UPDATE idscope.trusted_issuer SET tenant_id = NULL, tenant_claim = 'org' WHERE issuer = 'https://a.example';
SELECT is(pg_temp.client('https://a.example', 'app-a', said), CASE WHEN good THEN t.client('a') END, format('the token says %s', said))
  FROM (VALUES (t.tenant('a')::text, true), ((SELECT name FROM idscope.tenant WHERE tenant_id = t.tenant('a')), true), (t.tenant('b')::text, false), (NULL, false), ('', false), ('%', false)) AS v (said, good);
SELECT throws_ok($$INSERT INTO idscope.federated_subject (issuer, subject, tenant_id, client_id) VALUES ('https://a.example', 'mixed', t.tenant('a'), t.client('b'))$$,
                 '23503', NULL, 'a subject is no client of another tenant than it says');

-- A token of an unknown key makes its issuer's keys due, but no sooner than that after the last fetch; those of a file never are.
CREATE FUNCTION pg_temp.due_in(of text) RETURNS interval LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL ROLE idscope_api;
    PERFORM idscope.issuer_wanted('https://' || of || '.example', 10000);
    RESET ROLE;
    RETURN (SELECT CASE WHEN isfinite(next_fetch_at) THEN next_fetch_at - now() END FROM idscope.trusted_issuer WHERE issuer = 'https://' || of || '.example');
END
$$;
UPDATE idscope.trusted_issuer SET next_fetch_at = now() + interval '10 min', asked_at = NULL WHERE keys_from <> 'file';
SELECT is(pg_temp.due_in('a'), interval '0', 'never fetched: at once');
UPDATE idscope.trusted_issuer SET next_fetch_at = now() + interval '10 min', asked_at = now() - interval '4 s' WHERE keys_from <> 'file';
SELECT is(pg_temp.due_in('a'), interval '6 s', 'fetched a moment ago: in a moment');
UPDATE idscope.trusted_issuer SET next_fetch_at = now() + interval '1 s' WHERE keys_from <> 'file';
SELECT is(pg_temp.due_in('a'), interval '1 s', 'it is no later than before');
SELECT is(pg_temp.due_in('b'), NULL, 'keys of a file are not fetched');

-- What is due becomes a job, once.
UPDATE idscope.trusted_issuer SET next_fetch_at = now() - interval '1 s' WHERE keys_from <> 'file';
SELECT pg_temp.call('sweep_issuers', '600000', '10'), pg_temp.call('sweep_issuers', '600000', '10');
SELECT is((SELECT string_agg(format('%s %s %s', left(tenant_id::text, 1), kind, subject), ',') FROM idscope.tenant_job), 'f issuer_fetch https://a.example', 'a job of the deployment');
SELECT is((SELECT format('%s %s', next_fetch_at - now(), now() - asked_at) FROM idscope.trusted_issuer WHERE issuer = 'https://a.example'), '00:10:00 00:00:00', 'its next turn comes later');

-- What a fetch leaves: those keys and no others.
UPDATE idscope.trusted_issuer SET failure = 'x', fetched_at = NULL WHERE keys_from <> 'file';
SELECT t.put('issuer_key', '{"kid": "old"}');
SELECT pg_temp.call('issuer_keys_put', 'https://a.example', '{kid-a,new}', '{RS256,ES256}', '{"\\x01","\\x02"}');
SELECT is((SELECT string_agg(format('%s %s %s', kid, algorithm, public_key), ',' ORDER BY kid) FROM idscope.issuer_key WHERE issuer = 'https://a.example'), 'kid-a RS256 \x01,new ES256 \x02', 'keys that were sent');
SELECT is((SELECT format('%s %s', fetched_at = now(), failure) FROM idscope.trusted_issuer WHERE issuer = 'https://a.example'), 't ', 'and when');
SELECT pg_temp.call('issuer_keys_put', issuer, '{k}', '{RS256}', '{"\\x01"}') FROM unnest(ARRAY['https://b.example', 'https://gone.example']) issuer;
SELECT is((SELECT string_agg(kid, ',') FROM idscope.issuer_key WHERE issuer <> 'https://a.example'), 'kid-b', 'nothing of one that is gone meanwhile, or has its keys from a file');
SELECT pg_temp.call('issuer_failed', 'https://a.example', repeat('x', 400));
SELECT is((SELECT length(failure) FROM idscope.trusted_issuer WHERE issuer = 'https://a.example'), 300, 'why it failed is told, cut');
SELECT is((SELECT count(*) FROM idscope.issuer_key WHERE issuer = 'https://a.example'), 2::bigint, 'and the keys stay');

-- An issuer goes with its keys and subjects; clients stay.
DELETE FROM idscope.trusted_issuer WHERE issuer = 'https://a.example';
SELECT is((SELECT count(*) FROM idscope.issuer_key WHERE issuer = 'https://a.example') + (SELECT count(*) FROM idscope.federated_subject WHERE issuer = 'https://a.example'), 0::bigint,
          'its keys and subjects go with it');
SELECT is((SELECT count(*) FROM idscope.service_principal WHERE client_id = t.client('a')), 1::bigint, 'its client stays');

SELECT * FROM finish();
ROLLBACK;
