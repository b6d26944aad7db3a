-- Deploy idscope:seals to pg
-- requires: issuers
-- Sealed values by their columns, to be sealed anew under another key of the key ring while everybody works (idscope-admin reseal).
-- The values stay what they are: no version and no etag changes, and whoever writes a row meanwhile wins.

BEGIN;
SET LOCAL ROLE idscope_owner;

-- What a value is sealed for, as expressions over its row: the same identities that core/seal.h lists.
CREATE VIEW idscope.sealed_column AS
SELECT tab::text, col::text, kind::text, owner::text, name::text, part::text, held_by::text
  FROM (VALUES
        ('enrollment',        'attestation_sealed', 'CASE WHEN v.of_group THEN ''enrollment_group'' ELSE ''enrollment'' END', 'v.id_scope', 'v.registration_key', 'v.attestation_type', NULL),
        ('enrollment_detail', 'webhook_sealed',     'CASE WHEN v.of_group THEN ''enrollment_group'' ELSE ''enrollment'' END', 'v.id_scope', 'v.registration_key', '''webhook''', NULL),
        ('import_enrollment', 'attestation_sealed', 'CASE WHEN v.of_group THEN ''enrollment_group'' ELSE ''enrollment'' END', 'v.id_scope', 'v.registration_key', 'v.attestation_type', NULL),
        ('import_enrollment', 'webhook_sealed',     'CASE WHEN v.of_group THEN ''enrollment_group'' ELSE ''enrollment'' END', 'v.id_scope', 'v.registration_key', '''webhook''', NULL),
        ('challenge',         'open_sealed',        '''challenge''', 'v.id_scope', 'v.registration_key', 'encode(v.device, ''hex'')', NULL),
        ('challenge',         'met_sealed',         '''challenge''', 'v.id_scope', 'v.registration_key', 'encode(v.device, ''hex'')', NULL),
        ('instance_policy',   'primary_sealed',     '''instance_policy''', 'v.id_scope', 'v.key_name_key', '''primary''', NULL),
        ('instance_policy',   'secondary_sealed',   '''instance_policy''', 'v.id_scope', 'v.key_name_key', '''secondary''', NULL),
        ('linked_hub',        'primary_sealed',     '''linked_hub''', 'v.id_scope', 'v.host', '''primary''', 'instance'),
        ('linked_hub',        'secondary_sealed',   '''linked_hub''', 'v.id_scope', 'v.host', '''secondary''', 'instance'),
        ('hub_policy',        'primary_sealed',     '''hub_policy''', 'v.hub_key', 'v.key_name_key', '''primary''', NULL),
        ('hub_policy',        'secondary_sealed',   '''hub_policy''', 'v.hub_key', 'v.key_name_key', '''secondary''', NULL),
        ('hub_device',        'primary_sealed',     '''hub_device''', 'v.hub_id::text', 'v.device_id', '''primary''', NULL),
        ('hub_device',        'secondary_sealed',   '''hub_device''', 'v.hub_id::text', 'v.device_id', '''secondary''', NULL),
        ('token_key',         'private_sealed',     '''token_key''', 'v.kid', '''''', '''private''', NULL))
       AS c (tab, col, kind, owner, name, part, held_by);
COMMENT ON VIEW idscope.sealed_column IS 'Every column with sealed values, and the parts of the identity that each is sealed for';
COMMENT ON COLUMN idscope.sealed_column.held_by IS 'The table whose row of the same tenant and ID scope writers hold while they put back what they read; NULL: they name the version of what they write';
GRANT SELECT ON idscope.sealed_column TO idscope_admin;

-- The columns of a table's key, in their order, each with its type.
CREATE FUNCTION idscope.key_columns(of_tab text) RETURNS TABLE (place int, col text, type text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
    SELECT k.place::int, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod)
      FROM pg_index i
     CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
     WHERE i.indrelid = format('idscope.%I', of_tab)::regclass AND i.indisprimary;
    END;
COMMENT ON FUNCTION idscope.key_columns(text) IS 'The primary key of a table';
REVOKE ALL ON FUNCTION idscope.key_columns(text) FROM PUBLIC;

