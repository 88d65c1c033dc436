# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of an import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..core.form_costs import Form


@dataclass(frozen=True)
class ImportOptions:
    """What is made of a take, and where it stands in time."""

    people: tuple[int, ...] | None = None
    """Indices of the people; None: everyone, and who is no longer in the take goes."""
    form: Form | None = None
    """How the body's animation is kept; None: by its length."""
    tolerance_mm: float = 1.0
    """Largest error of the compressed form."""
    targets: bool = True
    """Make the controls."""
    camera: bool = True
    """Make the camera."""
    footage: bool = True
    """Show the footage behind it."""
    opacity: float | None = None
    """Of the footage, 0 to 1; None: full."""
    footage_offset: float | None = None
    """Scene frames that the footage is shown later than the take says; None: as before, else 0."""
    start: float | None = None
    """Scene frame of the footage's second 0; None: as before, else frame 1."""
    existing: Literal["REPLACE", "COPY"] = "REPLACE"
    """What happens where the scene holds this take: it is replaced, or there are two."""
