"""Where in a bank's warehouse and folders any of some texts can be found."""

from __future__ import annotations

from collections.abc import Iterable

from warehouse import Settings, Warehouse
from warehouse.names import quoted, quoted_name

# The bank's own files, what was planted in them, and the cluster, whose tables are searched as tables.
NOT_SEARCHED = ("landing", "truth", "postgres")


def find_in_tables(wh: Warehouse, texts: Iterable[str]) -> dict[str, int]:
    """Every base table with rows in which a column of any type holds one of the texts; how many rows."""
    tables = wh.query(
        """
        select table_schema || '.' || table_name as name
        from information_schema.tables
        where
            table_type = 'BASE TABLE'
            and table_catalog = current_database()
            and table_schema not in ('information_schema', 'pg_catalog')
        order by 1
        """
    )["name"].to_pylist()
    assert len(tables) > 20, "the hunt has to see the warehouse"
    found = {}
    for table in tables:
        held = [
            f"position('{text}' in cast({quoted(column)} as varchar)) > 0"
            for column in wh.column_types(table)
            for text in texts
        ]
        count = wh.query(f"select count(*) as n from {quoted_name(table)} where {' or '.join(held)}")
        if count["n"][0].as_py():
            found[table] = count["n"][0].as_py()
    return found


def find_in_files(settings: Settings, texts: Iterable[str]) -> set[str]:
    """Every file under the home, searched byte by byte, with one of the texts; paths from the home."""
    wanted = [text.encode() for text in texts]
    found = set()
    for file in settings.home.rglob("*"):
        path = file.relative_to(settings.home)
        if file.is_file() and path.parts[0] not in NOT_SEARCHED:
            content = file.read_bytes()
            if any(text in content for text in wanted):
                found.add(str(path))
    return found
