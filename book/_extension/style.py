"""One style sheet for all pages instead of nine, without the rules and the icons that none of them uses."""

import hashlib
import logging
import re
from pathlib import Path

from fontTools import subset

SHEET = "libro.css"
LINK = re.compile(r'\s*<link [^>]*href="[./]*_static/([^"?]+\.css)[^>]*>')
RULE = re.compile(r"(?<=[{};])\s*([^{}@;]+)\{([^{}]*)\}")
# The fonts of icons, of which the second file has the same as the first.
FONT = re.compile(r'url\(([^)]*/([\w-]+))\.woff2\) format\("woff2"\),url\([^)]*\.ttf\)')


def gather(app, exception):
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    # This page has no style sheet of its own, and is written whenever another is.
    names = LINK.findall((out / "search.html").read_text(encoding="utf-8"))
    if SHEET in names:
        return
    sheets = [(static / name).read_text(encoding="utf-8") for name in names]
    style = lean("\n".join(sheets).replace("url(../", "url("), used(out))
    style = draw_icons(style, static)
    (static / SHEET).write_text(style, encoding="utf-8")

    digest = hashlib.sha256(style.encode()).hexdigest()[:8]
    first, *others = names
    for page in out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        text = LINK.sub(lambda link: "" if link[1] in others else link[0], text)
        text = re.sub(rf"(?<=_static/)(?:{first}|{SHEET}\?v=\w+)", f"{SHEET}?v={digest}", text)
        page.write_text(text, encoding="utf-8")


def used(out: Path) -> set[str]:
    """The words of the pages and of their scripts, which any class in use is among."""
    static = out / "_static"
    scripts = [*static.glob("*.js"), *static.glob("scripts/*.js"), *static.glob("tippy/*.js")]
    texts = (file.read_text(encoding="utf-8") for file in [*out.rglob("*.html"), *scripts])
    return {word for text in texts for word in re.findall(r"[\w-]+", text)}


def lean(style: str, words: set[str]) -> str:
    """Without comments, and without rules for classes of which neither all nor the beginning is a word."""
    # From which a script makes the names of classes.
    beginnings = tuple(word for word in words if re.search(r"\w-$", word))

    def possible(selector: str) -> bool:
        # What is in parentheses may be one of several.
        while selector != (selector := re.sub(r"\([^()]*\)", "", selector)):
            pass
        names = re.findall(r"\.(-?[A-Za-z_][\w-]*)", selector)
        return all(name in words or name.startswith(beginnings) for name in names)

    def rule(found: re.Match) -> str:
        selectors = [one for one in re.split(r",(?![^(]*\))", found[1]) if possible(one)]
        return f"{','.join(selectors)}{{{found[2]}}}" if selectors else ""

    return RULE.sub(rule, re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL))


def draw_icons(style: str, static: Path) -> str:
    """Give the style sheet fonts that have the icons that it names, and no others."""
    codes = re.findall(r"\\([0-9a-f]{2,5})\b", style)
    icons = {int(code, 16) for code in codes} | {ord(icon) for icon in re.findall("[\ue000-\uf8ff]", style)}
    folder = static / "iconos"
    folder.mkdir(exist_ok=True)

    def smaller(found: re.Match) -> str:
        options = subset.Options()
        font = subset.load_font(static / f"{found[1]}.ttf", options)
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=icons)
        subsetter.subset(font)
        subset.save_font(font, folder / f"{found[2]}.ttf", options)
        return f"url(iconos/{found[2]}.ttf)"

    return FONT.sub(smaller, style)


def setup(app):
    # It tells each step.
    logging.getLogger("fontTools.subset").setLevel(logging.WARNING)
    # After `finish`, whose pages it changes.
    app.connect("build-finished", gather, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
