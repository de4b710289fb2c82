from django.urls import path

from portal.pages.views import (
    clients,
    devices,
    importing,
    keys,
    log,
    officer,
    overview,
    partitions,
    security_keys,
    session,
)

app_name = "pages"
urlpatterns = [
    path("login/", session.Login.as_view(), name="login"),
    path("logout/", session.Logout.as_view(), name="logout"),
    path("authenticator/", session.enrol, name="enrol"),
    path("", overview.overview, name="overview"),
    path("keys/", keys.keys, name="keys"),
    path("keys/import/", importing.import_key, name="import"),
    path("keys/<str:reference>/", keys.key, name="key"),
    path("partitions/", partitions.partitions, name="partitions"),
    path("partitions/<str:reference>/", partitions.partition, name="partition"),
    path("clients/", clients.clients, name="clients"),
    path("clients/<str:client_id>/", clients.client, name="client"),
    path("clients/<str:client_id>/remove", clients.client_remove, name="client-remove"),
    path("clients/<str:client_id>/tokens/<str:token_key>/revoke", clients.token_revoke, name="token-revoke"),
    path("devices/", devices.devices, name="devices"),
    path("devices/<str:fingerprint>/remove", devices.device_remove, name="device-remove"),
    path("log/", log.log, name="log"),
    path("officer/", officer.overview, name="officer-overview"),
    path("officer/tenants/", officer.tenants, name="officer-tenants"),
    path("officer/devices/", officer.devices, name="officer-devices"),
    path("officer/requests/", officer.requests, name="officer-requests"),
    path("officer/actions/", officer.actions, name="officer-actions"),
    path("officer/actions/<int:action_id>/", officer.action, name="officer-action"),
    path("officer/actions/<int:action_id>/approve", security_keys.approve, name="officer-approve"),
    path("officer/security-keys/", security_keys.security_keys, name="officer-security-keys"),
    path("officer/log/", officer.log, name="officer-log"),
]
