"""From an app's own things in the admin to the jobs that work on them."""

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.html import format_html


def job_link(task_id: str) -> str:
    """Return a link to a job, or to its result once it has ended: which of them is asked when somebody goes there."""
    if not task_id:
        return "none"
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:jobs_job_change", args=[quote(task_id)]), task_id
    )
