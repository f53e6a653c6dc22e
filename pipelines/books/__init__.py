"""The user's books folder: configuration, journals, posting log, lock."""
