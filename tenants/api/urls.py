"""Paths of this package under /api/v1/."""

from django.urls import path

from tenants.api import views

urlpatterns = [
    path("devices", views.Devices.as_view()),
    path("devices/<str:fingerprint>", views.Device.as_view()),
    path("clients", views.Clients.as_view()),
    path("clients/<str:client_id>", views.Client.as_view()),
    path("clients/<str:client_id>/quota", views.ClientQuota.as_view()),
    path("usage", views.Usage.as_view()),
    path("clients/<str:client_id>/tokens", views.Tokens.as_view()),
    path("clients/<str:client_id>/tokens/<str:token_key>", views.Token.as_view()),
    path("partitions", views.Partitions.as_view()),
    path("partitions/<str:partition_id>", views.Partition.as_view()),
]
