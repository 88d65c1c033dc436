"""What counts as suspect where nobody asks for another threshold: for the panel, renders, presets and figures alike."""

from typing import Final

SUSPECT_THRESHOLD: Final = 0.7
"""Score from which a joint is listed, ringed and counted unless somebody asks for another: there one clip's list is
short enough to be gone through, and planted mistakes are found (`evaluate targets`)."""
