"""The assets: the inputs, the tables that a posting writes, and the published copy."""
