"""A host counts as this machine only when nothing sent to it can leave the machine."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_assets.connectors.loopback import is_local, stays_here
from migration_assets.connectors.postgres_source import connection_parameters
from migration_assets.connectors.postgres_target import connection_arguments

LOOPBACK = IPv4Network("127.0.0.0/8")


@pytest.mark.parametrize("host", [None, ""])
def test_no_host_is_the_local_socket_of_libpq(host: str | None) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["/var/run/postgresql", "/tmp", "@postgresql"])
def test_a_unix_socket_by_path_or_abstract_name_is_local(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "[::1]", "0:0:0:0:0:0:0:1"])
def test_loopback_by_name_or_address_is_local(host: str) -> None:
    assert is_local(host)


@given(st.ip_addresses(network=LOOPBACK))
@settings(max_examples=30)
def test_the_whole_loopback_network_is_local(address: IPv4Address) -> None:
    assert is_local(str(address))


@given(st.ip_addresses(v=4).filter(lambda a: a not in LOOPBACK))
@settings(max_examples=50)
def test_no_other_address_of_version_4_is_local(address: IPv4Address) -> None:
    assert not is_local(str(address))


@given(st.ip_addresses(v=6).filter(lambda a: a != IPv6Address("::1") and a.ipv4_mapped is None), st.booleans())
@settings(max_examples=50)
def test_no_other_address_of_version_6_is_local_in_brackets_or_without(address: IPv6Address, brackets: bool) -> None:
    assert not is_local(f"[{address}]" if brackets else str(address))


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "192.168.1.10", "169.254.0.1", "126.255.255.255", "128.0.0.0",
                                  "::", "fe80::1", "fd00::1", "[2001:db8::1]"])  # fmt: skip
def test_an_address_of_a_private_network_or_of_every_interface_is_not_local(host: str) -> None:
    assert not is_local(host)


@pytest.mark.parametrize("host", ["db.example.com", "localhost.example.com", "127.0.0.1.example.com", "my-localhost",
                                  "db/localhost", "127.0.0.1/8", "127.0.0.1:5432", "db@localhost"])  # fmt: skip
def test_a_name_that_only_looks_like_this_machine_is_not_local(host: str) -> None:
    assert not is_local(host)


@pytest.mark.parametrize("hosts", ["localhost,db.example.com", "127.0.0.1,10.0.0.7", "db.example.com,localhost"])
def test_a_list_of_hosts_is_not_local_when_one_of_them_is_not(hosts: str) -> None:
    assert not is_local(hosts)


AWAY = {
    "an address beside a local name": {"host": "localhost", "hostaddr": "203.0.113.7"},
    "the second of a list": {"host": "/tmp,db.example.com"},
    "a name": {"host": "db.example.com"},
}


@pytest.mark.parametrize("parameters", AWAY.values(), ids=AWAY)
def test_a_connection_that_may_leave_the_machine_does_not_stay_here(parameters: dict[str, object]) -> None:
    assert not stays_here(parameters, {})


def test_what_is_left_out_comes_from_the_environment() -> None:
    assert stays_here({}, {}) and stays_here({"host": "127.0.0.1"}, {"PGHOST": "db.example.com"})
    assert not stays_here({}, {"PGHOST": "db.example.com"})
    assert not stays_here({}, {"PGHOSTADDR": "203.0.113.7", "PGHOST": "localhost"})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://u@/x?host=db.example.com",
        "postgresql+psycopg://u@127.0.0.1/x?host=db.example.com",
        "postgresql+psycopg://u@localhost/x?hostaddr=203.0.113.7",
        "postgresql+psycopg://u@/x?host=/tmp&host=db.example.com",
    ],
)
def test_source_and_target_verify_the_certificate_of_whatever_is_away(url: str) -> None:
    assert connection_arguments(url)["sslmode"] == "verify-full"
    assert connection_parameters(url)["sslmode"] == "verify-full"
