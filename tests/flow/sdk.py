"""sdk.py: the Python management SDKs of Debian (python3-azure), unmodified, through the life of a group, a hub and an instance.

Responsible for: one step after the other, each named on standard output when it has held; the first that does not ends the program.
It is run by tests/flow/suites/sdks.js, with /usr/bin/python3 and these variables: BASE, SUBSCRIPTION, CLIENT_ID, CLIENT_SECRET,
GROUP, HUB, DPS, FOLDER (of its own), REQUESTS_CA_BUNDLE. Must never reach below a package's public surface.
"""
import json
import os
import subprocess
from datetime import datetime, timezone

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.iothub import IotHubClient
from azure.mgmt.iothubprovisioningservices import IotDpsClient
from azure.mgmt.iothubprovisioningservices import models as dps_models
from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.resource import ResourceManagementClient
from azure.mgmt.resource.locks import ManagementLockClient

E = os.environ
BASE, GROUP, HUB, DPS, FOLDER = (E[name] for name in ("BASE", "GROUP", "HUB", "DPS", "FOLDER"))
# The tenant of the sign-in is "adfs": the client library asks no public server about an authority of that name.
credential = ClientSecretCredential("adfs", E["CLIENT_ID"], E["CLIENT_SECRET"], authority=BASE)
where = {"base_url": BASE, "credential_scopes": [BASE + "/.default"]}
resources = ResourceManagementClient(credential, E["SUBSCRIPTION"], **where)
hubs = IotHubClient(credential, E["SUBSCRIPTION"], **where)
activities = MonitorManagementClient(credential, E["SUBSCRIPTION"], **where).activity_logs
services = IotDpsClient(credential, E["SUBSCRIPTION"], **where)
SKU = {"name": "S1", "capacity": 1}
BEGUN = datetime.now(timezone.utc)


def fails(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"{call.__name__} did not fail")


def openssl(*args):
    return subprocess.run(["openssl", *args], cwd=FOLDER, check=True, capture_output=True).stdout


def groups():
    made = resources.resource_groups.create_or_update(GROUP, {"location": "West US", "tags": {"a": "1"}})
    assert (made.name, made.location, made.properties.provisioning_state) == (GROUP, "westus", "Succeeded")
    assert resources.resource_groups.check_existence(GROUP)
    assert not resources.resource_groups.check_existence(GROUP + "-none")
    assert resources.resource_groups.update(GROUP, {"tags": {"b": "2"}}).tags == {"b": "2"}
    assert GROUP in [group.name for group in resources.resource_groups.list()]


def hub():
    at = hubs.iot_hub_resource
    assert at.check_name_availability({"name": HUB}).name_available
    made = at.begin_create_or_update(GROUP, HUB, {"location": "westus", "sku": SKU, "properties": {"comments": "first"}}).result()
    assert made.properties.provisioning_state == "Succeeded" and made.properties.host_name.startswith(HUB + ".")
    taken = at.check_name_availability({"name": HUB})
    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    read = at.get(GROUP, HUB)
    read.properties.comments = "second"
    assert at.begin_create_or_update(GROUP, HUB, read, if_match=read.etag).result().properties.comments == "second"
    fails(HttpResponseError, at.begin_create_or_update, GROUP, HUB, read, if_match=read.etag)
    assert at.begin_update(GROUP, HUB, {"tags": {"c": "3"}}).result().tags == {"c": "3"}
    assert HUB in [one.name for one in at.list_by_subscription()]
    assert [one.name for one in at.list_by_resource_group(GROUP)] == [HUB]
    assert "S1" in [one.sku.name for one in at.get_valid_skus(GROUP, HUB)]


def hub_connection_string():
    key = hubs.iot_hub_resource.get_keys_for_key_name(GROUP, HUB, "iothubowner")
    assert key.key_name in [one.key_name for one in hubs.iot_hub_resource.list_keys(GROUP, HUB)]
    host = hubs.iot_hub_resource.get(GROUP, HUB).properties.host_name
    return f"HostName={host};SharedAccessKeyName={key.key_name};SharedAccessKey={key.primary_key}"


