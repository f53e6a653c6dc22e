"""Candidate price books tried on all history: nothing is posted, nothing is written to the books."""
