"""How many tokens a request has: exact with `bpe-openai`, else an estimate."""

import json
import math
from functools import lru_cache

try:
    from bpe_openai import get_encoding

    _encoding = get_encoding("o200k_base")
    TOKENIZER = "o200k_base"

    @lru_cache(maxsize=50_000)
    def count_tokens(text: str) -> int:
        return len(_encoding.encode_ordinary(text))

except ImportError:
    # English prose has about 4.5 characters a token, JSON about 3.7: this counts too many rather than
    # too few.
    TOKENIZER = "characters / 3.5"

    def count_tokens(text: str) -> int:
        return math.ceil(len(text) / 3.5)


def text_of(content) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(p.get("text", "") for p in content if isinstance(p, dict))
    return ""


def prompt_tokens(request: dict) -> int:
    """What the provider would count: every text, the framing of every message, the tool schemas."""
    total = 3
    for m in request.get("messages", []):
        total += 3 + count_tokens(text_of(m.get("content")))
        for call in m.get("tool_calls") or []:
            f = call.get("function", {})
            total += 3 + count_tokens(f.get("name") or "") + count_tokens(f.get("arguments") or "")
        if m.get("name"):
            total += 1 + count_tokens(m["name"])
    for tool in request.get("tools") or []:
        total += count_tokens(json.dumps(tool, ensure_ascii=False, separators=(",", ":")))
    return total
