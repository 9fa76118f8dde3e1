"""Receives Glovebox callbacks: checks the signature and prints each notice once.

    GLOVEBOX_CALLBACK_KEY=… python3 callback_receiver.py 8000

Standard library only. A receiver must look at the signature before it believes anything, and may hear the same
notice again: `Glovebox-Delivery` tells.
"""

import hashlib
import hmac
import http.server
import json
import os
import sys
import time


def is_genuine(key: bytes, signature: str, body: bytes, tolerance: float = 300) -> bool:
    """Whether one of the signatures (there are two while keys are exchanged) is ours, and not older than that."""
    parts = [part.partition("=")[::2] for part in signature.split(",")]
    sent = next((value for name, value in parts if name == "t"), "")
    if not sent.isdecimal() or abs(time.time() - int(sent)) > tolerance:
        return False
    ours = hmac.new(key, sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    return any(name == "v1" and hmac.compare_digest(value, ours) for name, value in parts)


class Receiver(http.server.BaseHTTPRequestHandler):
    seen = set()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = os.environ["GLOVEBOX_CALLBACK_KEY"].encode()
        if not is_genuine(key, self.headers.get("Glovebox-Signature", ""), body):
            return self.answer(401)
        if self.headers["Glovebox-Delivery"] not in self.seen:
            notice = json.loads(body)
            print(notice["id"], notice["status"], (notice["result"] or {}).get("stdout", ""), flush=True)
            self.seen.add(self.headers["Glovebox-Delivery"])
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
