"""The operator's runner: a bank from files to report through Airflow, and Airflow itself on localhost."""