-- `head`: how values under the newest key begin (core/seal.h). A page looks at so many rows and no more, and gives at most so many values; the last row that it looked
-- at is told in any case, so that the next page begins behind it.
CREATE FUNCTION idscope.sealed_page(of_tab text, of_col text, head bytea, after text, looked bigint, at_most bigint)
    RETURNS TABLE (place text, kind text, owner text, name text, part text, sealed bytea)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    DECLARE
        c idscope.sealed_column;
        key text;
        bound text;
    BEGIN
        SELECT * INTO STRICT c FROM idscope.sealed_column s WHERE s.tab = of_tab AND s.col = of_col;
        SELECT string_agg('v.' || k.col, ', ' ORDER BY k.place), string_agg(format('($2::jsonb ->> %s)::%s', k.place - 1, k.type), ', ' ORDER BY k.place)
          INTO key, bound
          FROM idscope.key_columns(c.tab) k;
        RETURN QUERY EXECUTE format(
            'SELECT jsonb_build_array(%1$s)::text, %2$s, %3$s, %4$s, %5$s, CASE WHEN v.old THEN v.%6$I END
               FROM (SELECT v.*, v.%6$I IS NOT NULL AND substr(v.%6$I, 1, length($1)) <> $1 AS old, row_number() OVER (ORDER BY %1$s) AS n
                       FROM (SELECT * FROM idscope.%7$I v %8$s ORDER BY %1$s LIMIT $3) v) v
              WHERE v.old OR v.n = $3
              ORDER BY v.n LIMIT $4',
            key, c.kind, c.owner, c.name, c.part, c.col, c.tab, CASE WHEN after IS NULL THEN '' ELSE format('WHERE (%s) > (%s)', key, bound) END)
            USING head, after, looked, at_most;
    END
    $$;
COMMENT ON FUNCTION idscope.sealed_page(text, text, bytea, text, bigint, bigint) IS 'Values of a column that are not under the newest key, in the order of the table''s key, behind a place: what each is sealed for, and what stands there; without a value: so far the page has looked';
REVOKE ALL ON FUNCTION idscope.sealed_page(text, text, bytea, text, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.sealed_page(text, text, bytea, text, bigint, bigint) TO idscope_admin;

-- A row that somebody writes just now is left to the next pass. Who puts back what they read under a lock has that lock waited for, and then sees what is written here:
-- it is taken first, as they do, and in the order of its key.
CREATE FUNCTION idscope.sealed_write(of_tab text, of_col text, places text[], olds bytea[], fresh bytea[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    DECLARE
        c idscope.sealed_column;
        same text;
        written bigint;
    BEGIN
        SELECT * INTO STRICT c FROM idscope.sealed_column s WHERE s.tab = of_tab AND s.col = of_col;
        SELECT string_agg(format('v.%s = (u.place::jsonb ->> %s)::%s', k.col, k.place - 1, k.type), ' AND ' ORDER BY k.place)
          INTO same
          FROM idscope.key_columns(c.tab) k;
        IF c.held_by IS NOT NULL THEN
            EXECUTE format(
                'SELECT 1 FROM idscope.%1$I h
                  WHERE h.id_scope IN (SELECT v.id_scope FROM unnest($1) AS u (place) JOIN idscope.%2$I v ON %3$s AND v.tenant_id = h.tenant_id)
                  ORDER BY h.id_scope FOR SHARE', c.held_by, c.tab, same)
                USING places;
        END IF;
        EXECUTE format(
            'WITH given AS (SELECT * FROM unnest($1, $2, $3) AS u (place, old, fresh)),
                  mine AS MATERIALIZED (
                 SELECT u.place, u.old, u.fresh FROM given u JOIN idscope.%1$I v ON %2$s
                  WHERE v.%3$I = u.old FOR NO KEY UPDATE OF v SKIP LOCKED)
             UPDATE idscope.%1$I v SET %3$I = u.fresh FROM mine u WHERE %2$s AND v.%3$I = u.old',
            c.tab, same, c.col)
            USING places, olds, fresh;
        GET DIAGNOSTICS written = ROW_COUNT;
        RETURN written;
    END
    $$;
COMMENT ON FUNCTION idscope.sealed_write(text, text, text[], bytea[], bytea[]) IS 'Puts new sealed values in the place of old ones, where the old one stands there still; how many it did';
REVOKE ALL ON FUNCTION idscope.sealed_write(text, text, text[], bytea[], bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.sealed_write(text, text, text[], bytea[], bytea[]) TO idscope_admin;

COMMIT;
