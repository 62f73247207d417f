"""A lab of real daemons: pairs of network namespaces with strongSwan in them, made by the tests and taken away by them.

Needs root, iproute2, nftables and strongSwan's charon (on Debian: iproute2, nftables, strongswan-charon,
libstrongswan-extra-plugins, strongswan-swanctl). All traffic stays between the two ends of a veth pair.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pytest

LEFT, RIGHT = "10.91.0.1", "10.91.0.2"
CHARON = Path("/usr/lib/ipsec/charon")


def missing(*commands: str) -> str:
    """Why a test that needs root and these commands cannot run; "" where it can."""
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    absent = [c for c in commands if shutil.which(c) is None and not Path(c).exists()]
    return f"needs {', '.join(absent)}" if absent else ""


def needs(*commands: str) -> pytest.MarkDecorator:
    """A mark for tests that need root and these commands beside `ip`."""
    reason = missing("ip", *commands)
    return pytest.mark.skipif(bool(reason), reason=reason)


def shell(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)


class Pair:
    """Two namespaces that are joined by a veth pair, `left` in the one and `right` in the other."""

    def __init__(self, name: str, folder: Path) -> None:
        self.left, self.right = f"pd-{name}-l", f"pd-{name}-r"
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Pair":
        self._delete()
        try:
            for namespace in (self.left, self.right):
                shell("ip", "netns", "add", namespace)
            ends = ("left", "type", "veth", "peer", "name", "right", "netns", self.right)
            shell("ip", "-n", self.left, "link", "add", *ends)
            for namespace, link, address in ((self.left, "left", LEFT), (self.right, "right", RIGHT)):
                # Router advertisements and the like would be packets that nobody asked for.
                self.run(namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
                shell("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", link)
                shell("ip", "-n", namespace, "link", "set", "lo", "up")
                shell("ip", "-n", namespace, "link", "set", link, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            stop(process, signal.SIGTERM)
        self._delete()

    def _delete(self) -> None:
        for namespace in (self.left, self.right):
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, timeout=30)

    def run(self, namespace: str, *command: str) -> str:
        """Run a command in a namespace to its end."""
        done = subprocess.run(
            ["ip", "netns", "exec", namespace, *command], check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout

    def start(
        self, namespace: str, *command: str, output: Path | None = None, reads: "IO[bytes] | None" = None
    ) -> subprocess.Popen[bytes]:
        """Start a command in a namespace; it is ended with the pair. Its standard error goes beside `output`."""
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(output.open("wb")) if output else subprocess.DEVNULL
            err = stack.enter_context(output.with_suffix(".err").open("wb")) if output else subprocess.DEVNULL
            process = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *command], stdin=reads or subprocess.DEVNULL, stdout=out, stderr=err
            )
        self._processes.append(process)
        return process

    def pipe(
        self, namespace: str, first: Sequence[str], second: Sequence[str], output: Path
    ) -> subprocess.Popen[bytes]:
        """Start `first | second`; return the first, which ends the other when it ends."""
        source = subprocess.Popen(
            ["ip", "netns", "exec", namespace, *first],
            stdout=subprocess.PIPE,
            stderr=output.with_suffix(".source").open("wb"),
        )
        self.start(namespace, *second, output=output, reads=source.stdout)
        self._processes.append(source)
        return source

    def drop(self, namespace: str, rule: str) -> None:
        """Have the namespace drop what arrives and matches an nftables rule."""
        text = f"table inet lab {{ chain arriving {{ type filter hook input priority 0; {rule} drop; }}; }}"
        self.run(namespace, "nft", text)

    def daemon(self, namespace: str, connection: str, secret: str, extra: str = "") -> "Daemon":
        """Start a charon with one connection to the other end."""
        mine, other = (LEFT, RIGHT) if namespace == self.left else (RIGHT, LEFT)
        return Daemon(self, namespace, mine, other, connection, secret, extra)


class Daemon:
    """A charon in a namespace of its own."""

    def __init__(
        self, pair: Pair, namespace: str, mine: str, other: str, connection: str, secret: str, extra: str
    ) -> None:
        self._pair = pair
        self._namespace = namespace
        folder = pair.folder / namespace
        folder.mkdir(parents=True)
        self._socket = f"unix://{folder}/vici"
        (folder / "strongswan.conf").write_text(
            f"""charon {{
  load = random nonce openssl pem pkcs1 x509 revocation constraints pubkey pkcs8 hmac sha1 sha2 aes gmp curve25519 kdf \
socket-default kernel-libipsec kernel-netlink vici
  install_routes = no
  retransmit_timeout = 1.0
  retransmit_base = 1.4
  retransmit_tries = 3
  {extra}
  plugins {{ vici {{ socket = {self._socket} }} }}
  filelog {{ log {{ path = {folder}/log
    default = 1 }} }}
}}
"""
        )
        (folder / "swanctl.conf").write_text(
            f"""connections {{ lab {{
  version = 1
  local_addrs = {mine}
  remote_addrs = {other}
  proposals = aes128-sha256-modp2048
  {connection}
  local {{ auth = psk }}
  remote {{ auth = psk }}
  children {{ lab {{ esp_proposals = aes128-sha256
    local_ts = {mine}/32
    remote_ts = {other}/32 }} }}
}} }}
secrets {{ ike-lab {{ secret = "{secret}" }} }}
"""
        )
        self._folder = folder
        script = 'mount -t tmpfs tmpfs /run; exec "$0"'
        environment = f"STRONGSWAN_CONF={folder}/strongswan.conf"
        pair.start(namespace, "unshare", "-m", "env", environment, "sh", "-c", script, str(CHARON))

    def ready(self) -> None:
        """Wait until it listens, and give it its connection."""
        until = time.monotonic() + 30
        configuration = f"{self._folder}/swanctl.conf"
        while True:
            try:
                self._swanctl("--load-all", "--file", configuration)
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def _swanctl(self, *arguments: str) -> None:
        self._pair.run(self._namespace, "swanctl", *arguments, "--uri", self._socket)

    def initiate(self) -> None:
        """Begin the tunnel, and do not wait for it."""
        self._pair.start(
            self._namespace, "swanctl", "--initiate", "--child", "lab", "--timeout", "60", "--uri", self._socket
        )


def stop(process: subprocess.Popen[bytes], number: int) -> int:
    """End a process; its exit status."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
    return process.returncode


def until(condition: "Sequence[Path]", text: bytes, seconds: float) -> None:
    """Wait until each of these files holds the text."""
    end = time.monotonic() + seconds
    while not all(path.exists() and text in path.read_bytes() for path in condition):
        assert time.monotonic() < end, f"{text!r} did not come within {seconds} s"
        time.sleep(0.1)


@contextlib.contextmanager
def pair(name: str, folder: Path) -> Iterator[Pair]:
    """A pair of namespaces, for a `with`."""
    with Pair(name, folder) as made:
        yield made
