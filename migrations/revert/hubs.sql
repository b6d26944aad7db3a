-- Revert idscope:hubs from pg
-- Deletes every built-in hub with its devices.

BEGIN;

DROP FUNCTION idscope.purge_retired_hubs(int);
DROP FUNCTION idscope.gate_hub(text);
DROP TABLE idscope.hub_device_count;
DROP VIEW idscope.hub_twin_shown;
DROP TABLE idscope.hub_twin;
DROP TABLE idscope.hub_device;
DROP TABLE idscope.hub_certificate;
DROP TABLE idscope.hub_policy;
DROP TABLE idscope.hub;
DROP TABLE idscope.hub_registry;

COMMIT;
