"""Ways into the warehouse beside its grants: attributes and memberships of roles, rights to pass on.

What was opened for one of the seven roles, or for everybody, `close` takes back. What a bank granted to a
role of its own is told and left: it may be meant, and is the bank's to take back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from warehouse.door import Warehouse
from warehouse.errors import WarehouseError
from warehouse.names import quoted
from warehouse.schema import IS_RUN, SCHEMAS
from warehouse.settings import ROLES, role_name

INSUFFICIENT_PRIVILEGE = "42501"
ATTRIBUTES = {
    "superuser": "rolsuper",
    "createdb": "rolcreatedb",
    "createrole": "rolcreaterole",
    "bypassrls": "rolbypassrls",
    "replication": "rolreplication",
}
_SEVEN = tuple(role_name(role) for role in ROLES)


@dataclass(frozen=True, order=True)
class Opening:
    """What is open, in words, and the statement that closes it; an empty one for what `close` leaves."""

    what: str
    closed_by: str


def find(wh: Warehouse) -> list[Opening]:
    """All openings that the catalogue knows, in order; none of those of the owner and of superusers."""
    return sorted({*_attributes(wh), *_memberships(wh), *_grants(wh), *_defaults(wh)})


def close(wh: Warehouse) -> None:
    """Take back what was opened for the seven roles and for PUBLIC.

    Raises WarehouseError, with the statement to run, when the caller may not.
    """
    for opening in find(wh):
        if not opening.closed_by:
            continue
        try:
            wh.execute(opening.closed_by)
        except WarehouseError as fault:
            if getattr(fault.__cause__, "sqlstate", None) != INSUFFICIENT_PRIVILEGE:
                raise
            raise WarehouseError(
                f"{opening.what}: this user may not take that back; as a superuser run "
                f"`{opening.closed_by}`, then `python -m warehouse roles` again"
            ) from fault


def _attributes(wh: Warehouse) -> Iterator[Opening]:
    columns = ", ".join(f"{column} as {name}" for name, column in ATTRIBUTES.items())
    rows = wh.query(f"select rolname::text as name, {columns} from pg_roles where rolname in ({_listed()})")
    for row in rows.to_pylist():
        if held := [name for name in ATTRIBUTES if row[name]]:
            yield Opening(
                f"{_said(row['name'])}: {', '.join(held)}",
                f"alter role {row['name']} {' '.join('no' + name for name in held)}",
            )


def _memberships(wh: Warehouse) -> Iterator[Opening]:
    rows = wh.query(
        f"""
        select
            pg_get_userbyid(member)::text as grantee,
            pg_get_userbyid(roleid)::text as held,
            pg_get_userbyid(grantor)::text as grantor
        from pg_auth_members
        where
            pg_get_userbyid(member) in ({_listed()})
            or (pg_get_userbyid(roleid) in ({_listed()}) and not {_is_owner("member")})
        """
    )
    for row in rows.to_pylist():
        yield _opening(
            row["grantee"],
            f"member of {row['held']}",
            f"revoke {quoted(row['held'])} from {quoted(row['grantee'])}"
            f" granted by {quoted(row['grantor'])} cascade",
        )


def _grants(wh: Warehouse) -> Iterator[Opening]:
    """Rights that the seven may pass on, and rights of others on Keepwell's schemas, tables and columns."""
    rows = wh.query(
        f"""
        with acls as (
            select 'schema' as kind, schemas.nspname::text as schema, '' as relation, '' as part,
                schemas.nspowner as owner, coalesce(nspacl, acldefault('n', nspowner)) as acl
            from pg_namespace as schemas
            where {_IS_KEEPWELLS}
            union all
            select 'table', schemas.nspname::text, relname::text, '',
                relowner, coalesce(relacl, acldefault('r', relowner))
            from pg_class
            inner join pg_namespace as schemas on relnamespace = schemas.oid
            where relkind in ('r', 'v', 'm', 'p') and {_IS_KEEPWELLS}
            union all
            select 'table', schemas.nspname::text, relname::text, attname::text, relowner, attacl
            from pg_attribute
            inner join pg_class on attrelid = pg_class.oid
            inner join pg_namespace as schemas on relnamespace = schemas.oid
            where attacl is not null and not attisdropped and {_IS_KEEPWELLS}
        )
        select
            acls.kind, acls.schema, acls.relation, acls.part,
            pg_get_userbyid(acl.grantee)::text as grantee,
            lower(acl.privilege_type) as privilege
        from acls
        cross join lateral aclexplode(acls.acl) as acl
        where
            acl.grantee not in (0, acls.owner)
            and case
                when pg_get_userbyid(acl.grantee) in ({_listed()}) then acl.is_grantable
                else not {_is_owner("acl.grantee")}
            end
        union
        select kind, schema, relation, '', pg_get_userbyid(owner)::text, 'own'
        from acls
        where pg_get_userbyid(owner) not in ({_listed()}) and not {_is_owner("owner")}
        """
    )
    for row in rows.to_pylist():
        privilege = row["privilege"] + (f" ({quoted(row['part'])})" if row["part"] else "")
        place = ".".join(quoted(name) for name in (row["schema"], row["relation"]) if name)
        words = f"{privilege} on {place}".replace('"', "")
        yield _opening(
            row["grantee"],
            f"may pass on {words}" if row["grantee"] in _SEVEN else words,
            f"revoke grant option for {privilege} on {row['kind']} {place} from {row['grantee']} cascade",
        )


