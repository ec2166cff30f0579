"""The papers among a folder's files: what else lies there is left out, and told."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from handlers.corpus.sources.source_notes import shown
from handlers.counted import counted
from handlers.state_paths import CORPORA, LEDGER, RUNS

_BUILT = frozenset(
    (
        *("node_modules", "bower_components", "site-packages", "venv", "env", "__pycache__"),
        *("build", "_build", "dist", "_site", "target", "htmlcov"),
    )
)
"""Folders that tools fill."""
_KINDS_SHOWN = 5
_NO_SUFFIX = "without a suffix"


class FolderFiles:
    """Files with one of ``suffixes`` below a folder, by path; those of hidden and build folders and of
    Paperfleet's own states are none of them. No link to a folder is followed."""

    def __init__(self, root: Path, suffixes: Collection[str]) -> None:
        self._root = root
        self._suffixes = suffixes
        self._passed_over: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._left_out: list[str] = []

    def paths(self) -> list[Path]:
        found = []
        for path in self._files():
            kind = path.suffix.lower()
            (self._taken if kind in self._suffixes else self._passed_over)[kind] += 1
            if kind in self._suffixes:
                found.append(path)
        return sorted(found)

    def told(self) -> str:
        """``12 .md files taken; left out: 3 .pdf, 1 .csv, folders build, paperfleet-state (a state)``."""
        sentence = f"{_kinds(self._taken) or 'no'} file{'' if self._taken.total() == 1 else 's'} taken"
        left = list(filter(None, (_kinds(self._passed_over), ", ".join(self._left_out[:_KINDS_SHOWN]))))
        if more := len(self._left_out) - _KINDS_SHOWN:
            left += [f"{counted(more, 'more folder')}"] if more > 0 else []
        return sentence + (f"; left out: {', '.join(left)}" if left else "")

    def _files(self) -> Iterator[Path]:
        for folder, folders, names in os.walk(self._root):
            here = Path(folder)
            folders[:] = [name for name in sorted(folders) if self._is_entered(here / name)]
            yield from (here / name for name in names if not name.startswith("."))

    def _is_entered(self, folder: Path) -> bool:
        state = is_state(folder)
        if not state and not folder.name.startswith(".") and folder.name not in _BUILT:
            return True
        kind = " (a state of Paperfleet)" if state else ""
        self._left_out.append(f"{shown(folder.relative_to(self._root).as_posix())}/{kind}")
        return False


def is_state(folder: Path) -> bool:
    """Whether it holds Paperfleet's ledger, or its corpora and runs."""
    return (folder / LEDGER).exists() or all((folder / name).is_dir() for name in (CORPORA, RUNS))


def _kinds(counts: Counter[str]) -> str:
    """``3 .pdf, 1 .csv``, the commonest first."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    told = [f"{count:,} {shown(kind) or _NO_SUFFIX}" for kind, count in ranked[:_KINDS_SHOWN]]
    rest = sum(count for _, count in ranked[_KINDS_SHOWN:])
    return ", ".join([*told, *([f"{rest:,} others"] if rest else [])])
