"""The sandbox by itself: starts in a tenth of a second, and needs no settings, database or broker."""

import logging
import sys
from argparse import ArgumentParser
from functools import partial

from orders.payments.sandbox.options import HELP, Unusable, add_options, serve

parser = ArgumentParser("python -m orders.payments.sandbox", description=HELP)
add_options(parser, key="sk_test_sandbox")
logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
try:
    serve(vars(parser.parse_args()), partial(print, flush=True))
except Unusable as unusable:
    sys.exit(str(unusable))
