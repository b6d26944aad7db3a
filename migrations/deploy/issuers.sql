-- Deploy idscope:issuers to pg
-- requires: registrations
-- Outside issuers whose access tokens are taken, as an operator trusts them: their keys, which a worker fetches, and who of theirs is which service
-- principal of ours. The api reads what it needs through functions alone: a token is looked at before its tenant is known.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.trusted_issuer (
    issuer         text COLLATE "C" PRIMARY KEY CHECK (length(issuer) BETWEEN 9 AND 500 AND issuer LIKE 'https://%'),
    audience       text NOT NULL CHECK (length(audience) BETWEEN 1 AND 500),
    subject_claim  text NOT NULL CHECK (length(subject_claim) BETWEEN 1 AND 100),
    tenant_claim   text CHECK (length(tenant_claim) BETWEEN 1 AND 100),
    tenant_id      uuid REFERENCES idscope.tenant,
    keys_from      text NOT NULL CHECK (keys_from IN ('discovery', 'url', 'file')),
    keys_url       text CHECK (length(keys_url) BETWEEN 9 AND 500 AND keys_url LIKE 'https://%'),
    next_fetch_at  timestamptz NOT NULL,
    asked_at       timestamptz,
    fetched_at     timestamptz,
    failure        text CHECK (length(failure) <= 300),
    created_at     timestamptz NOT NULL DEFAULT now(),
    disabled_at    timestamptz,
    CONSTRAINT trusted_issuer_one_tenant_rule CHECK (num_nonnulls(tenant_claim, tenant_id) = 1),
    CONSTRAINT trusted_issuer_url_of_keys CHECK ((keys_from = 'url') = (keys_url IS NOT NULL)),
    CONSTRAINT trusted_issuer_file_is_not_fetched CHECK (keys_from <> 'file' OR next_fetch_at = 'infinity')
);
COMMENT ON TABLE idscope.trusted_issuer IS 'Outside issuers whose access tokens are taken for service principals that federated_subject names';
COMMENT ON COLUMN idscope.trusted_issuer.audience IS 'What aud of a token must be, or have in it';
COMMENT ON COLUMN idscope.trusted_issuer.subject_claim IS 'Name of the claim that says who it is: federated_subject.subject';
COMMENT ON COLUMN idscope.trusted_issuer.tenant_claim IS 'Name of the claim that must say the id or the name of the service principal''s tenant; NULL: tenant_id';
COMMENT ON COLUMN idscope.trusted_issuer.tenant_id IS 'The only tenant whose service principals come with its tokens; NULL: tenant_claim';
COMMENT ON COLUMN idscope.trusted_issuer.keys_from IS 'Where its keys are found: named by its discovery document, at keys_url, or given by the operator';
COMMENT ON COLUMN idscope.trusted_issuer.next_fetch_at IS 'When its keys are fetched next; a token of an unknown key makes it due at once, ten seconds after asked_at';
COMMENT ON COLUMN idscope.trusted_issuer.asked_at IS 'When a fetch was last begun';
COMMENT ON COLUMN idscope.trusted_issuer.fetched_at IS 'When its keys were last fetched; old ones are good for a while and then no more; NULL: never, or given';
COMMENT ON COLUMN idscope.trusted_issuer.failure IS 'Why the last fetch failed; NULL: it did not';
CREATE INDEX trusted_issuer_of_tenant ON idscope.trusted_issuer (tenant_id);
CREATE INDEX trusted_issuer_next_fetch ON idscope.trusted_issuer (next_fetch_at);

CREATE TABLE idscope.issuer_key (
    issuer     text COLLATE "C" NOT NULL REFERENCES idscope.trusted_issuer ON DELETE CASCADE,
    kid        text COLLATE "C" NOT NULL CHECK (length(kid) BETWEEN 1 AND 256),
    algorithm  text NOT NULL CHECK (algorithm IN ('RS256', 'ES256')),
    public_key bytea NOT NULL CHECK (length(public_key) BETWEEN 1 AND 2000),
    PRIMARY KEY (issuer, kid)
);
COMMENT ON TABLE idscope.issuer_key IS 'Public keys of outside issuers, as they were published last';
COMMENT ON COLUMN idscope.issuer_key.algorithm IS 'The only one that the key checks, whatever a token says';
COMMENT ON COLUMN idscope.issuer_key.public_key IS 'SubjectPublicKeyInfo in DER';

