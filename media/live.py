"""What an avatar's events tell of it."""

from collections.abc import Mapping, Sequence

from media.models import Avatar
from proj.live.kinds import Kind, State, read_states

UNFINISHED = (Avatar.Status.QUEUED, Avatar.Status.PROCESSING)

_STATES = """
SELECT a.id,
       md5(concat_ws(
           E'\\n',
           a::text,
           (SELECT string_agg(t::text, E'\\n' ORDER BY t.id) FROM media_thumbnail t WHERE t.avatar_id = a.id)
       )),
       a.status,
       NOT a.status = ANY(%(unfinished)s)
  FROM media_avatar a
 WHERE a.id = ANY(%(keys)s)
"""


def _read(keys: Sequence[int]) -> Mapping[int, State]:
    return read_states(_STATES, keys=keys, unfinished=UNFINISHED)


AVATAR = Kind("avatar", _read)
