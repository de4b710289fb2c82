"""Paths of this package under /api/v1/."""

from django.urls import path

from tee.api.views import device, imports, keys, partitions, revocation, trust

urlpatterns = [
    path("trust", trust.Trust.as_view()),
    path("validation", trust.Validation.as_view()),
    path("validation/manufacturer", trust.ManufacturersValidation.as_view()),
    path("partitions/<str:partition_id>/attestation", trust.Attestation.as_view()),
    path("partitions/<str:partition_id>/access", partitions.Access.as_view()),
    path("partitions/<str:partition_id>/keep", partitions.Keep.as_view()),
    path("partitions/<str:partition_id>/single-use-keys", imports.SingleUseKeys.as_view()),
    path("imports", imports.Imports.as_view()),
    path("imports/<str:import_id>", imports.Import.as_view()),
    path("keys", keys.Keys.as_view()),
    path("keys/<str:reference>", keys.Key.as_view()),
    path("keys/<str:reference>/receipt", keys.Receipt.as_view()),
    path("keys/<str:reference>/public-key", keys.PublicKey.as_view()),
    path("keys/<str:reference>/versions", keys.Versions.as_view()),
    path("keys/<str:reference>/order", keys.Order.as_view()),
    path("random", device.Random.as_view()),
    path("keys/<str:reference>/revocation", revocation.Revocation.as_view()),
    path("keys/<str:reference>/revocation/check", revocation.RevocationCheck.as_view()),
    path("session", device.Session.as_view()),
]
