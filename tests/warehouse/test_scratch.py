"""x"""
from tests.warehouse.ledger_books import LedgerBooks, at
def test_a(books: LedgerBooks) -> None:
    """x"""
    books.credit("p", "purchase", 1000, 1, amount_cents=1000, currency="usd")
    books.call("e1", 1, 100)
    books.bill(2)
    print(books.ledger(), books.one("balance, status, lifetime_spent_cents"))
    books.version(1, 3, 100); books.bill(3)
    for n,t in ((2,50),(3,200),(4,0),(5,10)):
        books.version(n, 3+n, t); books.bill(3+n)
    print(books.ledger())
    assert 0
