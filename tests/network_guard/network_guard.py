"""Refuses every socket to anything but this machine, for the rest of the process.

An audit hook sees the address before the system call is made, whoever calls it through
Python's ``socket`` module, and cannot be taken out again. Sockets that a C library opens by
itself (gRPC's, TensorFlow's) do not pass here: ``offline.py`` keeps those in.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any


class NetworkForbiddenError(RuntimeError):
    """Something tried to reach another machine. Not an ``OSError``, which code may handle."""


_OWN_NAMES = {"", "localhost", "localhost.localdomain", socket.gethostname().lower()}
_LOOKUPS = {
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.getnameinfo",
}
_installed = False


def is_local(host: str | bytes | None) -> bool:
    """Tells whether a host, as given to ``connect`` or ``getaddrinfo``, is this machine."""
    if host is None:
        return True
    name = (host.decode() if isinstance(host, bytes) else host).lower().partition("%")[0]
    if name in _OWN_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse(event: str, host: object) -> None:
    raise NetworkForbiddenError(f"{event} to {host!r}: tests may reach this machine only")


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        family, address = arguments[0].family, arguments[1]
        # Without an address the packet goes where `connect` was allowed to go.
        if family in (socket.AF_INET, socket.AF_INET6) and address and not is_local(address[0]):
            _refuse(event, address[0])
    elif event in _LOOKUPS:
        # Asking for a name or its owner asks a server. `getnameinfo` passes a socket address.
        host = arguments[0][0] if event == "socket.getnameinfo" else arguments[0]
        if not is_local(host):
            _refuse(event, host)


def install() -> None:
    """Forbids the network in this process, once."""
    global _installed
    if not _installed:
        sys.addaudithook(_audit)
        _installed = True
