"""Paths of this package under /api/v1/."""

from django.urls import path

from tee.api import views

urlpatterns = [
    path("trust", views.Trust.as_view()),
    path("validation", views.Validation.as_view()),
    path("validation/manufacturer", views.ManufacturersValidation.as_view()),
    path("partitions/<str:partition_id>/attestation", views.Attestation.as_view()),
    path("partitions/<str:partition_id>/access", views.Access.as_view()),
    path("partitions/<str:partition_id>/keep", views.Keep.as_view()),
    path("partitions/<str:partition_id>/single-use-keys", views.SingleUseKeys.as_view()),
    path("imports", views.Imports.as_view()),
    path("imports/<str:import_id>", views.Import.as_view()),
    path("keys", views.Keys.as_view()),
    path("keys/<str:reference>", views.Key.as_view()),
    path("keys/<str:reference>/receipt", views.Receipt.as_view()),
    path("keys/<str:reference>/public-key", views.PublicKey.as_view()),
    path("keys/<str:reference>/versions", views.Versions.as_view()),
    path("keys/<str:reference>/order", views.Order.as_view()),
    path("random", views.Random.as_view()),
    path("keys/<str:reference>/revocation", views.Revocation.as_view()),
    path("keys/<str:reference>/revocation/check", views.RevocationCheck.as_view()),
    path("session", views.Session.as_view()),
]
