"""Provider prices: the table of the release, the user's own, and how a new table is made."""
