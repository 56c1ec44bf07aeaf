"""Superset's settings for real use; mounted or copied as superset_config.py onto its PYTHONPATH.

Secrets come from files. Whatever is not set here stays as Superset ships it: content security policy on, no
public role, no user but the one that `superset fab create-admin` makes.

SUPERSET_SECRET_KEY_FILE         default /run/secrets/superset_secret_key; signs sessions, encrypts passwords
SUPERSET_METADATA_URL            default postgresql+psycopg2://superset@metadata:5432/superset
SUPERSET_METADATA_PASSWORD_FILE  default /run/secrets/metadata_superset; read when the URL names a user
SUPERSET_RATELIMIT_URL           a Redis that counts wrong passwords (redis://...); without it nobody does
SUPERSET_BEHIND_HTTPS            1 behind a proxy that speaks HTTPS: secure cookies, X-Forwarded believed
"""

import copy
import os
from datetime import timedelta
from pathlib import Path

from sqlalchemy.engine import make_url
from superset.config import DATA_DIR, TALISMAN_CONFIG


def _secret(variable: str, default: str) -> str:
    path = Path(os.environ.get(variable) or default)
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SystemExit(
            f"superset_config: {path} cannot be read ({error.strerror}); set {variable}"
        ) from None
    if not secret:
        raise SystemExit(f"superset_config: {path} is empty; {variable} names a file with one line")
    return secret


def _cache(name: str, timeout: timedelta) -> dict[str, object]:
    # Files are shared by all workers of one container; a bank with several containers sets a RedisCache here.
    return {
        "CACHE_TYPE": "FileSystemCache",
        "CACHE_DIR": str(Path(DATA_DIR) / "cache" / name),
        "CACHE_DEFAULT_TIMEOUT": int(timeout.total_seconds()),
        "CACHE_THRESHOLD": 5000,
    }


SECRET_KEY = _secret("SUPERSET_SECRET_KEY_FILE", "/run/secrets/superset_secret_key")
if len(SECRET_KEY) < 32:
    raise SystemExit(
        "superset_config: the secret key is shorter than 32 letters; `make secrets` makes a good one"
    )

_metadata = make_url(
    os.environ.get("SUPERSET_METADATA_URL") or "postgresql+psycopg2://superset@metadata:5432/superset"
)
if _metadata.username:
    _metadata = _metadata.set(
        password=_secret("SUPERSET_METADATA_PASSWORD_FILE", "/run/secrets/metadata_superset")
    )
SQLALCHEMY_DATABASE_URI = _metadata.render_as_string(hide_password=False)

# Marts change once a day; ten minutes after a publication at the latest everybody sees it. Row-level
# security is part of what is kept: nobody meets the rows of another's branch.
DATA_CACHE_CONFIG = _cache("data", timedelta(minutes=10))
CACHE_CONFIG = _cache("metadata", timedelta(minutes=10))
FILTER_STATE_CACHE_CONFIG = _cache("filters", timedelta(days=30))
EXPLORE_FORM_DATA_CACHE_CONFIG = _cache("explore", timedelta(days=7))

# Superset's pages in both languages of the dashboards.
LANGUAGES = {
    "en": {"flag": "us", "name": "English"},
    "zh": {"flag": "cn", "name": "简体中文"},
}

# Nothing is asked from other hosts: Superset's own policy also lets pages count their readers at one.
TALISMAN_CONFIG = copy.deepcopy(TALISMAN_CONFIG)
_policy = TALISMAN_CONFIG["content_security_policy"]
_policy["img-src"] = ["'self'", "blob:", "data:"]
_policy["connect-src"] = ["'self'"]
_policy["style-src"] = ["'self'", "'unsafe-inline'"]
_policy["font-src"] = ["'self'"]
_policy["frame-ancestors"] = ["'self'"]

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
PERMANENT_SESSION_LIFETIME = timedelta(hours=12)
# Wrong passwords are counted where all workers see them. A worker's own memory is no choice: its threads fall
# over each other there, and one chart in some hundreds fails.
RATELIMIT_STORAGE_URI = os.environ.get("SUPERSET_RATELIMIT_URL") or "memory://"
RATELIMIT_ENABLED = AUTH_RATE_LIMITED = RATELIMIT_STORAGE_URI != "memory://"
FAB_API_SWAGGER_UI = False
if os.environ.get("SUPERSET_BEHIND_HTTPS") == "1":
    SESSION_COOKIE_SECURE = True
    ENABLE_PROXY_FIX = True

ROW_LIMIT = 10_000
SQL_MAX_ROW = 100_000
SUPERSET_WEBSERVER_TIMEOUT = 120
