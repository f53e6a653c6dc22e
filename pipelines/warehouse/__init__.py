"""The warehouse: one DuckDB file, its tables, postings, checks, hashes and published copy."""
