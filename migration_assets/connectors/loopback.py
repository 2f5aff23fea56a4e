"""Which hosts are this machine itself: beyond it a server's certificate is verified, unless its URL says otherwise."""

from __future__ import annotations

from ipaddress import ip_address


def is_local(host: str | None) -> bool:
    """Whether a host is reached over loopback or a Unix socket only. No host is libpq's local socket."""
    if not host or host == "localhost" or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
