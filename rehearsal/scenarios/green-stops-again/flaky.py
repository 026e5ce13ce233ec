"""A service whose first three tasks give up soon after they have started, as one does whose database is not there yet."""

import http.server
import os
import signal
import sys
import tempfile
import time


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def stops():
    """One of three marks in the temporary folder, of this rehearsal alone: who makes one has to stop."""
    for number in range(3):
        mark = os.path.join(tempfile.gettempdir(), f"flaky-{os.getppid()}-{number}")
        try:
            os.mkdir(mark)
            return True
        except FileExistsError:
            continue
    return False


def forget(*_):
    for number in range(3):
        mark = os.path.join(tempfile.gettempdir(), f"flaky-{os.getppid()}-{number}")
        if os.path.isdir(mark):
            os.rmdir(mark)
    sys.exit(0)


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Health)
if stops():
    time.sleep(0.1)
    print("connecting to db.internal", "no route to db.internal, giving up", sep="\n", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, forget)
server.serve_forever()
