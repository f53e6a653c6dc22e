"""Measurements: how fast the books take in lines, answer look-ups and start. `python -m bench --help` lists them."""
