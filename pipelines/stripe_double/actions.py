"""What happens in the account: customers pay, are refunded, dispute; Stripe takes fees and pays out.

Every action leaves objects that fit together, movements of the balance with fees and conversion, and events. `at` is an
instant (Unix seconds or a datetime), the present of the world unless given.
"""

from pipelines.stripe_double.movements import emit, movement
from pipelines.stripe_double.payments import (
    Paid,
    authorise,
    cancel,
    capture,
    checkout,
    customer,
    decline,
    fail_debit,
    pay,
    settle,
)
from pipelines.stripe_double.payouts import arrive, fail_payout, payout, snapshot
from pipelines.stripe_double.returns import close_dispute, dispute, fail_refund, refund

__all__ = ["Paid", "arrive", "authorise", "cancel", "capture", "checkout", "close_dispute", "customer", "decline"]
__all__ += ["dispute", "emit", "fail_debit", "fail_payout", "fail_refund", "movement", "pay", "payout", "refund"]
__all__ += ["settle", "snapshot"]
