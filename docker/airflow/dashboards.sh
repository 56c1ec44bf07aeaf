#!/usr/bin/env bash
# Both languages of the dashboards into Superset, side by side.
set -euo pipefail
for lang in en zh; do
    python -m dashboards superset import --lang "$lang" --url http://superset:8088 \
        --user admin --password-file /run/secrets/superset_admin
done