CREATE TABLE idscope.federated_subject (
    issuer     text COLLATE "C" NOT NULL REFERENCES idscope.trusted_issuer ON DELETE CASCADE,
    subject    text COLLATE "C" NOT NULL CHECK (length(subject) BETWEEN 1 AND 500),
    tenant_id  uuid NOT NULL,
    client_id  uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject),
    FOREIGN KEY (tenant_id, client_id) REFERENCES idscope.service_principal
);
COMMENT ON TABLE idscope.federated_subject IS 'Who of an outside issuer is which service principal; nobody else of its subjects is let in';
CREATE INDEX federated_subject_of_client ON idscope.federated_subject (tenant_id, client_id);

ALTER TABLE idscope.trusted_issuer    ENABLE ROW LEVEL SECURITY;
ALTER TABLE idscope.federated_subject ENABLE ROW LEVEL SECURITY;
CREATE POLICY trusted_issuer_worker   ON idscope.trusted_issuer    TO idscope_worker USING (true);
CREATE POLICY trusted_issuer_admin    ON idscope.trusted_issuer    TO idscope_admin  USING (true);
CREATE POLICY federated_subject_admin ON idscope.federated_subject TO idscope_admin  USING (true);

GRANT SELECT, INSERT, DELETE ON idscope.trusted_issuer TO idscope_admin;
GRANT UPDATE (disabled_at) ON idscope.trusted_issuer TO idscope_admin;
GRANT INSERT ON idscope.issuer_key TO idscope_admin;
GRANT SELECT, INSERT ON idscope.federated_subject TO idscope_admin;
GRANT SELECT ON idscope.trusted_issuer TO idscope_worker;
GRANT UPDATE (next_fetch_at, asked_at, fetched_at, failure) ON idscope.trusted_issuer TO idscope_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON idscope.issuer_key TO idscope_worker;

CREATE FUNCTION idscope.gate_issuers(kept_ms bigint)
    RETURNS TABLE (issuer text, audience text, subject_claim text, tenant_claim text, kids text[], algorithms text[], public_keys bytea[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
            SELECT i.issuer, i.audience, i.subject_claim, i.tenant_claim, k.kids, k.algorithms, k.public_keys
              FROM idscope.trusted_issuer i
             CROSS JOIN LATERAL (SELECT array_agg(k.kid::text ORDER BY k.kid) AS kids, array_agg(k.algorithm ORDER BY k.kid) AS algorithms,
                                        array_agg(k.public_key ORDER BY k.kid) AS public_keys
                                   FROM idscope.issuer_key k
                                  WHERE k.issuer = i.issuer AND (i.keys_from = 'file' OR i.fetched_at > now() - kept_ms * interval '1 millisecond')) k
             WHERE i.disabled_at IS NULL;
    END
    $$;
COMMENT ON FUNCTION idscope.gate_issuers(bigint) IS 'The outside issuers that are not disabled, with keys that were fetched in so many milliseconds, or given';

CREATE FUNCTION idscope.gate_federated(of_issuer text, wanted text, said text)
    RETURNS TABLE (client_id uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
            SELECT f.client_id
              FROM idscope.trusted_issuer i
              JOIN idscope.federated_subject f ON f.issuer = i.issuer
              JOIN idscope.tenant t ON t.tenant_id = f.tenant_id
             WHERE i.issuer = of_issuer AND f.subject = wanted AND i.disabled_at IS NULL
               AND CASE WHEN i.tenant_claim IS NULL THEN i.tenant_id = f.tenant_id ELSE said IN (t.name, t.tenant_id::text) END;
    END
    $$;
COMMENT ON FUNCTION idscope.gate_federated(text, text, text) IS 'The client that a subject of an outside issuer is, where its token names the right tenant, or need not';

CREATE FUNCTION idscope.issuer_wanted(of_issuer text, rest_ms bigint) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH soon AS MATERIALIZED (
        SELECT issuer, greatest(now(), asked_at + rest_ms * interval '1 millisecond') AS next_at
          FROM idscope.trusted_issuer
         WHERE issuer = of_issuer AND keys_from <> 'file')
    UPDATE idscope.trusted_issuer i
       SET next_fetch_at = soon.next_at
      FROM soon
     WHERE i.issuer = soon.issuer AND i.next_fetch_at > soon.next_at;
    $$;
COMMENT ON FUNCTION idscope.issuer_wanted(text, bigint) IS 'The keys of an issuer are to be fetched soon, but no sooner than so many milliseconds after the last time';

REVOKE ALL ON FUNCTION idscope.gate_issuers(bigint), idscope.gate_federated(text, text, text), idscope.issuer_wanted(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.gate_issuers(bigint), idscope.gate_federated(text, text, text), idscope.issuer_wanted(text, bigint) TO idscope_api;

COMMIT;
