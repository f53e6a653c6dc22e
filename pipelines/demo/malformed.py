"""Lines that no reader may bill, each with the one reason it must be quarantined for. All of them differ in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.demo.usage_app import app_line
from pipelines.demo.usage_gateway import gateway_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.demo.calls import Call

_CHANGED_APP: tuple[tuple[str, dict[str, str | None]], ...] = (
    ("invalid_json", {"inputTokens": "NaN"}),
    ("invalid_json", {"outputTokens": "-Infinity"}),
    ("invalid_integer", {"inputTokens": '"many"'}),
    ("invalid_integer", {"inputTokens": "10.7"}),
    ("invalid_integer", {"outputTokens": "true"}),
    ("invalid_integer", {"inputTokens": '{"$float":"AAAAAAAA+H8="}'}),
    ("negative_count", {"inputTokens": "-5.0"}),
    ("negative_count", {"outputTokens": "-1.0"}),
    ("unknown_operation", {"operationType": '"telepathy"'}),
    ("missing_account", {"userId": '""', "workspaceId": None}),
    ("missing_account", {"userId": None, "workspaceId": None}),
    ("missing_id", {"_id": None}),
    ("missing_time", {"_creationTime": None, "createdAt": None}),
    ("missing_time", {"_creationTime": "null", "createdAt": "null"}),
    ("missing_usage", {"inputTokens": None, "outputTokens": None, "totalTokens": None}),
)
_CUTS = (40, 90, 150, 200, 230)


def malformed_app(call: Callable[[], Call]) -> Iterator[tuple[str, bytes]]:
    """(reason, line) for the app's log; `call` gives a fresh true call each time."""
    for reason, changed in _CHANGED_APP:
        yield reason, app_line(call(), **changed)
    for cut in _CUTS:
        yield "invalid_json", app_line(call())[:cut]
    for text in (b"\xff\xfe", b"caf\xe9"):
        yield "invalid_utf8", app_line(call(), provider='"?"').replace(b"?", text)
    image = {"operationType": '"image_generation"', "model": '"dall-e-3"', "imageCount": "0.0"}
    yield "image_count", app_line(call(), **image)
    yield "duplicate_json_key", app_line(call())[:-1] + b',"inputTokens":1.0}'
    yield "not_an_object", b"[1,2,3]"


def malformed_gateway(call: Callable[[], Call]) -> Iterator[tuple[str, bytes]]:
    """(reason, line) for the gateway's log."""
    for cut in (60, 400, 700):
        yield "invalid_json", gateway_line(call())[:cut]
    yield "missing_time", gateway_line(call(), start="null", end="null")
    yield "invalid_integer", gateway_line(call(), sent='"lots"')
    yield "invalid_utf8", gateway_line(call(), error='"?"').replace(b'"?"', b'"\x80"')
