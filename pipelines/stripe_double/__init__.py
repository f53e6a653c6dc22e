"""A double of Stripe for the demonstration and for tests: a seeded world of objects, and the API that shows them.

It never leaves this machine: the server listens on the loopback address only. Nothing but the demonstration and tests
imports it.
"""
