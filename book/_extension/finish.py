"""The last touches to the built pages: what they load, and what the theme's templates leave to mend."""

import fcntl
import re
from importlib.resources import files
from pathlib import Path
from shutil import copytree

from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.fileutil import copy_asset

REPAIRS = {
    # ARIA has withdrawn this role, and it stands in a list.
    'role="doc-biblioentry"': 'role="listitem"',
    # A wide formula scrolls on a phone; with the keyboard only if it takes the focus.
    '<div class="math ': '<div tabindex="0" class="math ',
    # The notebook comes as a file, whatever the server says of its type.
    'target="_blank"\n   class="btn btn-sm btn-download-': 'download\n   class="btn btn-sm btn-download-',
    # The excerpts in the results of a search: from the text of a page, without its buttons, and around the
    # word that was found, whatever its accents.
    """querySelector('[role="main"]')""": 'querySelector("article")',
    "text.toLowerCase();": r'text.toLowerCase().normalize("NFD").replace(/\p{Mn}/gu, "");',
    # 1.5 MB for each page: the icons, which the theme's style sheet has as a font too.
    re.compile(r"<script [^>]*/fontawesome\.js[^>]*></script>"): "",
}

# Those that Sphinx makes without a source.
EXTRA_PAGES = ("index", "search")

# Held until the process ends: of a PDF, LaTeX sets the pages after Sphinx.
LOCKS = []


def wait_for_others(app):
    """Of two builds in one folder, which would mend each other's pages, the second waits for the first."""
    out = Path(app.outdir).parent
    out.mkdir(parents=True, exist_ok=True)
    lock = (out / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logging.getLogger(__name__).info("Waiting for another build in %s", out)
        fcntl.flock(lock, fcntl.LOCK_EX)
    LOCKS.append(lock)


def note_whole(app, env, docnames):
    """Notes whether the whole book is built: not one page alone, nor what has changed since the last time."""
    app.whole_book = set(docnames) == env.found_docs and len(docnames) > 1


def replace(app, replacements: dict[str | re.Pattern, str]) -> None:
    """Puts them into the pages and the scripts that write into them.

    A replacement without a place in the whole book is an error: the theme has other words by now.
    """
    out = Path(app.outdir)
    scripts = [out / "_static" / f"{name}.js" for name in ("searchtools", "togglebutton", "translations")]
    missing = dict.fromkeys(replacements)
    for file in [*out.rglob("*.html"), *scripts]:
        text = file.read_text(encoding="utf-8")
        for old, new in replacements.items():
            pattern = old if isinstance(old, re.Pattern) else re.compile(re.escape(old))
            text, found = pattern.subn(lambda match, new=new: new, text)
            if found:
                missing.pop(old, None)
        file.write_text(text, encoding="utf-8")
    if missing and app.whole_book:
        texts = "\n".join(old.pattern if isinstance(old, re.Pattern) else old for old in missing)
        raise ExtensionError(f"No built page or script has these texts, which the book replaces:\n{texts}")


def remove_old_pages(app):
    """Takes away what a former build left of pages that the book has no more."""
    out = Path(app.outdir)
    kept = {*app.env.found_docs, *EXTRA_PAGES}
    for page in [*out.glob("*.html"), *out.glob("notebooks/*.html")]:
        if page.relative_to(out).with_suffix("").as_posix() not in kept:
            page.unlink()


def finish(app, exception):
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    remove_old_pages(app)
    replace(app, REPAIRS)

    # The 2 MB that set formulas, of the 24 MB of the package.
    package = files("sphinx-mathjax-offline") / "static" / "mathjax"
    copy_asset(package / "tex-chtml.js", static / "mathjax")
    copytree(package / "output" / "chtml", static / "mathjax" / "output" / "chtml", dirs_exist_ok=True)

    for unused in {*static.glob("scripts/fontawesome.*"), *static.rglob("*.map")}:
        unused.unlink()


def setup(app):
    wait_for_others(app)
    app.connect("env-before-read-docs", note_whole)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
