"""Which hosts are this machine itself: beyond it a server's certificate is verified, unless its URL says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address


def is_local(host: str | None) -> bool:
    """Whether a host is reached over loopback or a Unix socket only. No host is libpq's local socket."""
    if not host or host == "localhost" or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def stays_here(parameters: Mapping[str, object], env: Mapping[str, str]) -> bool:
    """Whether a connection with these libpq parameters stays on this machine; every host of a list has to.

    An address given beside a host is what is connected to, and what is left out comes from PGHOSTADDR and PGHOST.
    """
    named = parameters.get("hostaddr") or parameters.get("host") or env.get("PGHOSTADDR") or env.get("PGHOST") or ""
    return all(is_local(host) for host in str(named).split(","))
