"""What a fault program says on standard output: one line `ready`, then one JSON line per act."""

import json
import sys
import threading
import time

_lock = threading.Lock()


def ready():
    """Tells the harness that from now on nothing is missed."""
    _line("ready")


def acted(what, **facts):
    """Writes the ground truth of one act: what was done, when (seconds since 1970), and its facts."""
    _line(json.dumps({"acted": what, "at": round(time.time(), 6), **facts}))


def trouble(text):
    """Writes what went wrong to standard error; the program goes on."""
    print(text, file=sys.stderr, flush=True)


def _line(text):
    with _lock:
        print(text, flush=True)
