"""Which price family an image model belongs to; a model of no family has no price until a rule names it."""

from __future__ import annotations

import narwhals as nw

DALL_E_3 = "dall_e_3"
DALL_E_2 = "dall_e_2"
GOOGLE = "google"

# (?i) is the same as ASCII lower case here, on every engine: none of these letters folds with one outside ASCII.
# A `provider/` prefix, of however many routers, is skipped: the name is what follows the last slash.
_NAME = r"(?is)^(?:.*/)?(?:{})[^/]*\z"
_PATTERNS = {
    DALL_E_3: _NAME.format("dall-e-3"),
    DALL_E_2: _NAME.format("dall-e-2"),
    GOOGLE: _NAME.format("imagen|gemini[^/]*image"),
}


def image_family(model: nw.Expr) -> nw.Expr:
    """The family of an image model in any case, with or without prefix: 'dall_e_3', 'dall_e_2', 'google', or null.

    DALL-E families go by their prefix; Google is `imagen...`, and `gemini...` whose name says image.
    """
    family = nw.lit(None, dtype=nw.String)
    for name, pattern in _PATTERNS.items():
        family = nw.when(model.str.contains(pattern)).then(nw.lit(name)).otherwise(family)
    return family
