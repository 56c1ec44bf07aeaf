"""How many keys of a table come more than once: tens of millions of rows, counted in little memory."""

from __future__ import annotations

from collections.abc import Sequence

from warehouse import Warehouse


def repeated_keys(wh: Warehouse, relation: str, key: Sequence[str], covered: int) -> str:
    """SQL of one row: `count_repeated_keys` among the rows of `relation` beyond batch `covered`.

    A key that is null counts as a key. Where PostgreSQL keeps a unique index on the key, the index has proved
    what is asked and nothing is counted. DuckDB groups 64-bit hashes, in half the time and memory of text,
    and looks at the keys themselves only where a hash repeats.
    """
    columns = ", ".join(key)
    new = f"{relation} where batch_no > {covered}"
    if wh.target == "postgres":
        if _is_proved(wh, relation, key):
            return "select 0 as count_repeated_keys"
        looked_at = new
    else:
        hashed = f"hash({columns})"
        looked_at = (
            f"{new} and {hashed} in (select {hashed} from {new} group by {hashed} having count(*) > 1)"
        )
    return f"""
        select count(*) as count_repeated_keys
        from (select 1 as one from {looked_at} group by {columns} having count(*) > 1) as repeated
    """


def _is_proved(wh: Warehouse, relation: str, key: Sequence[str]) -> bool:
    """Whether a valid unique index of PostgreSQL covers every row and no column beyond the key."""
    found = wh.query(
        """
        select 1 as one
        from pg_index
        where
            indrelid = to_regclass($1) and indisunique and indisvalid and indpred is null
            and indexprs is null
            and (
                select count(*) = count(case when attname::text = any (string_to_array($2, ',')) then 1 end)
                from pg_attribute
                where attrelid = indrelid and attnum = any (indkey)
            )
        """,
        [relation, ",".join(key)],
    )
    return bool(found.num_rows)