def instance():
    at = services.iot_dps_resource
    assert at.check_provisioning_service_name_availability({"name": DPS}).name_available
    link = {"connectionString": hub_connection_string(), "location": "westus"}
    made = at.begin_create_or_update(GROUP, DPS, {"location": "westus", "sku": SKU, "properties": {"allocationPolicy": "Static", "iotHubs": [link]}}).result()
    assert made.properties.id_scope.startswith("0ne") and made.properties.allocation_policy == "Static"
    read = at.get(DPS, GROUP)
    read.properties.iot_hubs[0].allocation_weight = 3
    changed = at.begin_create_or_update(GROUP, DPS, read).result()
    assert changed.properties.iot_hubs[0].allocation_weight == 3
    assert changed.properties.iot_hubs[0].connection_string.endswith("****")
    assert changed.properties.id_scope == made.properties.id_scope
    assert at.begin_update(GROUP, DPS, {"tags": {"d": "4"}}).result().tags == {"d": "4"}
    assert DPS in [one.name for one in at.list_by_subscription()]
    assert [one.name for one in at.list_by_resource_group(GROUP)] == [DPS]
    assert [one.name for one in at.list_valid_skus(DPS, GROUP)] == ["S1"]


def around():
    """What the SDKs tell beside the resources themselves."""
    assert [one.name for one in resources.resources.list_by_resource_group(GROUP)] == sorted([HUB, DPS])
    assert [one.name for one in resources.resources.list(filter=f"resourceGroup eq '{GROUP}' and resourceType eq 'Microsoft.Devices/IotHubs'", top=1)] == [HUB]
    assert "Microsoft.Devices" in [one.namespace for one in resources.providers.list()]
    assert resources.providers.register("Microsoft.Devices").registration_state == "Registered"
    at = services.iot_dps_resource
    assert "Microsoft.Devices/provisioningServices/Read" in [one.name for one in services.operations.list()]
    assert [one.name for one in at.list_private_link_resources(GROUP, DPS).value] == ["iotDps"]
    assert at.list_private_endpoint_connections(GROUP, DPS) == []
    assert at.get_operation_result("any", GROUP, DPS).status == "Succeeded"
    assert hubs.iot_hub_resource.get_stats(GROUP, HUB).total_device_count == 0
    assert [one.name for one in hubs.iot_hub_resource.get_quota_metrics(GROUP, HUB)] == ["TotalMessages", "TotalDeviceCount"]
    assert [one.name for one in hubs.iot_hub_resource.list_event_hub_consumer_groups(GROUP, HUB, "events")] == ["$Default"]


def keys():
    at = services.iot_dps_resource
    (owner,) = at.list_keys(DPS, GROUP)
    assert owner.rights == "ServiceConfig, DeviceConnect, EnrollmentWrite"
    assert at.list_keys_for_key_name(DPS, "provisioningserviceowner", GROUP).primary_key == owner.primary_key
    fails(ResourceNotFoundError, at.list_keys_for_key_name, DPS, "none", GROUP)


def locks():
    at = ManagementLockClient(credential, E["SUBSCRIPTION"], **where).management_locks
    scope = (GROUP, "Microsoft.Devices", "", "IotHubs", HUB)
    made = at.create_or_update_at_resource_level(*scope, "kept", {"level": "CanNotDelete", "notes": "n"})
    assert (made.level, made.notes, made.type) == ("CanNotDelete", "n", "Microsoft.Authorization/locks")
    assert [one.id for one in at.list_at_resource_group_level(GROUP)] == [made.id]
    assert at.get_at_resource_level(*scope, "kept").id == made.id
    assert "ScopeLocked" in str(fails(HttpResponseError, hubs.iot_hub_resource.begin_delete, GROUP, HUB))
    # By its scope, which the package sends as one segment with encoded slashes.
    by_scope = made.id.split("/providers/Microsoft.Authorization/")[0]
    assert at.get_by_scope(by_scope, "kept").id == made.id
    assert at.create_or_update_by_scope(by_scope, "kept", {"level": "ReadOnly"}).level == "ReadOnly"
    assert [one.id for one in at.list_by_scope(by_scope)] == [made.id]
    for place in (f"/subscriptions/{E['SUBSCRIPTION']}", f"/subscriptions/{E['SUBSCRIPTION']}/resourceGroups/{GROUP}"):
        assert at.create_or_update_by_scope(place, "wide", {"level": "CanNotDelete"}).id == f"{place}/providers/Microsoft.Authorization/locks/wide"
        at.delete_by_scope(place, "wide")
    at.delete_by_scope(by_scope, "kept")
    fails(ResourceNotFoundError, at.get_by_scope, by_scope, "kept")
    made = at.create_or_update_at_resource_level(*scope, "kept", {"level": "CanNotDelete"})
    at.delete_at_resource_level(*scope, "kept")
    assert list(at.list_at_resource_level(*scope)) == []


