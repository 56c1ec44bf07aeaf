#!/usr/bin/env bash
# `python -m warehouse` with the key of pseudonyms. The engine mounts secrets for all users of a container to read, and
# the commands refuse a key that others may read: they get a copy in memory.
set -euo pipefail
umask 077
cp /run/secrets/pseudonym_key /tmp/pseudonym_key
export KEEPWELL_PSEUDONYM_KEY_FILE=/tmp/pseudonym_key
exec python -m warehouse "$@"
