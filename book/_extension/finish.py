"""Finishing touches to the pages: links under figures, what pages load, fixes to the theme's templates."""

import fcntl
import re
from importlib.resources import files
from pathlib import Path
from shutil import copytree

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.fileutil import copy_asset

REPAIRS = {
    # ARIA has deprecated this role; the element is in a list.
    'role="doc-biblioentry"': 'role="listitem"',
    # A wide formula scrolls on a phone, but from the keyboard only if it can be focused.
    '<div class="math ': '<div tabindex="0" class="math ',
    # Download the notebook as a file, whatever type the server gives it.
    'target="_blank"\n   class="btn btn-sm btn-download-': 'download\n   class="btn btn-sm btn-download-',
    # Take the excerpts in search results from a page's text, without its buttons, and around the word found,
    # ignoring accents.
    """querySelector('[role="main"]')""": 'querySelector("article")',
    "text.toLowerCase();": r'text.toLowerCase().normalize("NFD").replace(/\p{Mn}/gu, "");',
    # 1.5 MB per page of icons that the theme's style sheet also has as a font.
    re.compile(r"<script [^>]*/fontawesome\.js[^>]*></script>"): "",
}

# Pages that Sphinx makes without a source.
EXTRA_PAGES = ("index", "search")

# Held until the process ends, because LaTeX typesets the PDF after Sphinx has finished.
LOCKS = []


class Sources(SphinxPostTransform):
    """Under each figure of a notebook, links to its code and to the runs behind it."""

    default_priority = 900
    builders = ("html",)

    def run(self, **kwargs):
        sections = [one["ids"][0] for one in self.document.findall(nodes.section)]
        provenance = [name for name in sections if name.startswith("procedencia")]
        for figure in self.document.findall(nodes.figure):
            cell = figure.parent
            while cell and "cell" not in cell.get("classes", []):
                cell = cell.parent
            if not cell:
                continue
            name = f"codigo-de-{figure['ids'][0]}"
            cell["ids"].append(name)
            links = [nodes.reference("", "Código", refuri=f"#{name}", internal=True)]
            links += [nodes.reference("", "corridas", refuri=f"#{name}", internal=True) for name in provenance]
            line = nodes.paragraph("", "", links[0])
            for link in links[1:]:
                line += [nodes.Text(" y "), link]
            figure += nodes.legend("", line)


def wait_for_others(app):
    """Wait for any other build in the same folder: the two would modify each other's pages."""
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
    """Note whether this builds the whole book, rather than one page or the pages that have changed."""
    app.whole_book = set(docnames) == env.found_docs and len(docnames) > 1


def replace(app, replacements: dict[str | re.Pattern, str]) -> None:
    """Apply `replacements` to the pages and to the scripts that write into them.

    One that occurs nowhere in the whole book is an error: the theme must have changed its text.
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
    """Remove pages of an earlier build that are no longer in the book."""
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

    # Only the 2 MB, of the package's 24, that typeset formulas.
    package = files("sphinx-mathjax-offline") / "static" / "mathjax"
    copy_asset(package / "tex-chtml.js", static / "mathjax")
    copytree(package / "output" / "chtml", static / "mathjax" / "output" / "chtml", dirs_exist_ok=True)

    for unused in {*static.glob("scripts/fontawesome.*"), *static.rglob("*.map")}:
        unused.unlink()


def setup(app):
    wait_for_others(app)
    app.add_post_transform(Sources)
    app.connect("env-before-read-docs", note_whole)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
