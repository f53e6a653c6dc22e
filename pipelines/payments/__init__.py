"""Stripe: fetching objects from the API, reading files of them and archived webhooks, into typed tables.

`extract -> files below stripe/ -> sightings -> tables`: whatever was fetched is first a line of a file, and every file,
fetched or a user's own, is loaded the same way.
"""
