"""A greeter: what a rehearsal needs of an application is a port from a variable and an end at SIGTERM."""

import http.server
import json
import os
import signal
import sys
import threading
import urllib.parse

BY_NAME = "--by-name" in sys.argv


class Greeter(http.server.BaseHTTPRequestHandler):
    # Keeps connections, as the load balancer does.
    protocol_version = "HTTP/1.1"
    # Sends head and body at once: two segments would wait for each other.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        match url.path:
            case "/health" | "/ready":
                self.answer(200, {"status": "ok"})
            case "/greeting":
                self.greet(urllib.parse.parse_qs(url.query).get("name", [""])[0])
            case _:
                self.answer(404, {"error": "nothing is here"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.greet(json.loads(body).get("name", ""))

    def greet(self, name):
        self.answer(200, {"greeting": f"Hello, {name}" if BY_NAME and name else "Hello"})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        # By this the hooks tell green from blue: the rehearsal sets VERSION to the task definition's revision.
        self.send_header("X-Version", os.environ.get("VERSION", "unknown"))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    # The standard library's 5 waiting connections are too few for a load balancer.
    request_queue_size = 128


server = Server(("127.0.0.1", int(os.environ["PORT"])), Greeter)
# Requests under way end; `shutdown` waits for the loop, so it must not run in it.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
