-- Deploy idscope:locks to pg
-- requires: inventories
-- Locks on subscriptions, resource groups, hubs and instances: what keeps them, and what stands in them, from being deleted or changed.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.resource_lock (
    tenant_id          uuid NOT NULL,
    place              text COLLATE "C" NOT NULL,
    name_key           text COLLATE "C" NOT NULL,
    name               text NOT NULL CHECK (length(name) BETWEEN 1 AND 260)
                       CONSTRAINT resource_lock_key_of_name CHECK (lower(name COLLATE "C") = name_key),
    path               text NOT NULL CHECK (path LIKE '/subscriptions/_%')
                       CONSTRAINT resource_lock_place_of_path CHECK (lower(path COLLATE "C") = place),
    subscription_id    uuid NOT NULL,
    resource_group_key text COLLATE "C",
    hub_key            text COLLATE "C",
    id_scope           text COLLATE "C",
    level              text NOT NULL CHECK (level IN ('CanNotDelete', 'ReadOnly')),
    notes              text CHECK (length(notes) <= 512),
    created_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, place, name_key),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES idscope.subscription,
    -- A lock goes with what it is on, so a name that is made anew has none.
    FOREIGN KEY (tenant_id, subscription_id, resource_group_key)
        REFERENCES idscope.resource_group (tenant_id, subscription_id, name_key) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, hub_key) REFERENCES idscope.hub (tenant_id, hub_key) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, id_scope) REFERENCES idscope.instance (tenant_id, id_scope) ON DELETE CASCADE,
    CONSTRAINT resource_lock_on_one CHECK (num_nonnulls(resource_group_key, hub_key, id_scope) < 2)
);
COMMENT ON TABLE idscope.resource_lock IS 'A lock on a subscription, or on the one group, hub or instance that is named: it holds for all that stands beneath';
COMMENT ON COLUMN idscope.resource_lock.path IS 'The resource id of what it is on';
COMMENT ON COLUMN idscope.resource_lock.place IS 'The same in lower case: paths ignore case';
COMMENT ON COLUMN idscope.resource_lock.id_scope IS 'Of an instance; while that is deleted the lock holds nothing';
ALTER TABLE idscope.resource_lock ENABLE ROW LEVEL SECURITY;
CREATE POLICY resource_lock_api ON idscope.resource_lock TO idscope_api USING (tenant_id = idscope.current_tenant());
GRANT SELECT, INSERT, DELETE, UPDATE ON idscope.resource_lock TO idscope_api;

COMMIT;
