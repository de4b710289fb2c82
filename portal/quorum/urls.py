from django.urls import path

from portal.quorum import api

urlpatterns = [
    path("officer/partition-requests", api.PartitionRequests.as_view()),
    path("officer/partitions", api.Partitions.as_view()),
    path("officer/world", api.World.as_view()),
    path("officer/actions", api.Actions.as_view()),
    path("officer/actions/<int:action_id>", api.Action.as_view()),
    path("officer/actions/<int:action_id>/approvals", api.Approvals.as_view()),
    path("officer/actions/<int:action_id>/withdrawal", api.Withdrawal.as_view()),
    path("officer/parts", api.NewestParts.as_view()),
    path("officer/unseal", api.Unseal.as_view()),
    path("officer/unseal/begin", api.UnsealBegin.as_view()),
    path("officer/unseal/parts", api.UnsealParts.as_view()),
]