def proved(at, of, describe, proof):
    """The proof of possession, by OpenSSL: a leaf with the code as its CN, signed by the CA's key. The two packages order arguments in two ways."""
    for name in ("ca.key", "leaf.key"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name)
    openssl("req", "-x509", "-key", "ca.key", "-subj", "/CN=Plant Root", "-days", "30", "-out", "ca.pem")
    with open(os.path.join(FOLDER, "ca.pem"), "rb") as file:
        pem = file.read()
    made = at.create_or_update(GROUP, of, "c1", describe(pem))
    assert made.properties.certificate in (pem, pem.decode()) and not made.properties.is_verified and made.properties.subject == "CN=Plant Root"
    assert made.properties.expiry > datetime.now(timezone.utc) >= made.properties.created
    code = proof("generate_verification_code", "c1", made.etag)
    openssl("req", "-new", "-key", "leaf.key", "-subj", "/CN=" + code.properties.verification_code, "-out", "leaf.csr")
    leaf = openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1").decode()
    assert fails(HttpResponseError, proof, "verify", "c1", made.etag, {"certificate": leaf}).status_code == 412
    assert proof("verify", "c1", code.etag, {"certificate": leaf}).properties.is_verified


def certificates():
    at = services.dps_certificate
    names = {"verify": at.verify_certificate, "generate_verification_code": at.generate_verification_code}
    proved(at, DPS, lambda pem: dps_models.CertificateResponse(properties=dps_models.CertificateProperties(certificate=pem)),
           lambda what, name, etag, *body: names[what](name, etag, GROUP, DPS, *body))
    assert [one.name for one in at.list(GROUP, DPS).value] == ["c1"]
    kept = at.get("c1", GROUP, DPS)
    assert kept.properties.is_verified
    at.delete(GROUP, kept.etag, DPS, "c1")
    fails(ResourceNotFoundError, at.get, "c1", GROUP, DPS)


def events():
    since = f"eventTimestamp ge '{BEGUN.isoformat()}' and resourceGroupName eq '{GROUP}'"
    found = list(activities.list(filter=since))
    assert all(one.resource_group_name == GROUP and one.caller == E["CLIENT_ID"] and one.event_timestamp >= BEGUN for one in found)
    named = [one.operation_name.value for one in found]
    assert named[-1] == "Microsoft.Resources/subscriptions/resourceGroups/write" and "Microsoft.Devices/IotHubs/write" in named, named
    assert json.loads(found[-1].properties["detail"])["after"]["location"] == "westus"
    bare = list(activities.list(filter=since, select="caller,eventDataId"))
    assert len(bare) == len(found) and all(one.caller and one.event_data_id and one.operation_name is None for one in bare)
    fails(HttpResponseError, lambda: list(activities.list(filter=f"resourceGroupName eq '{GROUP}'")))


def hub_certificates():
    at = hubs.certificates
    proved(at, HUB, lambda pem: {"properties": {"certificate": pem.decode()}}, lambda what, name, etag, *body: getattr(at, what)(GROUP, HUB, name, etag, *body))
    assert [one.name for one in at.list_by_iot_hub(GROUP, HUB).value] == ["c1"]
    kept = at.get(GROUP, HUB, "c1")
    assert kept.properties.is_verified
    at.delete(GROUP, HUB, "c1", kept.etag)
    fails(ResourceNotFoundError, at.get, GROUP, HUB, "c1")


def deleted():
    services.iot_dps_resource.begin_delete(DPS, GROUP).result()
    fails(ResourceNotFoundError, services.iot_dps_resource.get, DPS, GROUP)
    hubs.iot_hub_resource.begin_delete(GROUP, HUB).result()
    fails(ResourceNotFoundError, hubs.iot_hub_resource.get, GROUP, HUB)
    resources.resource_groups.begin_delete(GROUP).result()
    assert not resources.resource_groups.check_existence(GROUP)


for step in (groups, hub, instance, around, keys, locks, certificates, hub_certificates, events, deleted):
    step()
    print(step.__name__, flush=True)
