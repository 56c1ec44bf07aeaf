"""The bank's dashboards in Apache Superset, as code: one short YAML spec a dashboard."""
