"""Which server is used, databases made when missing, and no password in what people read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict

from migration_assets.connectors.databases import (
    connect,
    database_url,
    drop_database,
    ensure_database,
    own_server,
    redacted,
    sqlalchemy_engine,
)
from migration_assets.domain.errors import Misconfigured

SECRET = "s3cr3t w/ @:#%+"
ENCODED = "s3cr3t%20w%2F%20%40%3A%23%25%2B"


def own(url: str, **env: str) -> str:
    found = own_server({"CUTOVER_DATABASE_URL": url, **env})
    assert found is not None
    return found


@pytest.mark.parametrize("env", [{}, {"CUTOVER_DATABASE_URL": ""}, {"CUTOVER_DATABASE_URL": "  "}])
def test_without_a_url_the_embedded_server_is_used(env: dict[str, str]) -> None:
    assert own_server(env) is None


@pytest.mark.parametrize(
    ("given", "sslmode"),
    [
        ("postgresql://u@db.example.com/postgres", "verify-full"),
        ("postgres://u@10.0.0.7", "verify-full"),
        ("postgresql+psycopg2://u@db.example.com/postgres?sslmode=require", "require"),
        ("postgresql://u@127.0.0.1:5432/postgres", None),
        ("postgresql://u@127.9.9.9/postgres", None),
        ("postgresql://u@[::1]:5432/postgres", None),
        ("postgresql://u@localhost", None),
        ("postgresql://u@/postgres?host=/var/run/postgresql", None),
        ("postgresql://u@/postgres?host=db.example.com", "verify-full"),
        ("postgresql://u@localhost/postgres?hostaddr=10.0.0.7", "verify-full"),
        ("postgresql://u@/postgres", None),
    ],
)
def test_outside_loopback_the_certificate_is_verified_unless_the_url_says_otherwise(
    given: str, sslmode: str | None
) -> None:
    assert conninfo_to_dict(own(given)).get("sslmode") == sslmode


def test_a_host_left_to_the_environment_counts() -> None:
    assert conninfo_to_dict(own("postgresql://u@/postgres", PGHOST="db.example.com"))["sslmode"] == "verify-full"


def test_libpq_and_sqlalchemy_read_the_same_out_of_a_url() -> None:
    admin = own(f"postgres://ann%40corp:{ENCODED}@127.0.0.1:5433?application_name=a+b&options=-c%20a%3Db")
    for_libpq = conninfo_to_dict(database_url(admin, "acme_control"))
    for_sqlalchemy = sqlalchemy.make_url(database_url(admin, "acme_control", "psycopg"))
    assert for_sqlalchemy.drivername == "postgresql+psycopg"
    assert for_libpq["password"] == for_sqlalchemy.password == SECRET
    assert for_libpq["user"] == for_sqlalchemy.username == "ann@corp"
    assert for_libpq["dbname"] == for_sqlalchemy.database == "acme_control"
    assert for_libpq["options"] == for_sqlalchemy.query["options"] == "-c a=b"
    assert for_libpq["application_name"] == for_sqlalchemy.query["application_name"] == "a b"


def test_the_administrators_database_is_postgres_when_none_is_named() -> None:
    assert urlsplit(own("postgresql://u@127.0.0.1/")).path == "/postgres"


@pytest.mark.parametrize("wrong", ["not a url", f"postgresql://u:{ENCODED}@h:port/x", f"mysql://u:{ENCODED}@h/x"])
def test_a_url_that_cannot_be_used_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(Misconfigured, match="The database URL") as refused:
        own(wrong)
    assert "s3cr3t" not in str(refused.value)
    assert "postgresql://role:password@host" in refused.value.remedy


def test_a_name_that_postgres_would_cut_is_refused() -> None:
    with pytest.raises(Misconfigured, match="longer than 63 bytes"):
        database_url("postgresql://u@localhost/postgres", "x" * 64)


def test_people_see_host_and_database_only() -> None:
    assert redacted(f"postgresql://u:{ENCODED}@h:1/x?password={ENCODED}") == "postgresql://h:1/x"


def test_no_password_shows_when_the_server_cannot_be_reached() -> None:
    with pytest.raises(Misconfigured, match=r"No connection to postgresql://127\.0\.0\.1:1/postgres") as refused:
        connect(f"postgresql://u:{ENCODED}@127.0.0.1:1/postgres")
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_server_without_a_certificate_is_not_talked_to_by_default(server: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        connect(server.replace("sslmode=disable", "sslmode=verify-full&sslrootcert=system"))
    assert "sslrootcert" in refused.value.remedy


def test_a_database_is_made_once_and_kept(server: str) -> None:
    name = f"test_{uuid4().hex[:16]}"
    try:
        assert ensure_database(server, name)
        with connect(database_url(server, name)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1")
        assert not ensure_database(server, name)
        with connect(database_url(server, name, "psycopg2")) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1,)
            shown = connection.execute(
                "SELECT current_setting('TimeZone'), current_setting('server_encoding'), datcollate"
                " FROM pg_database WHERE datname = current_database()"
            ).fetchone()
        assert shown == ("UTC", "UTF8", "C")
    finally:
        drop_database(server, name)


def test_many_at_once_make_one_database(server: str) -> None:
    name = f"test_{uuid4().hex[:16]}"
    try:
        with ThreadPoolExecutor(6) as pool:
            made = list(pool.map(lambda _: ensure_database(server, name), range(6)))
        assert made.count(True) == 1
    finally:
        drop_database(server, name)


def test_a_name_cannot_smuggle_a_statement(server: str) -> None:
    name = f'x"; DROP DATABASE y; -- {uuid4().hex[:8]}'
    try:
        assert ensure_database(server, name)
        assert not ensure_database(server, name)
    finally:
        drop_database(server, name)


def test_a_role_that_may_not_make_databases_is_told_what_it_lacks(server: str) -> None:
    role = f"poor_{uuid4().hex[:8]}"
    with connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        try:
            password = urlsplit(server).password
            with pytest.raises(Misconfigured, match="may not create the database") as refused:
                ensure_database(server.replace(f"postgres:{password}@", f"{role}:x@"), "never_made")
            assert "CREATEDB" in refused.value.remedy
        finally:
            connection.execute(f"DROP ROLE {role}")


def test_another_encoding_is_refused(server: str) -> None:
    name = f"test_{uuid4().hex[:16]}"
    with connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        with pytest.raises(Misconfigured, match="encoding LATIN1"):
            ensure_database(server, name)
    finally:
        drop_database(server, name)


def test_a_fresh_database_is_empty_and_an_engine_hides_what_it_was_given(database: str) -> None:
    engine = sqlalchemy_engine(database)
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE numbers (number integer)"))
            with pytest.raises(sqlalchemy.exc.ProgrammingError) as refused:
                connection.execute(sqlalchemy.text("INSERT INTO no_such VALUES (:mail)"), {"mail": "ada@example.org"})
        assert "ada@" not in str(refused.value)
        assert str(urlsplit(database).password) not in repr(engine)
    finally:
        engine.dispose()


def test_a_connection_is_plain_psycopg(database: str) -> None:
    with connect(database, autocommit=True) as connection:
        assert isinstance(connection, psycopg.Connection)
        assert connection.autocommit
