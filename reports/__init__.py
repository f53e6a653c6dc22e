"""Finance reports: they open the published copy, render it, and compute nothing of their own."""
