"""Paths of this package under /api/v1/."""

from django.urls import path

from portal.callbacks import api

urlpatterns = [
    path("callbacks", api.Callbacks.as_view()),
    path("callbacks/<str:callback_id>", api.Callback.as_view()),
    path("callbacks/<str:callback_id>/secret", api.Secret.as_view()),
    path("callbacks/<str:callback_id>/ping", api.Ping.as_view()),
    path("callbacks/<str:callback_id>/deliveries", api.Deliveries.as_view()),
    path("callbacks/<str:callback_id>/deliveries/<str:delivery_id>/redeliver", api.Redelivery.as_view()),
]
