"""Passwords of roles: read from files, handed to the server as a verifier only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stat
from pathlib import Path

from warehouse.errors import WarehouseError

SCRAM_ITERATIONS = 4096


def read_password(file: Path) -> str:
    """The one line of a password file.

    Raises WarehouseError when it is missing, cannot be read, is empty, has more than one line or other than
    printable ASCII characters, or others than its owner may write it, or its folder: they could put another
    in its place. Others may read it: container engines mount secrets so, for the users of one container; keep
    the folder closed.
    """
    try:
        mode, folder_mode = file.stat().st_mode, file.parent.stat().st_mode
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise WarehouseError(
            f"there is no password file {file}: write the password of {file.name} into it"
        ) from None
    except (OSError, UnicodeDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "it is not text"
        raise WarehouseError(
            f"the password file {file} cannot be read: {reason}; it has to be a readable file of one line"
        ) from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise WarehouseError(
            f"the password file {file} may be written by others (mode {stat.S_IMODE(mode):04o}): "
            f"chmod go-w {file}"
        )
    # Where the sticky bit is set nobody replaces the file of another.
    if folder_mode & (stat.S_IWGRP | stat.S_IWOTH) and not folder_mode & stat.S_ISVTX:
        raise WarehouseError(
            f"the folder of the password file {file} may be written by others "
            f"(mode {stat.S_IMODE(folder_mode):04o}): chmod go-w {file.parent}"
        )
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise WarehouseError(f"the password file {file} is empty: write the password of {file.name} into it")
    # Beyond ASCII a password is prepared by rules (SASLprep) that are not worth having here.
    if not (password.isascii() and password.isprintable()):
        raise WarehouseError(f"the password file {file} has to hold one line of printable ASCII characters")
    return password


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores of a password (SCRAM-SHA-256, RFC 5803), with a salt of its own each time.

    The server takes it in place of the password, which so stands in no statement and no server's log.
    """
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, SCRAM_ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored = base64.b64encode(hashlib.sha256(client_key).digest()).decode()
    server = base64.b64encode(hmac.digest(salted, b"Server Key", "sha256")).decode()
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{base64.b64encode(salt).decode()}${stored}:{server}"
