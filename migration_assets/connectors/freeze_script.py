"""Scripts for the owner of a legacy database: one by which its tables refuse every write, and one that ends it.

Only text is made here; nobody but the owner should be able to run it. What was written all the same is found by reading
the source again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import URL, Dialect, make_url

from migration_assets.domain.errors import BadInput

_EVENTS = ("INSERT", "UPDATE", "DELETE")


def freeze_script(
    url: str, tables: Sequence[str], *, name: str = "cutover_freeze", writer: str | None = None, undo: bool = False
) -> str:
    """The script that freezes these tables (`schema.table` or `table`) of a database, or that ends it (`undo`).

    `name`: what the objects of the freeze are called there: of two freezes of one database each has its own.
    `writer`: the account that the old application writes by, for databases where a right is taken away and no trigger
    can refuse a whole statement. BadInput when it is needed and missing.
    """
    parsed = make_url(url)
    dialect = parsed.get_dialect()()
    names = [_quoted(dialect, table) for table in tables]
    if parsed.get_backend_name() == "postgresql":
        lines = _postgres_undone(name, names) if undo else _postgres(name, names)
    elif parsed.get_backend_name() == "sqlite":
        lines = _sqlite(name, tables, names, undo=undo)
    else:
        lines = _rights(parsed, dialect, names, writer, undo=undo)
    what = "Lets" if undo else "Freezes"
    end = " be written again" if undo else ": every write is refused until the script made with --undo is run"
    head = f"-- {what} {len(tables)} table(s){end}.\n-- To be run by the owner of the database, in one piece."
    return "\n".join([head, *lines]) + "\n"


def _quoted(dialect: Dialect, table: str) -> str:
    return ".".join(_name(dialect, part) for part in table.split("."))


def _name(dialect: Dialect, name: str) -> str:
    """A name in quotes. What the preparer makes of it doubles percent signs, as a driver would want them."""
    quotes = dialect.identifier_preparer
    return f"{quotes.initial_quote}{name.replace(quotes.final_quote, quotes.final_quote * 2)}{quotes.final_quote}"


def _postgres(freeze: str, names: Sequence[str]) -> list[str]:
    """A trigger refuses whole statements, also of the tables' owner and of replication. The lock waits for who is
    writing now, so that nothing is under way when the freeze holds."""
    each = []
    for name in names:
        each += [
            f"CREATE TRIGGER {freeze} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {name}",
            f"  FOR EACH STATEMENT EXECUTE FUNCTION {freeze}.refuse();",
            f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER {freeze};",
        ]
    return [
        "BEGIN;",
        f"LOCK TABLE {', '.join(names)} IN SHARE ROW EXCLUSIVE MODE;",
        f"CREATE SCHEMA {freeze};",
        f"CREATE FUNCTION {freeze}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$",
        "BEGIN",
        "  RAISE EXCEPTION 'table % is frozen: its rows are moving to the new system', TG_TABLE_NAME",
        "    USING ERRCODE = 'read_only_sql_transaction';",
        "END",
        "$$;",
        *each,
        "COMMIT;",
    ]


def _postgres_undone(freeze: str, names: Sequence[str]) -> list[str]:
    return [
        "BEGIN;",
        *(f"DROP TRIGGER IF EXISTS {freeze} ON {name};" for name in names),
        f"DROP FUNCTION IF EXISTS {freeze}.refuse();",
        f"DROP SCHEMA IF EXISTS {freeze};",
        "COMMIT;",
    ]


def _sqlite(freeze: str, tables: Sequence[str], names: Sequence[str], *, undo: bool) -> list[str]:
    lines = ["BEGIN IMMEDIATE;"]
    for table, name in zip(tables, names, strict=True):
        for event in _EVENTS:
            trigger = '"' + f"{freeze}_{event.lower()}_{table}".replace('"', '""') + '"'
            if undo:
                lines.append(f"DROP TRIGGER IF EXISTS {trigger};")
            else:
                said = "table is frozen: its rows are moving to the new system"
                lines.append(
                    f"CREATE TRIGGER {trigger} BEFORE {event} ON {name} BEGIN SELECT RAISE(ABORT, '{said}'); END;"
                )
    return [*lines, "COMMIT;"]


def _rights(url: URL, dialect: Dialect, names: Sequence[str], writer: str | None, *, undo: bool) -> list[str]:
    """Rights are taken away where triggers cannot refuse a whole statement. The owner keeps its own."""
    if writer is None:
        raise BadInput(
            f"a database of kind {url.get_backend_name()} is frozen by taking rights away, and nobody said from whom",
            "Give the account by which the old application writes: --writer NAME.",
        )
    # MySQL's accounts are a name and where it comes from.
    parts = writer.rsplit("@", 1) if url.get_backend_name() in ("mysql", "mariadb") else [writer]
    who = "@".join(_name(dialect, part) for part in parts)
    verb, side = ("GRANT", "TO") if undo else ("REVOKE", "FROM")
    return [f"{verb} {', '.join(_EVENTS)} ON {name} {side} {who};" for name in names]
