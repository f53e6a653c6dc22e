"""The inputs of the books. Other systems and people write them; Tollbook only reads, so Dagster never makes them."""

import dagster as dg

USAGE_LOGS = dg.AssetKey(["inputs", "usage_logs"])
ACCOUNTS = dg.AssetKey(["inputs", "accounts"])
CREDITS = dg.AssetKey(["inputs", "credits"])
RATES = dg.AssetKey(["inputs", "rates"])
PACKAGES = dg.AssetKey(["inputs", "packages"])
ADMIN_JOURNAL = dg.AssetKey(["inputs", "admin_journal"])

_DESCRIPTIONS: dict[dg.AssetKey, tuple[str, str]] = {
    USAGE_LOGS: (
        "Raw usage logs as the app or its gateway wrote them: one record per model call, in JSONL, CSV or Parquet. "
        "Found by the `[[usage]]` blocks of tollbook.toml.",
        "file",
    ),
    ACCOUNTS: (
        "The app's accounts, one record per version of an account. A later record replaces the earlier one from its "
        "`updated_at` on.",
        "file",
    ),
    CREDITS: (
        "The app's own record of what added tokens to an account: purchases, grants, bonuses, refunds. Tokens are whole "
        "numbers, money is whole cents beside a currency.",
        "file",
    ),
    RATES: (
        "Effective-dated system settings and price rules (rates.toml). A call is priced by the version in force when it "
        "happened.",
        "toml",
    ),
    PACKAGES: ("The token packages on sale (packages.toml): tokens, and a price in cents per currency.", "toml"),
    ADMIN_JOURNAL: (
        "What an administrator did by hand through `tollbook admin`: grants, deductions, blocks. Append-only and "
        "hash-chained.",
        "json",
    ),
}


def input_specs() -> list[dg.AssetSpec]:
    """One external asset per input, so that the lineage begins where the data does."""
    return [
        dg.AssetSpec(key, description=description, kinds={kind}, group_name="inputs")
        for key, (description, kind) in _DESCRIPTIONS.items()
    ]
