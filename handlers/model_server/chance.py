"""Chance without a generator: uniform numbers from a hash of what is being decided."""

from __future__ import annotations

import math
import struct
from hashlib import blake2b
from statistics import NormalDist

_NORMAL = NormalDist()


def text_digest(seed: int, messages: list[tuple[str, str]]) -> bytes:
    """16 bytes that are equal for equal seed, roles and contents."""
    hasher = blake2b(str(seed).encode(), digest_size=16)
    for role, content in messages:
        data = content.encode("utf-8", "surrogatepass")
        hasher.update(f"\0{role}\0{len(data)}\0".encode("utf-8", "surrogatepass"))
        hasher.update(data)
    return hasher.digest()


def draws(digest: bytes, repeats: int) -> tuple[float, float, float]:
    """Three uniform numbers in [0, 1) for the request seen ``seen`` times before."""
    raw = blake2b(digest + repeats.to_bytes(8, "little"), digest_size=24).digest()
    first, second, third = struct.unpack("<QQQ", raw)
    return (first >> 11) / 2**53, (second >> 11) / 2**53, (third >> 11) / 2**53


def lognormal(uniform: float, *, median: float, sigma: float) -> float:
    """The lognormal variate at this quantile."""
    if not median or not sigma:
        return median
    quantile = min(max(uniform, 1e-9), 1 - 1e-9)
    return median * math.exp(sigma * _NORMAL.inv_cdf(quantile))


def own_draw(digest: bytes, repeats: int, name: str) -> tuple[float, float]:
    """Two uniform numbers in [0, 1) of one habit, whatever the others draw."""
    raw = blake2b(digest + repeats.to_bytes(8, "little") + name.encode(), digest_size=16).digest()
    first, second = struct.unpack("<QQ", raw)
    return (first >> 11) / 2**53, (second >> 11) / 2**53
