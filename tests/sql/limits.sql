-- What core/limits.def says to the programs is what the CHECKs say to the database, and no bound stands in the database alone unawares.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();

CREATE TEMP VIEW rule AS
SELECT conname::text AS name, pg_get_constraintdef(oid) AS rule
  FROM pg_constraint
 WHERE connamespace = 'idscope'::regnamespace AND contype = 'c';

SELECT cmp_ok((SELECT count(*) FROM t.limit_row), '>=', 13::bigint, 'the rows of limits.def were read');
SELECT is((SELECT format('%s to %s', coalesce((regexp_match(rule, '>= (\d+)'))[1], '0'), (regexp_match(rule, '<= (\d+)'))[1]) FROM rule WHERE rule.name = one),
          format('%s to %s', least, most), format('%s is %s to %s in limits.def and in %s', l.name, least, most, one))
  FROM t.limit_row l CROSS JOIN unnest(checks) AS one ORDER BY l.name, one;
SELECT is((SELECT array_agg(word[1] ORDER BY word[1]) FROM rule CROSS JOIN regexp_matches(rule, '''([^'']+)''::text', 'g') AS word WHERE rule.name = one),
          ARRAY(SELECT unnest(words) ORDER BY 1), format('the words of %s are those of %s', w.name, one))
  FROM t.word_row w CROSS JOIN unnest(checks) AS one ORDER BY w.name, one;

-- Bounds that no program repeats (those of jobs aside, which are the queue's own): what a client sends never meets them.
SELECT set_eq($$SELECT name FROM rule WHERE rule ~ '<= \d+' AND name NOT IN (SELECT unnest(checks) FROM t.limit_row) AND name !~ '^(tenant_)?job_'$$,
              ARRAY['tenant_name_check', 'subscription_display_name_check', 'service_principal_display_name_check', 'token_key_kid_check',
                    'hub_device_primary_thumbprint_check', 'hub_device_secondary_thumbprint_check', 'link_latency_region_check',
                    'link_latency_samples_us_check', 'audit_event_actor_id_check', 'audit_event_tracking_id_check', 'audit_event_operation_check',
                    'audit_event_kind_check', 'audit_event_key_check'],
              'every other bound is known to stand in the database alone');

SELECT * FROM finish();
ROLLBACK;
