"""Paths of this package under /api/v1/."""

from django.urls import path

from portal.jobs import api

urlpatterns = [
    path("jobs", api.Jobs.as_view()),
    path("jobs/<str:job_id>", api.Job.as_view()),
    path("jobs/<str:job_id>/start", api.Start.as_view()),
    path("jobs/<str:job_id>/cancel", api.Cancel.as_view()),
    path("jobs/<str:job_id>/chunks", api.Chunks.as_view()),
    path("jobs/<str:job_id>/chunks/<int:number>", api.Chunk.as_view()),
]
