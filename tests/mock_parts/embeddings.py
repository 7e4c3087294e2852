"""Vectors that depend on the words of a text alone."""

import hashlib
import math
import re
from functools import lru_cache


@lru_cache(maxsize=20_000)
def embed(text: str, dimensions: int) -> tuple[float, ...]:
    """Hashed words and letter triples: texts that share words lie close to each other."""
    vector = [0.0] * dimensions
    words = re.findall(r"\w+", text.lower())
    for word in words:
        for gram in [word, *(f"{word}  "[i:i + 3] for i in range(len(word)))]:
            h = int.from_bytes(hashlib.blake2b(gram.encode(), digest_size=8).digest(), "big")
            vector[h % dimensions] += (1.0 if h >> 63 else -1.0) * (3.0 if gram == word else 1.0)
    norm = math.sqrt(sum(x * x for x in vector)) or 1.0
    return tuple(x / norm for x in vector)
