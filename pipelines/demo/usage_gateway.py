"""A call as the gateway logs it: nested, epoch seconds, money as a decimal number of dollars."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.demo.calls import Call

_PROVIDERS = {"google": "vertex_ai"}
# Nano-dollars per input, cached and output token, and per image: what the providers charge.
_TOKEN_PRICES = {
    "claude-haiku-4-5": (1_000, 100, 5_000),
    "claude-sonnet-4-5": (3_000, 300, 15_000),
    "gemini-2.5-flash": (300, 30, 2_500),
    "gpt-4o": (2_500, 1_250, 10_000),
    "gpt-4o-mini": (150, 75, 600),
    "gpt-image-1": (5_000, 1_250, 40_000),
}
_IMAGE_PRICES = {
    "dall-e-2": 20_000_000,
    "dall-e-3": 40_000_000,
    "gemini-2.5-flash-image": 39_000_000,
    "imagen-4.0-generate-001": 40_000_000,
}
_LINE = (
    '{"id":"%(id)s","trace_id":"tr-%(number)s","litellm_call_id":"lc-%(number)s","call_type":"%(call_type)s",'
    '"stream":false,"response_cost":%(cost)s,"status":"%(status)s",'
    '"status_fields":{"llm_api_status":"%(status)s","guardrail_status":"not_run"},'
    '"custom_llm_provider":"%(provider)s","total_tokens":%(total)s,"prompt_tokens":%(sent)s,"completion_tokens":%(made)s,'
    '"startTime":%(start)s,"endTime":%(end)s,"response_time":1.5,'
    '"model":"%(model)s","model_group":"%(model)s","api_base":"https://api.example",'
    '"metadata":{"user_api_key_alias":"demo","user_api_key_end_user_id":"%(account)s",'
    '"spend_logs_metadata":{%(workspace)s"operation_type":"%(operation)s"},"requester_metadata":{"user_id":"%(account)s"},'
    '"usage_object":{"prompt_tokens":%(sent)s,"completion_tokens":%(made)s,"total_tokens":%(total)s,'
    '"prompt_tokens_details":{"cached_tokens":%(cached)s,"cache_creation_tokens":0},'
    '"completion_tokens_details":{"reasoning_tokens":%(reasoning)s}}},'
    '"cache_hit":null,"request_tags":["op:%(operation)s"],"end_user":"%(account)s",'
    '"error_str":%(error)s,"model_parameters":%(parameters)s}'
)


def gateway_line(call: Call, **changed: str) -> bytes:
    """The line of a call, without a line end. `changed`: text put into the line instead of the true one."""
    return (_LINE % (_fields(call) | changed)).encode()


def _fields(call: Call) -> dict[str, str]:
    total = call.input_tokens + call.output_tokens
    cost = 0 if call.failed else _nano_usd(call)
    return {
        "id": f"chatcmpl-{call.number:09d}",
        "number": f"{call.number:09d}",
        "call_type": "aimage_generation" if call.images else "acompletion",
        "cost": f"{cost // 10**9}.{cost % 10**9:09d}",
        "status": "failure" if call.failed else "success",
        "provider": _PROVIDERS.get(call.provider, call.provider),
        "total": str(total),
        "sent": str(call.input_tokens),
        "made": str(call.output_tokens),
        "start": _seconds(call.occurred_ms),
        "end": _seconds(call.occurred_ms + 1_500),
        "model": call.model,
        "account": call.account_id,
        "workspace": "" if call.workspace_id is None else f'"workspace_id":"{call.workspace_id}",',
        "operation": call.operation,
        "cached": str(call.cache_read_tokens),
        "reasoning": str(call.reasoning_tokens),
        "error": '"upstream timed out"' if call.failed else "null",
        "parameters": f'{{"n":{call.images},"size":"1024x1024"}}' if call.images else "{}",
    }


def _nano_usd(call: Call) -> int:
    if call.model in _IMAGE_PRICES:
        return call.images * _IMAGE_PRICES[call.model]
    sent, cached, made = _TOKEN_PRICES[call.model]
    fresh = call.input_tokens - call.cache_read_tokens
    return fresh * sent + call.cache_read_tokens * cached + call.output_tokens * made


def _seconds(ms: int) -> str:
    return f"{ms // 1_000}.{ms % 1_000:03d}"
