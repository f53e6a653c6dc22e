"""The inputs of the books. Other systems and people write them; Tollbook only reads, so Dagster never makes them."""

import dagster as dg

USAGE_LOGS = dg.AssetKey(["inputs", "usage_logs"])
ACCOUNTS = dg.AssetKey(["inputs", "accounts"])
CREDITS = dg.AssetKey(["inputs", "credits"])
RATES = dg.AssetKey(["inputs", "rates"])
PACKAGES = dg.AssetKey(["inputs", "packages"])
ADMIN_JOURNAL = dg.AssetKey(["inputs", "admin_journal"])
STRIPE = dg.AssetKey(["inputs", "stripe"])

_DESCRIPTIONS = {
    USAGE_LOGS: """Raw usage logs as the app or its gateway wrote them: one record per model call.

JSONL, CSV or Parquet, found by the `[[usage]]` blocks of tollbook.toml.""",
    ACCOUNTS: """The app's accounts, one record per version of an account.

A later record replaces the earlier one from its `updated_at` on.""",
    CREDITS: """The app's own record of what added tokens to an account: purchases, grants, bonuses, refunds.

Tokens are whole numbers, money is whole cents beside a currency.""",
    RATES: """Effective-dated system settings and price rules (rates.toml).

A call is priced by the version in force when it happened.""",
    PACKAGES: "The token packages on sale (packages.toml): whole tokens, and a price in cents per currency.",
    ADMIN_JOURNAL: """What an administrator did by hand through `tollbook admin`: grants, deductions, blocks.

Append-only and hash-chained.""",
    STRIPE: """What Stripe knows: payments, refunds, disputes, movements of the balance, payouts.

Read from its API with a read-only key, or from files of its objects, by `[stripe] mode`.""",
}

_KINDS = {
    USAGE_LOGS: "file",
    ACCOUNTS: "file",
    CREDITS: "file",
    RATES: "toml",
    PACKAGES: "toml",
    ADMIN_JOURNAL: "json",
    STRIPE: "stripe",
}


def input_specs() -> list[dg.AssetSpec]:
    """One external asset per input, so that the lineage begins where the data does."""
    return [
        dg.AssetSpec(key, description=description, kinds={_KINDS[key]}, group_name="inputs")
        for key, description in _DESCRIPTIONS.items()
    ]
