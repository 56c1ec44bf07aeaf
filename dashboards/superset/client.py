"""A Superset, spoken to through its REST API as one user."""

from __future__ import annotations

import http.cookiejar
import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

TIMEOUT_S = 120


class SupersetError(Exception):
    """Superset could not be reached (exit code 75), or refused (1); the message says what it answered."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Superset:
    """One login. Raises SupersetError with what Superset said."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        if urllib.parse.urlsplit(self.url).scheme not in ("http", "https"):
            raise SupersetError(f"{url}: give the address of Superset, as http://localhost:8088")
        self._open = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        ).open
        self._headers: dict[str, str] = {"Referer": self.url}
        answer = self.post(
            "/api/v1/security/login",
            {"username": user, "password": password, "provider": "db", "refresh": False},
        )
        self._headers["Authorization"] = f"Bearer {answer['access_token']}"
        self._headers["X-CSRFToken"] = self.get("/api/v1/security/csrf_token/")["result"]

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The answer to a GET; keywords become its query."""
        values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in query.items()}
        return self._ask("GET", path + ("?" + urllib.parse.urlencode(values) if values else ""))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a POST of JSON."""
        return self._ask("POST", path, json.dumps(body).encode(), "application/json")

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a PUT of JSON."""
        return self._ask("PUT", path, json.dumps(body).encode(), "application/json")

    def delete(self, path: str) -> dict[str, Any]:
        """The answer to a DELETE."""
        return self._ask("DELETE", path)

    def pages(self, path: str, page_size: int = 100) -> list[dict[str, Any]]:
        """All rows of a list endpoint."""
        rows: list[dict[str, Any]] = []
        while True:
            page = self.get(path, q=f"(page:{len(rows) // page_size},page_size:{page_size})")["result"]
            rows += page
            if len(page) < page_size:
                return rows

    def import_assets(self, bundle: bytes, passwords: dict[str, str]) -> None:
        """Import a bundle over what is there of it."""
        boundary = secrets.token_hex(16)
        parts = [
            _part(boundary, 'name="passwords"', "text/plain", json.dumps(passwords).encode()),
            _part(boundary, 'name="bundle"; filename="keepwell.zip"', "application/zip", bundle),
            f"--{boundary}--\r\n".encode(),
        ]
        self._ask(
            "POST", "/api/v1/assets/import/", b"".join(parts), f"multipart/form-data; boundary={boundary}"
        )

    def _ask(
        self, method: str, path: str, body: bytes | None = None, content_type: str | None = None
    ) -> dict[str, Any]:
        headers = {**self._headers, "Accept": "application/json"}
        if content_type:
            headers["Content-Type"] = content_type
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with self._open(request, timeout=TIMEOUT_S) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:2000]
            if error.code == 401:
                raise SupersetError(
                    f"{self.url} does not know this user or password (401 of {path})"
                ) from None
            raise SupersetError(f"{self.url}{path} answered {error.code}: {_message(said)}") from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise SupersetError(f"no Superset answers at {self.url}: {reason}", exit_code=75) from None
        except json.JSONDecodeError:
            raise SupersetError(
                f"{self.url}{path} did not answer as Superset does: is this its address?"
            ) from None


def _part(boundary: str, name: str, content_type: str, content: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {content_type}\r\n\r\n"
    return head.encode() + content + b"\r\n"


def _message(said: str) -> str:
    """What Superset's errors say, which come in several shapes."""
    try:
        answer = json.loads(said)
    except json.JSONDecodeError:
        return said.splitlines()[0][:300] if said else "nothing"
    if isinstance(answer, dict) and (errors := answer.get("errors")):
        return "; ".join(f"{error.get('message')} {_issues(error)}".strip() for error in errors)
    return str(answer.get("message", answer)) if isinstance(answer, dict) else str(answer)


def _issues(error: dict[str, Any]) -> str:
    extra = {key: value for key, value in (error.get("extra") or {}).items() if key != "issue_codes"}
    return json.dumps(extra, ensure_ascii=False) if extra else ""
