"""The pure rules of the books: no files, no clock, no database."""
