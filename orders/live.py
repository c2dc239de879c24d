"""What an order's events tell of it."""

from collections.abc import Mapping, Sequence

from orders.payments.models import OPEN
from orders.payments.models.refund import OPEN_REFUNDS
from orders.states import FINAL
from proj.live.kinds import Kind, State, read_states

# Whole rows: what is added to them one day changes the version too. Every part is found by an index on its order; that of
# jobs leaves out those about nothing. `held` is what `orders.waiting` tells.
_STATES = """
SELECT o.id,
       md5(concat_ws(
           E'\\n',
           o::text,
           (SELECT string_agg(s::text, E'\\n' ORDER BY s.id) FROM orders_orderstep s WHERE s.order_id = o.id),
           money.rows,
           (SELECT 'held'
              FROM jobs_job j
              JOIN jobs_pausedqueue p ON p.queue = j.queue
             WHERE j.subject = 'order:' || o.id AND j.subject <> '' AND j.state = 'queued'
             LIMIT 1)
       )),
       o.status,
       o.status = ANY(%(final)s) AND NOT coalesce(money.moving, false)
  FROM orders_order o
  LEFT JOIN LATERAL (
       SELECT string_agg(concat(a::text, r::text), E'\\n' ORDER BY a.id, r.id) AS rows,
              bool_or(a.state = ANY(%(open)s) OR coalesce(r.state = ANY(%(open_refunds)s), false)) AS moving
         FROM payments_paymentattempt a
         LEFT JOIN payments_refund r ON r.attempt_id = a.id
        WHERE a.order_id = o.id
       ) money ON true
 WHERE o.id = ANY(%(keys)s)
"""


def _read(keys: Sequence[int]) -> Mapping[int, State]:
    return read_states(_STATES, keys=keys, final=FINAL, open=OPEN, open_refunds=OPEN_REFUNDS)


ORDER = Kind("order", _read)
