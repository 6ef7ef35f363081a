"""Equations as MathML, which browsers draw by themselves: no script and no font is needed."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError

_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.S)
_BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.S)


def on_page_content(content: str, **_: object) -> str:
    content = _BLOCK.sub(lambda found: f'<div class="equation">{mathml(found[1], "block")}</div>', content)
    return _INLINE.sub(lambda found: mathml(found[1], "inline"), content)


def mathml(latex: str, display: str) -> str:
    """An equation; one that the converter cannot read stops the build. Functions get the space of TeX."""
    made = convert(html.unescape(latex).strip().replace("{aligned}", "{align*}"), display=display)
    if "<mi>&</mi>" in made or "<mi>\\" in made:
        raise PluginError(f"this equation cannot be shown: {latex}")
    made = re.sub(
        r"<mi>(log|exp|min|max)</mi>(?!<mo[^>]*>&#x00028;)", r'<mi>\1</mi><mspace width="0.17em" />', made
    )
    return re.sub(r"(&#x00028;</mo>)<mo>&#x02212;</mo>", r'\1<mo form="prefix">&#x02212;</mo>', made)
