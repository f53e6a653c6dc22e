"""A call as the app's own table exports it: camel case, every number a double such as 1200.0."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipelines.demo.prices import billable_tokens

if TYPE_CHECKING:
    from pipelines.demo.calls import Call

_OPERATIONS = {
    "chat": "chat_response",
    "generation": "content_generation",
    "refinement": "content_refinement",
    "repurpose": "content_repurpose",
    "prompt": "image_prompt_generation",
    "image": "image_generation",
}
_FRACTIONS = ("0", "25", "5", "75")
_BARE_EVERY = 50


def app_line(call: Call, **changed: str | None) -> bytes:
    """The line of a call, without a line end. `changed`: JSON text per key instead of the true one, None for no key."""
    fields = _fields(call) | changed
    return ("{" + ",".join(f'"{key}":{text}' for key, text in fields.items() if text is not None) + "}").encode()


def _fields(call: Call) -> dict[str, str | None]:
    # Numbers are put down as text: a double's ".0" is part of the format, and no float is ever made here.
    tail = "" if call.number % _BARE_EVERY == 0 else ".0"
    billable = billable_tokens(call)
    created = f"{call.occurred_ms}.{_FRACTIONS[call.number % len(_FRACTIONS)]}"
    fields: dict[str, str | None] = {
        "_id": f'"j57{call.number:029d}"',
        "_creationTime": created,
        "userId": f'"{call.account_id}"',
        "workspaceId": None if call.workspace_id is None else f'"{call.workspace_id}"',
        "operationType": f'"{_OPERATIONS[call.operation]}"',
        "provider": f'"{call.provider}"',
        "model": f'"{call.model}"',
    }
    if call.images:
        fields |= {"imageCount": f"{call.images}{tail}", "imageSize": '"1024x1024"'}
    if not call.images or call.input_tokens:
        fields |= {
            "inputTokens": f"{call.input_tokens}{tail}",
            "outputTokens": f"{call.output_tokens}{tail}",
            "totalTokens": f"{call.input_tokens + call.output_tokens}{tail}",
        }
    if call.failed:
        fields["errorMessage"] = json.dumps("429 too many requests")
    if billable is not None:
        fields |= {"billableTokens": f"{billable}{tail}", "chargeType": '"fixed"' if call.images else '"multiplier"'}
    return fields | {"success": "false" if call.failed else "true", "createdAt": f"{call.occurred_ms}.0"}
