"""An open benchmark of reconciliation: seeded worlds with labelled breaks, and a scorer for any engine's findings."""
