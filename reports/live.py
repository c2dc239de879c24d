"""What a report's events tell of it."""

from collections.abc import Mapping, Sequence

from proj.live.kinds import Kind, State, read_states
from reports.models import Report

_STATES = """
SELECT id, md5(report::text), status, NOT status = ANY(%(unfinished)s)
  FROM reports_report report
 WHERE id = ANY(%(keys)s)
"""


def _read(keys: Sequence[int]) -> Mapping[int, State]:
    return read_states(_STATES, keys=keys, unfinished=Report.UNFINISHED)


REPORT = Kind("report", _read)
