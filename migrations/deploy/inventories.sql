-- Deploy idscope:inventories to pg
-- requires: counts
-- What stands on linked hubs and is no registration's: a device without a record is looked up there before a hub is chosen for it. A worker lists each
-- hub in rounds, page by page; a row is what a hub once said, so whoever acts on it asks the hub again.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.inventory (
    id_scope  text COLLATE "C" NOT NULL,
    host      text COLLATE "C" NOT NULL CHECK (host = lower(host)),
    next_at   timestamptz NOT NULL,
    taken_at  timestamptz,
    devices   bigint CHECK (devices >= 0),
    PRIMARY KEY (id_scope, host),
    CONSTRAINT inventory_taken_whole CHECK ((taken_at IS NULL) = (devices IS NULL))
);
COMMENT ON TABLE idscope.inventory IS 'The inventory of a linked hub, from its first good validation until a worker finds that it is linked no more';
COMMENT ON COLUMN idscope.inventory.next_at IS 'When the hub is asked next whether it has as many devices as before';
COMMENT ON COLUMN idscope.inventory.taken_at IS 'When the last whole round began; NULL: there was none';
COMMENT ON COLUMN idscope.inventory.devices IS 'How many devices the hub had then: by its own count a built-in one, as many as it showed another';
CREATE INDEX inventory_next ON idscope.inventory (next_at);

CREATE TABLE idscope.found_identity (
    id_scope   text COLLATE "C" NOT NULL,
    device_id  text COLLATE "C" NOT NULL CHECK (length(device_id) BETWEEN 1 AND 128),
    host       text COLLATE "C" NOT NULL CHECK (host = lower(host)),
    seen_at    timestamptz NOT NULL,
    PRIMARY KEY (id_scope, device_id, host)
) WITH (fillfactor = 90);
COMMENT ON TABLE idscope.found_identity IS 'Identities that stand on linked hubs and that no registration of the ID scope stood on when the hub was listed';
COMMENT ON COLUMN idscope.found_identity.seen_at IS 'When the round began that saw it last: what a whole round did not see goes';

GRANT SELECT, INSERT, UPDATE, DELETE ON idscope.inventory, idscope.found_identity TO idscope_worker;

COMMIT;
