"""Databases and their URLs: which server is used, a database made when missing, connections that keep secrets.

Belongs here: what is the same for the embedded server and for one of the user's own. Starting and stopping the embedded
one is `connectors.embedded_postgres`; which databases a plan has is `wiring.environment`.

A server is known by an administrator's URL, as libpq takes it: `postgresql://role:password@host:port/postgres`.
No error of this module holds a password, a query or a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

import psycopg
import sqlalchemy
from psycopg import errors, sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from migration_assets.connectors.loopback import stays_here
from migration_assets.domain.errors import Misconfigured

Driver = Literal["psycopg", "psycopg2"]
VARIABLE = "CUTOVER_DATABASE_URL"
FORM = "It reads postgresql://role:password@host:5432/postgres, with special characters in the password as %XX."
NAME_BYTES = 63
CONNECT_SECONDS = 10


def own_server(env: Mapping[str, str]) -> str | None:
    """The URL of the user's own server, or None when the embedded one is to be used (unset or empty).

    Outside loopback the server's certificate is verified unless the URL says otherwise: libpq by itself would fall
    back to plain text without a word.
    """
    given = env.get(VARIABLE, "").strip()
    if not given:
        return None
    url = _parsed(given)
    if not url.database:
        url = url.set(database="postgres")
    if "sslmode" not in url.query and not _is_local(url, env):
        url = url.update_query_dict({"sslmode": "verify-full"})
    return _rendered(url, None)


def database_url(server_url: str, name: str, driver: Driver | None = None) -> str:
    """The URL of one database of a server: for SQLAlchemy with that driver, or (None) as libpq takes it."""
    if len(name.encode()) > NAME_BYTES:
        raise Misconfigured(
            f"The database name {name} is longer than {NAME_BYTES} bytes; PostgreSQL would cut it.",
            "Give the plan or the database a shorter name.",
        )
    return _rendered(_parsed(server_url).set(database=name), driver)


def redacted(url: str) -> str:
    """The URL for people to read: host, port and database only."""
    return _place(_parsed(url))


def ensure_database(admin_url: str, name: str) -> bool:
    """Make the database unless it is there; True when this call made it. Any number of processes may call at once.

    Encoding UTF8, locale C and time zone UTC, so that every server sorts and reads clocks alike.
    """
    database_url(admin_url, name)
    with connect(admin_url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = %s", (name,)
        ).fetchone()
        if found is None:
            return _create(connection, name)
        if found[0] != "UTF8":
            raise Misconfigured(
                f"The database {name} has the encoding {found[0]}.", "Names of people need UTF8: drop or rename it."
            )
        return False


def databases_of(admin_url: str) -> frozenset[str]:
    """Names of the databases that the server has."""
    with connect(admin_url) as connection:
        return frozenset(row[0] for row in connection.execute("SELECT datname FROM pg_database"))


def drop_database(admin_url: str, name: str) -> None:
    """Drop the database, if it is there, and the sessions in it."""
    with connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def connect(url: str, *, autocommit: bool = False) -> psycopg.Connection[tuple[Any, ...]]:
    """A psycopg connection by any form of URL. Raises Misconfigured when the server cannot be reached."""
    parsed = _parsed(url)
    try:
        return psycopg.connect(
            _rendered(parsed, None), autocommit=autocommit, connect_timeout=CONNECT_SECONDS, application_name="cutover"
        )
    except psycopg.Error as error:
        raise _unreachable(parsed, error) from None


def sqlalchemy_engine(url: str) -> sqlalchemy.Engine:
    """A SQLAlchemy engine by any form of URL; its errors do not show the values of a statement."""
    return sqlalchemy.create_engine(
        _rendered(_parsed(url), "psycopg"),
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "cutover"},
    )


def _create(connection: psycopg.Connection[tuple[Any, ...]], name: str) -> bool:
    # From version 15 on a server may sort by ICU whatever the locale says.
    provider = " LOCALE_PROVIDER libc" if connection.info.server_version >= 150000 else ""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'" + provider)
    clock = sql.SQL("ALTER DATABASE {} SET timezone TO 'UTC'")
    try:
        connection.execute(statement.format(sql.Identifier(name)))
        connection.execute(clock.format(sql.Identifier(name)))
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        # Somebody else made it between the look and the statement.
        return False
    except errors.InsufficientPrivilege:
        raise Misconfigured(
            f"The role {connection.info.user} may not create the database {name}.",
            f"Give it the right (ALTER ROLE ... CREATEDB), or have the database made for it beforehand ({VARIABLE}).",
        ) from None
    return True


def _parsed(text: str) -> URL:
    """A URL, without a word of it in the error: the wrong part may be the password."""
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise Misconfigured("The database URL cannot be read.", FORM) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise Misconfigured(f"The database URL is for {url.get_backend_name()}, not for PostgreSQL.", FORM)
    return url


def _is_local(url: URL, env: Mapping[str, str]) -> bool:
    given = {name: ",".join(_values(value)) for name, value in url.query.items()}
    return stays_here({**given, "host": url.host or given.get("host")}, env)


def _values(found: str | tuple[str, ...]) -> tuple[str, ...]:
    return (found,) if isinstance(found, str) else found


def _place(url: URL) -> str:
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{url.host or 'local socket'}{port}/{url.database or ''}"


def _rendered(url: URL, driver: Driver | None) -> str:
    """The URL as text, everything special as %XX: libpq, unlike SQLAlchemy, reads neither `+` nor a space as space."""
    user = quote(url.username, safe="") if url.username is not None else ""
    password = f":{quote(str(url.password), safe='')}" if url.password is not None else ""
    host = f"[{url.host}]" if url.host and ":" in url.host else quote(url.host or "", safe=".")
    port = f":{url.port}" if url.port is not None else ""
    options = "&".join(
        f"{quote(key, safe='')}={quote(value, safe='')}"
        for key, values in url.query.items()
        for value in _values(values)
    )
    account = f"{user}{password}@" if user or password else ""
    scheme = f"postgresql+{driver}" if driver else "postgresql"
    database = quote(url.database or "", safe="")
    return f"{scheme}://{account}{host}{port}/{database}{f'?{options}' if options else ''}"


def _unreachable(url: URL, error: psycopg.Error) -> Misconfigured:
    said = str(error).strip()
    for password in (url.password, *_values(url.query.get("password", ()))):
        said = said.replace(str(password), "***") if password else said
    remedy = f"Check that the server runs, and role, password and host in {VARIABLE} if the server is your own."
    if "certificate" in said or "SSL" in said:
        remedy = (
            f"Say in {VARIABLE} how the certificate is checked: ?sslmode=verify-full&sslrootcert=<file, or system>; "
            "sslmode=disable gives up encryption."
        )
    return Misconfigured(f"No connection to {_place(url)}: {said}", remedy)
