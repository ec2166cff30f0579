r"""Signs that a source has as plain text, by the LaTeX commands that a model writes for them.

Where a source says ``τ``, an answer's ``\tau`` can only mean that sign.
"""

from __future__ import annotations

_SIGNS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "εϵ", "varepsilon": "εϵ", "zeta": "ζ",
    "eta": "η", "theta": "θϑ", "vartheta": "θϑ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μµ",
    "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρϱ", "varrho": "ρϱ", "sigma": "σ", "varsigma": "ς", "tau": "τ",
    "upsilon": "υ", "phi": "φϕ", "varphi": "φϕ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ",
    "Delta": "Δ∆", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "ΩΩ", "times": "×", "div": "÷", "pm": "±", "mp": "∓", "cdot": "·⋅", "leq": "≤≦⩽", "le": "≤≦⩽",
    "geq": "≥≧⩾", "ge": "≥≧⩾", "neq": "≠", "ne": "≠", "approx": "≈", "sim": "∼～", "simeq": "≃", "equiv": "≡",
    "propto": "∝", "infty": "∞", "partial": "∂", "nabla": "∇", "to": "→", "rightarrow": "→",
    "Rightarrow": "⇒", "leftarrow": "←", "leftrightarrow": "↔", "ll": "≪", "gg": "≫", "in": "∈", "ni": "∋",
    "notin": "∉", "subset": "⊂", "cup": "∪", "cap": "∩", "sum": "∑", "prod": "∏", "int": "∫", "ell": "ℓ",
    "hbar": "ℏ", "AA": "Å", "degree": "°", "circ": "°∘", "prime": "′", "therefore": "∴", "forall": "∀",
    "exists": "∃", "perp": "⊥", "parallel": "∥", "angle": "∠", "triangle": "△", "bullet": "•", "langle": "⟨",
    "rangle": "⟩", "oplus": "⊕", "otimes": "⊗",
}  # fmt: skip


def sign_in(source: str, command: str) -> str | None:
    r"""The sign for ``\tau`` if the source has it, and no other that is written so."""
    found = [sign for sign in _SIGNS.get(command[1:], "") if sign in source]
    return found[0] if len(found) == 1 else None
