#!/usr/bin/env bash
# Airflow's database, its administrator, and the rule that one task at a time touches the warehouse.
set -euo pipefail
airflow db migrate
python docker/airflow/admin.py
# Tasks of two DAGs would overwrite each other's dbt results; DAGs that may run beside them name a pool of their own.
airflow pools set default_pool 1 "One warehouse, one writer at a time"
airflow pools set watch 1 "The hourly watch beside everything else"
