-- What core/limits.def and core/attest/attest.def say to the programs is what the CHECKs say to the database, and no bound and no list of words
-- stands in the database alone unawares.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();

-- Of tables and of domains.
CREATE TEMP VIEW rule AS
SELECT conname::text AS name, pg_get_constraintdef(oid) AS rule
  FROM pg_constraint
 WHERE connamespace = 'idscope'::regnamespace AND contype = 'c';
-- The words of the CHECKs that are lists of them.
CREATE TEMP VIEW list AS
SELECT name, (SELECT array_agg(word[1] ORDER BY word[1]) FROM regexp_matches(rule, '''([^'']+)''::text', 'g') AS word) AS words
  FROM rule
 WHERE rule ~ '^CHECK \(\(\w+ = (ANY \(ARRAY\[.*\]\)|''\w+''::text)\)\)$';
-- Those of a row of limits.def that are in a list, whatever its case.
CREATE FUNCTION t.words_like(row_name text, list text[]) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(word ORDER BY word) FROM t.word_row CROSS JOIN unnest(words) AS word
     WHERE name = row_name AND lower(word) IN (SELECT lower(one) FROM unnest(list) AS one) $$;

SELECT cmp_ok((SELECT count(*) FROM t.limit_row), '>=', 18::bigint, 'the rows of limits.def were read');
SELECT cmp_ok((SELECT count(*) FROM t.word_row), '>=', 11::bigint, '… and its words');
SELECT cmp_ok((SELECT count(*) FROM t.attest_row), '>=', 1::bigint, '… and the rows of attest.def');
SELECT is((SELECT format('%s to %s', coalesce((regexp_match(rule, '>= (\d+)'))[1], '0'), (regexp_match(rule, '<= (\d+)'))[1]) FROM rule WHERE rule.name = one),
          format('%s to %s', least, most), format('%s is %s to %s in limits.def and in %s', l.name, least, most, one))
  FROM t.limit_row l CROSS JOIN unnest(checks) AS one ORDER BY l.name, one;
SELECT is((SELECT list.words FROM list WHERE list.name = one), ARRAY(SELECT unnest(w.words) ORDER BY 1), format('the words of %s are those of %s', w.name, one))
  FROM t.word_row w CROSS JOIN unnest(checks) AS one ORDER BY w.name, one;

-- Stored in another spelling, or in part.
SELECT is((SELECT words FROM list WHERE name = 'instance_allocation_policy_check'),
          t.words_like('policy', (SELECT words FROM t.word_row WHERE name = 'instance_policy')),
          'an instance stores those words of policy that instance_policy spells');
SELECT is((SELECT words FROM list WHERE name = 'enrollment_attestation_type_check'),
          t.words_like('attestation_type', ARRAY(SELECT word FROM t.attest_row)),
          'an enrollment stores those words of attestation_type that have a row in attest.def');

-- Bounds that no program repeats (those of jobs aside, which are the queue's own): what a client sends never meets them.
SELECT set_eq($$SELECT name FROM rule WHERE rule ~ '<= \d+' AND name NOT IN (SELECT unnest(checks) FROM t.limit_row) AND name !~ '^job_'$$,
              ARRAY['tenant_name_check', 'subscription_display_name_check', 'service_principal_display_name_check', 'token_key_kid_check',
                    'audit_event_actor_id_check', 'audit_event_tracking_id_check', 'audit_event_client_address_check', 'audit_event_resource_id_check', 'audit_event_operation_check',
                    'role_assignment_created_by_check', 'audit_event_kind_check', 'audit_event_key_check', 'trusted_issuer_failure_check', 'issuer_key_public_key_check', 'challenge_met_root_check'],
              'every other bound is known to stand in the database alone');
-- Lists beside those of word rows: the two above, and the nouns of what has a name of its own (api/op/resource.h).
SELECT set_eq($$SELECT name FROM list WHERE name NOT IN (SELECT unnest(checks) FROM t.word_row)$$,
              ARRAY['instance_allocation_policy_check', 'enrollment_attestation_type_check', 'name_rest_kind_check'],
              'every other list of words is known');

SELECT * FROM finish();
ROLLBACK;
