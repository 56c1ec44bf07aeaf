"""Airflow's REST API as a person of Airflow's uses it: a name, a password, a token."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

REQUEST_TIMEOUT_S = 30
PAUSE_S = 5.0
# An api-server that is started anew, or whose database is, answers again within minutes.
PATIENCE_S = 600.0
LOGIN_TRIES = 6
UNAUTHORIZED, NOT_FOUND, CONFLICT = 401, 404, 409


class ApiError(Exception):
    """Airflow refused, or did not answer for long; the message says what was asked of whom."""


class ConflictError(ApiError):
    """What was to be made is there already."""


class AirflowApi:
    """One Airflow. A token that has expired is asked for again, a server that is away is waited for."""

    def __init__(
        self, address: str, user: str, password_file: Path, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.address = address.rstrip("/")
        self._user = user
        self._password_file = password_file
        self._sleep = sleep
        self._token: str | None = None

    def get(self, path: str, **query: str | int) -> dict[str, Any] | None:
        """The answer to GET /api/v2/`path`; None where there is no such thing. Raises ApiError."""
        text = f"?{urllib.parse.urlencode(query)}" if query else ""
        return self._ask("GET", f"/api/v2/{path}{text}")

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """As `get`; ConflictError where it is there already, perhaps of a first try whose answer was lost."""
        return self._ask("POST", f"/api/v2/{path}", body)

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """As `get`."""
        return self._ask("PATCH", f"/api/v2/{path}", body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        is_token_new = False
        while True:
            if self._token is None:
                self._token, is_token_new = self._new_token(), True
            try:
                return self._send(method, path, body, {"Authorization": f"Bearer {self._token}"})
            except urllib.error.HTTPError as error:
                if error.code == NOT_FOUND:
                    return None
                if error.code == UNAUTHORIZED and not is_token_new:
                    self._token = None
                    continue
                kind = ConflictError if error.code == CONFLICT else ApiError
                raise kind(
                    f"Airflow at {self.address} refused {method} {path}: {error.code} {_said(error)}"
                ) from None

    def _new_token(self) -> str:
        try:
            password = self._password_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ApiError(
                f"The password file {self._password_file} cannot be read: {error.strerror}"
            ) from None
        for tries_left in reversed(range(LOGIN_TRIES)):
            try:
                answer = self._send("POST", "/auth/token", {"username": self._user, "password": password}, {})
                break
            except urllib.error.HTTPError as error:
                # Airflow says so too while its database is away.
                if error.code == UNAUTHORIZED and tries_left:
                    self._sleep(PAUSE_S)
                    continue
                raise ApiError(
                    f"Airflow at {self.address} takes no login of {self._user} with the password of "
                    f"{self._password_file} ({error.code}): is it the one that airflow-init was given?"
                ) from None
        token: str = answer["access_token"]
        return token

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> dict[str, Any]:
        """Waits for a server that is away or ill. Raises HTTPError for every other refusal."""
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json", **headers},
        )
        waited = 0.0
        while True:
            try:
                with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as answer:
                    content: dict[str, Any] = json.load(answer)
                    return content
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise
                fault = f"{error.code} {_said(error)}"
            except (OSError, ValueError) as error:
                fault = str(error)
            if waited >= PATIENCE_S:
                raise ApiError(
                    f"Airflow at {self.address} has not answered {method} {path} "
                    f"for {PATIENCE_S / 60:.0f} minutes: {fault}"
                )
            self._sleep(PAUSE_S)
            waited += PAUSE_S


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return error.read(2000).decode(errors="replace")
    except OSError:
        return error.reason
