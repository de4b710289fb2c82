from django.urls import path

from portal.audit import api

urlpatterns = [
    path("partitions/<str:partition_id>/log", api.Log.as_view()),
    path("partitions/<str:partition_id>/checkpoint", api.Checkpoint.as_view()),
]