def _defaults(wh: Warehouse) -> Iterator[Opening]:
    """Rights on what will be made, but for those to read tables of one of the seven, which `roles` keeps."""
    rows = wh.query(
        f"""
        select
            pg_get_userbyid(defaults.defaclrole)::text as maker,
            coalesce(schemas.nspname::text, '') as schema,
            case defaults.defaclobjtype when 'r' then 'tables' else 'schemas' end as kind,
            case when acl.grantee = 0 then 'public' else pg_get_userbyid(acl.grantee)::text end as grantee,
            lower(acl.privilege_type) as privilege
        from pg_default_acl as defaults
        cross join lateral aclexplode(defaults.defaclacl) as acl
        left join pg_namespace as schemas on defaults.defaclnamespace = schemas.oid
        where
            defaults.defaclobjtype in ('r', 'n')
            and (
                pg_get_userbyid(defaults.defaclrole) in ({_listed()})
                or defaults.defaclrole = ({_OWNER})
            )
            and acl.grantee != defaults.defaclrole
            and case
                when acl.grantee = 0 then true
                when pg_get_userbyid(acl.grantee) in ({_listed()})
                    then defaults.defaclobjtype != 'r' or acl.privilege_type != 'SELECT' or acl.is_grantable
                else not {_is_owner("acl.grantee")}
            end
        """
    )
    for row in rows.to_pylist():
        inside = f" in {row['schema']}" if row["schema"] else ""
        yield _opening(
            row["grantee"],
            f"{row['privilege']} on {row['kind']} that {row['maker']} will make{inside}",
            f"alter default privileges for role {quoted(row['maker'])}"
            + (f" in schema {quoted(row['schema'])}" if row["schema"] else "")
            + f" revoke {row['privilege']} on {row['kind']} from {row['grantee']}",
        )


def _opening(grantee: str, what: str, closed_by: str) -> Opening:
    is_known = grantee in ("public", *_SEVEN)
    return Opening(f"{_said(grantee)}: {what}", closed_by if is_known else "")


def _said(grantee: str) -> str:
    if grantee in ("public", *_SEVEN):
        return grantee.removeprefix("keepwell_")
    return f"{grantee}, who is none of Keepwell's"


def _listed() -> str:
    return ", ".join(f"'{name}'" for name in _SEVEN)


def _is_owner(oid: str) -> str:
    """SQL: has this role the rights of the warehouse's owner anyway, as he, his member or a superuser?"""
    return f"pg_has_role({oid}, ({_OWNER}), 'usage')"


_OWNER = "select nspowner from pg_namespace where nspname = 'ops'"
_IS_KEEPWELLS = "(schemas.nspname in ({}) or schemas.nspname ~ '^{}$')".format(
    ", ".join(f"'{name}'" for name in SCHEMAS), IS_RUN
)
