"""Keyed hashes of identifiers, with a key that lies outside the database, and the columns that hold any."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from warehouse.errors import WarehouseError

KEY_BYTES = 32
# Columns that name a person, of the bank's customers or staff, or an account.
IDENTIFIERS = ("customer_id", "account_id", "loan_id", "card_id", "override_author")
# Columns that look like identifiers and name nobody.
HARMLESS_IDS = ("branch_id", "product_id", "campaign_id", "run_id")
# Texts that name whoever another column names: an export leaves them out where that one holds somebody.
NAMING_TEXTS = {"reason": "override_author"}
# Columns of the contracts that are personal: no mart has one, and no export takes one.
PERSONAL = ("full_name", "phone", "email", "national_id", "birth_date")


def read_key(file: Path) -> bytes:
    """The key in a file, without the line break at its end.

    Raises WarehouseError when it cannot be read, when others than its owner may read it, or when it is
    shorter than 32 bytes. No message holds any of it.
    """
    make = f"make one with: (umask 077; openssl rand -hex {KEY_BYTES} > {file})"
    try:
        mode = file.stat().st_mode
        key = file.read_bytes().rstrip(b"\r\n")
    except OSError as fault:
        raise WarehouseError(f"cannot read the key file {file}: {fault.strerror}; {make}") from None
    if mode & 0o077:
        raise WarehouseError(
            f"the key file {file} may be read by others than its owner (mode {mode & 0o777:04o}): "
            f"chmod 600 {file}, and make another key if somebody may have read it"
        )
    if len(key) < KEY_BYTES:
        raise WarehouseError(
            f"the key file {file} holds {len(key)} bytes and needs at least {KEY_BYTES}; {make}"
        )
    return key


def keyed_hash(key: bytes, value: str) -> str:
    """HMAC-SHA256 of the value (RFC 2104) as 64 hex digits."""
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


def key_name(key: bytes) -> str:
    """Eight hex digits by which two uses of one key can be told; they lead nobody to the key."""
    return keyed_hash(key, "the name of a key")[:8]
