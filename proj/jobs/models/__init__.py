"""The tables of the job runtime."""

from proj.jobs.models.audit import AuditEntry
from proj.jobs.models.chord import Chord, ChordPart
from proj.jobs.models.job import Job, State
from proj.jobs.models.operation import Operation
from proj.jobs.models.queue import PausedQueue
from proj.jobs.models.rate import TaskRate
from proj.jobs.models.schedule import Overlap, SchedulePolicy, SkippedSlots
from proj.jobs.models.throughput import QueueMinute
from proj.jobs.models.worker import Worker

__all__ = [
    "AuditEntry",
    "Chord",
    "ChordPart",
    "Job",
    "Operation",
    "Overlap",
    "PausedQueue",
    "QueueMinute",
    "SchedulePolicy",
    "SkippedSlots",
    "State",
    "TaskRate",
    "Worker",
]
