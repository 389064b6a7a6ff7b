"""The last touches to the built pages: what they load, and what the theme's templates leave to mend."""

from importlib.resources import files
from pathlib import Path
from re import sub
from shutil import copytree

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
}


def replace(out: Path, replacements: dict[str, str]) -> None:
    """Puts them into the pages and the scripts that write into them."""
    scripts = [out / "_static" / f"{name}.js" for name in ("searchtools", "togglebutton", "translations")]
    for file in [*out.rglob("*.html"), *scripts]:
        text = file.read_text(encoding="utf-8")
        for old, new in replacements.items():
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")


def finish(app, exception):
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    replace(out, REPAIRS)

    # The 2 MB that set formulas, of the 24 MB of the package.
    package = files("sphinx-mathjax-offline") / "static" / "mathjax"
    copy_asset(package / "tex-chtml.js", static / "mathjax")
    copytree(package / "output" / "chtml", static / "mathjax" / "output" / "chtml", dirs_exist_ok=True)

    # 1.5 MB for each page: the icons, which the theme's style sheet has as a font too.
    for page in out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(sub(r"<script [^>]*/fontawesome\.js[^>]*></script>", "", text), encoding="utf-8")
    for unused in {*static.glob("scripts/fontawesome.*"), *static.rglob("*.map")}:
        unused.unlink()


def setup(app):
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
