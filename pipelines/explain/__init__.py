"""Everything that stands behind one call or one ledger row, gathered from the published copy."""
