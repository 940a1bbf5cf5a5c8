"""Results that are kept: what names a file, and what is said of one that cannot be taken."""

import hashlib
import json
from pathlib import Path
from typing import Any


def text_of(settings: dict[str, Any]) -> str:
    """One text for equal settings."""
    return json.dumps(settings, sort_keys=True)


def digest_of(settings: dict[str, Any]) -> str:
    """Ends a file's name, so that other settings are computed anew beside it."""
    return hashlib.sha256(text_of(settings).encode()).hexdigest()[:10]


def refused(path: Path, why: str) -> ValueError:
    """A file that is damaged, or of other settings than its name says."""
    return ValueError(f"{path} is {why}; remove it and it is computed anew.")
