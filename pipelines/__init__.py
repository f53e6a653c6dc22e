"""Adapters and wiring: intake, warehouse, engines, payments, the command line and the Dagster definitions."""
