"""Which price family an image model belongs to; a model of no family has no price until a rule names it."""

from __future__ import annotations

import re
from functools import lru_cache

DALL_E_3 = "dall_e_3"
DALL_E_2 = "dall_e_2"
GOOGLE = "google"

# ASCII lower case: letters outside it that fold to one inside are other letters here, as in the check's SQL.
# A `provider/` prefix, of however many routers, is skipped: the name is what follows the last slash.
_NAME = r"(?:.*/)?(?:{})[^/]*"
_PATTERNS = {
    family: re.compile(_NAME.format(beginning), re.ASCII | re.IGNORECASE | re.DOTALL)
    for family, beginning in {
        DALL_E_3: "dall-e-3",
        DALL_E_2: "dall-e-2",
        GOOGLE: "imagen|gemini[^/]*image",
    }.items()
}


@lru_cache(maxsize=4096)
def family_of(model: str | None) -> str | None:
    """The family of an image model in any case, with or without prefix: 'dall_e_3', 'dall_e_2', 'google', or None.

    DALL-E families go by their prefix; Google is `imagen...`, and `gemini...` whose name says image.
    """
    if model is None:
        return None
    return next((family for family, pattern in _PATTERNS.items() if pattern.fullmatch(model)), None)
