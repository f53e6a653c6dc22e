"""Dated versions in the books: settings and packages, kept for ever, closed by a successor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from billing_core.packages import Package
    from billing_core.settings import SettingsBook

_INSTANT = "make_timestamptz($%s)"

_KEEP_SETTINGS = f"""
INSERT INTO books.system_settings BY NAME
SELECT $settings_version AS settings_version, {_INSTANT % "effective_from"} AS effective_from,
    {_INSTANT % "effective_to"} AS effective_to, $multiplier::DECIMAL(12, 6) AS default_token_multiplier,
    $dall_e_3 AS image_generation_cost_dall_e_3, $dall_e_2 AS image_generation_cost_dall_e_2,
    $google AS image_generation_cost_google, $tokens_per_usd AS tokens_per_usd,
    $min_purchase AS min_purchase_amount_cents, $bonus AS new_user_bonus_tokens, $low AS low_balance_threshold,
    $critical AS critical_balance_threshold, $updated_by AS updated_by, $reason AS reason,
    {_INSTANT % "recorded_us"} AS updated_at, $partial_error AS partial_error, $gateway_cache_hit AS gateway_cache_hit,
    $cancelled_stream AS cancelled_stream, $free_lots AS free_lots_priority, $paid_lots AS paid_lots_priority,
    $breakage AS breakage_policy
"""
_KEEP_PACKAGE = f"""
INSERT INTO books.token_pricing BY NAME
SELECT $package_id AS package_id, $package_name AS package_name, $token_amount AS token_amount,
    $price_cents AS price_cents, $price_eur::BIGINT AS price_eur, $price_gbp::BIGINT AS price_gbp,
    $description::VARCHAR AS description, $is_popular AS is_popular, $sort_order AS sort_order,
    $stripe_price_id::VARCHAR AS stripe_price_id, $active AS active, {_INSTANT % "effective_from"} AS effective_from,
    {_INSTANT % "effective_to"} AS effective_to, {_INSTANT % "recorded_us"} AS created_at,
    {_INSTANT % "recorded_us"} AS updated_at, $package_version AS package_version
"""


def keep_settings(connection: duckdb.DuckDBPyConnection, book: SettingsBook, recorded_us: int) -> None:
    """Bring books.system_settings up to ``book``; nothing is written when it is the one they hold."""
    known = connection.execute(
        "SELECT settings_version, epoch_us(effective_to) FROM books.system_settings WHERE superseded_by IS NULL"
    ).fetchall()
    if dict(known) == {version.settings_version: version.effective_to for version in book.versions}:
        return
    wanted = {version.settings_version: version for version in book.versions}
    for name, ends in known:
        if name not in wanted:
            _supersede_settings(connection, name, book, recorded_us)
        elif wanted[name].effective_to != ends:
            connection.execute(
                f"UPDATE books.system_settings SET effective_to = {_INSTANT % 'ends'}"
                " WHERE settings_version = $name AND superseded_by IS NULL",
                {"ends": wanted[name].effective_to, "name": name},
            )
    for version in book.versions:
        if version.settings_version not in dict(known):
            connection.execute(
                _KEEP_SETTINGS,
                {
                    "settings_version": version.settings_version,
                    "effective_from": version.effective_from,
                    "effective_to": version.effective_to,
                    "multiplier": version.default_token_multiplier,
                    "dall_e_3": version.image_generation_cost_dall_e_3,
                    "dall_e_2": version.image_generation_cost_dall_e_2,
                    "google": version.image_generation_cost_google,
                    "tokens_per_usd": version.tokens_per_usd,
                    "min_purchase": version.min_purchase_amount_cents,
                    "bonus": version.new_user_bonus_tokens,
                    "low": version.low_balance_threshold,
                    "critical": version.critical_balance_threshold,
                    "updated_by": version.updated_by,
                    "reason": version.reason,
                    "recorded_us": recorded_us,
                    "partial_error": version.partial_error,
                    "gateway_cache_hit": version.gateway_cache_hit,
                    "cancelled_stream": version.cancelled_stream,
                    "free_lots": version.free_lots_priority,
                    "paid_lots": version.paid_lots_priority,
                    "breakage": version.breakage_policy,
                },
            )


def _supersede_settings(connection: duckdb.DuckDBPyConnection, name: str, book: SettingsBook, recorded_us: int) -> None:
    """Close a version that the file no longer holds, naming the one now in force at its start."""
    found = connection.execute(
        "SELECT epoch_us(effective_from) FROM books.system_settings"
        " WHERE settings_version = $name AND superseded_by IS NULL",
        {"name": name},
    ).fetchall()
    starts = found[0][0]
    successor = book.versions[0] if starts is None else book.at(starts)
    connection.execute(
        "UPDATE books.system_settings SET superseded_by = $by,"
        " effective_to = coalesce(effective_to, make_timestamptz($recorded_us))"
        " WHERE settings_version = $name AND superseded_by IS NULL",
        {"by": successor.settings_version, "name": name, "recorded_us": recorded_us},
    )


def keep_packages(connection: duckdb.DuckDBPyConnection, packages: Sequence[Package], recorded_us: int) -> None:
    """Bring books.token_pricing up to ``packages``; versions that the file no longer holds are closed, not removed."""
    found = connection.execute(
        "SELECT package_id, package_version, epoch_us(effective_to) FROM books.token_pricing"
        " WHERE superseded_by IS NULL"
    ).fetchall()
    known = {(package_id, version): ends for package_id, version, ends in found}
    wanted = {(package.package_id, package.package_version): package for package in packages}
    for (package_id, version), ends in known.items():
        package = wanted.get((package_id, version))
        if package is None or package.effective_to != ends:
            connection.execute(
                f"UPDATE books.token_pricing SET effective_to = {_INSTANT % 'ends'}, superseded_by = $by,"
                f" updated_at = {_INSTANT % 'recorded_us'}"
                " WHERE package_id = $package_id AND package_version = $version AND superseded_by IS NULL",
                {
                    "ends": package.effective_to if package else ends,
                    "by": None if package else _successor(packages, package_id),
                    "recorded_us": recorded_us,
                    "package_id": package_id,
                    "version": version,
                },
            )
    for key, package in wanted.items():
        if key not in known:
            connection.execute(
                _KEEP_PACKAGE,
                {
                    "package_id": package.package_id,
                    "package_name": package.package_name,
                    "token_amount": package.token_amount,
                    "price_cents": package.price_cents,
                    "price_eur": package.price_eur,
                    "price_gbp": package.price_gbp,
                    "description": package.description,
                    "is_popular": package.is_popular,
                    "sort_order": package.sort_order,
                    "stripe_price_id": package.stripe_price_id,
                    "active": package.active,
                    "effective_from": package.effective_from,
                    "effective_to": package.effective_to,
                    "recorded_us": recorded_us,
                    "package_version": package.package_version,
                },
            )


def _successor(packages: Sequence[Package], package_id: str) -> str:
    """The version that stands for a package now, or a word that it was withdrawn."""
    later = [package.package_version for package in packages if package.package_id == package_id]
    return later[-1] if later else "withdrawn"
