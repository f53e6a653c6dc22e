"""Engines: who runs the core's expressions over how much data at once."""
