"""Servers on loopback for tests: an S3 that looks at signatures, a wire to it that can be cut, and a web server."""

import json
import os
import select
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

OPEN_CALLS = 3
"""Calls that moto lets pass before it asks for a signature: those that make the user."""


CLOSED = "closed"
"""Captures of this name nobody may read."""


class Wire:
    """Hands octets on to a port; cut, it lets nobody through, and drops who is."""

    def __init__(self, port: int) -> None:
        self.cut = False
        wire = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                if not wire.cut:
                    with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as onward:
                        wire.hand_on(self.request, onward)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def hand_on(self, one: socket.socket, other: socket.socket) -> None:
        while not self.cut:
            for ready in select.select([one, other], [], [], 0.05)[0]:
                octets = ready.recv(1 << 16)
                if not octets:
                    return
                (other if ready is one else one).sendall(octets)

    def close(self) -> None:
        self.cut = True
        self._server.shutdown()
        self._server.server_close()


class S3:
    """An S3 with one user, who may do anything but read what is CLOSED.

    environment -- what the tools of AWS take its address and the user's key from; secret -- the key
    """

    def __init__(self, wire: Wire, key: dict[str, str]) -> None:
        self.wire, self.secret = wire, key["SecretAccessKey"]
        self.url = f"http://127.0.0.1:{wire.port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def client(self) -> Any:
        return _client("s3", self.url, self.environment["AWS_ACCESS_KEY_ID"], self.secret)


def _client(service: str, url: str, key: str, secret: str) -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )


@contextmanager
def s3_server() -> Iterator[S3]:
    """One of its own, by moto: empty."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": str(OPEN_CALLS)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        wire = Wire(port)
        try:
            yield S3(wire, _user(f"http://127.0.0.1:{port}"))
        finally:
            wire.close()
    finally:
        process.kill()
        process.wait()


def _user(url: str) -> dict[str, str]:
    iam = _client("iam", url, "root", "root")
    iam.create_user(UserName="fleet")
    key: dict[str, str] = iam.create_access_key(UserName="fleet")["AccessKey"]
    all_of_s3 = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    closed = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::*/{CLOSED}.pcap"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [all_of_s3, closed]})
    iam.put_user_policy(UserName="fleet", PolicyName="all", PolicyDocument=policy)
    return key


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError("moto does not start")


class _Quiet(SimpleHTTPRequestHandler):
    """Python's own, which knows no ranges and no ETag."""

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """The address of one that gives out a folder, and lists it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
