#!/usr/bin/env bash
# Superset's database, its administrator, its roles.
set -euo pipefail
superset db upgrade
python /opt/superset/admin.py
superset init
