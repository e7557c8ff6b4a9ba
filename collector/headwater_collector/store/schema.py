"""One integer version, the tables, and where they meet the views of analysis."""

import hashlib
from importlib import resources
from pathlib import Path

import duckdb

from headwater_analysis import sql

from .errors import StoreBroken, StoreTooNew

VERSION = 6
"""Version of the physical layout. A store of a higher version is refused, one of a lower is migrated."""


def check_version(connection: duckdb.DuckDBPyConnection, path: Path) -> int | None:
    """The version of an open store, None for an empty file; raises StoreTooNew or StoreBroken."""
    tables = connection.execute("select table_name from duckdb_tables()").fetchall()
    if not tables:
        return None
    if ("store_version",) not in tables:
        raise StoreBroken(path, "it is a DuckDB file, but not one of headwater's")
    row = connection.execute("select version from store_version").fetchone()
    if row is None:
        raise StoreBroken(path, "its version is missing")
    version = int(row[0])
    if version > VERSION:
        raise StoreTooNew(path, version, VERSION)
    return version


def table_objects() -> tuple[sql.SqlObject, ...]:
    """Every physical table in order of creation."""
    return tuple(sql.ordered(resources.files(__package__) / "tables"))


def migrate(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    """Brings the tables of an older store to this version, a version at a time, each in one transaction.

    A step stands in ``migrations`` under the version that it leads to and never changes afterwards.
    """
    for step in range(version + 1, VERSION + 1):
        connection.execute("begin")
        try:
            for item in sql.ordered(resources.files(__package__) / "migrations" / str(step)):
                connection.execute(item.text)
            connection.execute("update store_version set version = ?", [step])
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise


def install(connection: duckdb.DuckDBPyConnection, version: int | None) -> None:
    """Makes what is missing: tables in a new store, and the views of this version in any.

    Views are bound when they are made, which takes most of an opening; so a store says which it has.
    """
    if version is None:
        connection.execute("create table store_version (version integer not null)")
        connection.execute("insert into store_version values (?)", [VERSION])
        for item in table_objects():
            connection.execute(item.text)
    wanted = _fingerprint(sql.view_objects())
    row = connection.execute(
        "select comment from duckdb_tables() where schema_name = 'main' and table_name = 'store_version'"
    ).fetchone()
    if row == (wanted,):
        return
    _drop_derived(connection)
    sql.install(connection.execute)
    connection.execute(f"comment on table store_version is '{wanted}'")


def _fingerprint(views: tuple[sql.SqlObject, ...]) -> str:
    """What these views are, as this DuckDB binds them on the tables of this version."""
    told = "\0".join((duckdb.__version__, str(VERSION), *(item.text for item in views)))
    return f"views {hashlib.sha256(told.encode()).hexdigest()[:32]}"


def _drop_derived(connection: duckdb.DuckDBPyConnection) -> None:
    """Drops all views and macros, so that none of an older version stays behind."""
    views = connection.execute("select view_name from duckdb_views() where not internal").fetchall()
    for (name,) in views:
        connection.execute(f'drop view "{name}"')
    macros = connection.execute(
        "select distinct function_name, function_type from duckdb_functions() "
        "where not internal and function_type in ('macro', 'table_macro')"
    ).fetchall()
    for name, kind in macros:
        connection.execute(f'drop macro {"table " if kind == "table_macro" else ""}"{name}"')
