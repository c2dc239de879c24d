from celery.app.task import Context
from kombu.utils.json import loads

from proj.jobs.models import Job


def request_of(job: Job) -> Context:
    """Return the request that a worker would have made of a job's message."""
    args, kwargs, embed = loads(job.message["body"])
    return Context(
        {
            **job.message["headers"],
            **embed,
            "args": args,
            "kwargs": kwargs,
            "hostname": job.worker,
            "delivery_info": {"routing_key": job.queue, "priority": job.priority, "is_eager": False},
        }
    )
