"""Whole objects as Stripe shows them: every field a reader may ask for, valued as in an ordinary card sale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.stripe_double.world import StripeObject

_NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_NO_DETAILS = {"address": _NO_ADDRESS, "email": None, "name": None, "phone": None, "tax_id": None}
_CARD = {
    "brand": "visa",
    "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
    "country": "US",
    "exp_month": 8,
    "exp_year": 2030,
    "fingerprint": "AOB934RVNwzk6xtn",
    "funding": "credit",
    "installments": None,
    "last4": "4242",
    "mandate": None,
    "network": "visa",
    "three_d_secure": None,
    "wallet": None,
}
_SEPA = {
    "bank_code": "37040044",
    "branch_code": "",
    "country": "DE",
    "fingerprint": "Ih3foEnXx3cLLlPA",
    "last4": "3000",
    "mandate": None,
}
_METHODS: dict[str, StripeObject] = {"card": _CARD, "sepa_debit": _SEPA}


def customer(identity: str, created: int, *, livemode: bool, metadata: Mapping[str, str]) -> StripeObject:
    """A customer."""
    return {
        "id": identity,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": created,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": f"{identity.lower()}@customers.example",
        "invoice_prefix": identity[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": livemode,
        "metadata": dict(metadata),
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def payment_intent(identity: str, created: int, *, amount: int, currency: str, **fields: Any) -> StripeObject:
    """A PaymentIntent that still waits for a payment method, unless `fields` say otherwise."""
    return {
        "id": identity,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": {"allow_redirects": "never", "enabled": True},
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{identity}_secret_double",
        "confirmation_method": "automatic",
        "created": created,
        "currency": currency,
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        **fields,
    }


def charge(
    identity: str, created: int, *, amount: int, currency: str, method: str = "card", **fields: Any
) -> StripeObject:
    """A charge that succeeded and is captured whole, unless `fields` say otherwise."""
    return {
        "id": identity,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": _NO_DETAILS,
        "calculated_statement_descriptor": "TOLLBOOK",
        "captured": True,
        "created": created,
        "currency": currency,
        "customer": None,
        "description": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "on_behalf_of": None,
        "outcome": {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": True,
        "payment_intent": None,
        "payment_method": None,
        "payment_method_details": {method: _METHODS[method], "type": method},
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
        **fields,
    }


def refund(identity: str, created: int, *, amount: int, currency: str, **fields: Any) -> StripeObject:
    """A refund to a card."""
    return {
        "id": identity,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": None,
        "created": created,
        "currency": currency,
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": {},
        "payment_intent": None,
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
        **fields,
    }


def dispute(identity: str, created: int, *, amount: int, currency: str, **fields: Any) -> StripeObject:
    """A dispute, or an inquiry by its status."""
    return {
        "id": identity,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": None,
        "created": created,
        "currency": currency,
        "enhanced_eligibility_types": [],
        "evidence": {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": created + 9 * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": None,
        "reason": "fraudulent",
        "status": "needs_response",
        **fields,
    }


def balance_transaction(
    identity: str, created: int, *, amount: int, currency: str, fee: int, fee_type: str = "stripe_fee", **fields: Any
) -> StripeObject:
    """A movement of the balance; its net is amount less fee."""
    details = {"amount": fee, "application": None, "currency": currency, "description": "Fees", "type": fee_type}
    return {
        "id": identity,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created,
        "balance_type": "payments",
        "created": created,
        "currency": currency,
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [details] if fee else [],
        "net": amount - fee,
        "reporting_category": "charge",
        "source": None,
        "status": "pending",
        "type": "charge",
        **fields,
    }


def payout(identity: str, created: int, *, amount: int, currency: str, **fields: Any) -> StripeObject:
    """A payout on its way to the bank."""
    return {
        "id": identity,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": created,
        "automatic": True,
        "balance_transaction": None,
        "created": created,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": "ba_1TollbookDouble",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "in_transit",
        "trace_id": None,
        "type": "bank_account",
        **fields,
    }


def checkout_session(identity: str, created: int, **fields: Any) -> StripeObject:
    """A hosted checkout that is paid."""
    empty = (
        *("adaptive_pricing", "after_expiration", "allow_promotion_codes", "amount_subtotal", "amount_total"),
        *("billing_address_collection", "cancel_url", "client_reference_id", "client_secret", "consent"),
        *("consent_collection", "currency", "currency_conversion", "customer", "customer_details", "customer_email"),
        *("invoice", "invoice_creation", "locale", "payment_intent", "payment_link", "setup_intent"),
        *("shipping_address_collection", "shipping_cost", "submit_type", "subscription", "success_url", "url"),
        *("payment_method_collection", "recovered_from", "total_details"),
    )
    texts = dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance"))
    return {
        **dict.fromkeys(empty),
        "id": identity,
        "object": "checkout.session",
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "created": created,
        "custom_fields": [],
        "custom_text": texts,
        "customer_creation": "if_required",
        "expires_at": created + 86_400,
        "livemode": False,
        "metadata": {},
        "mode": "payment",
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_status": "paid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "complete",
        "ui_mode": "hosted_page",
        **fields,
    }


def event(
    identity: str, created: int, *, kind: str, thing: StripeObject, api_version: str, **fields: Any
) -> StripeObject:
    """An event that shows an object as it was; the object's own fields never change in place, so one copy will do."""
    return {
        "id": identity,
        "object": "event",
        "api_version": api_version,
        "created": created,
        "data": {"object": dict(thing)},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
        **fields,
    }
