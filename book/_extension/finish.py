"""Finishing touches to the pages: links under figures, what pages load, fixes to the theme's templates."""

import re
from html import unescape
from importlib.resources import files
from pathlib import Path
from shutil import copytree

from docutils import nodes
from filelock import FileLock, Timeout
from PIL import Image
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.fileutil import copy_asset

# A browser leaves scripts of an unknown type alone. They come, in order, once the text has been shown, in a
# hidden tab at once; those that wait for the page to be loaded are told so when all are there.
LATER = "text/later"
BRING = f"""
    const begin = () => {{
        const scripts = [...document.querySelectorAll('script[type="{LATER}"]')].map((script) =>
            Object.assign(script.cloneNode(), {{ type: "", async: false }}));
        scripts.at(-1).onload = () => dispatchEvent(new Event("load"));
        document.head.append(...scripts);
    }};
    const loaded = () => document.hidden ? begin() : requestAnimationFrame(() => setTimeout(begin));
    document.readyState === "complete" ? loaded() : addEventListener("load", loaded, {{ once: true }});
"""

# Formulas are typeset a few at a time, and the page answers meanwhile.
TYPESET = """
    MathJax.startup = {
        async pageReady() {
            const formulas = [...document.querySelectorAll(".math")];
            while (formulas.length) {
                await new Promise((resolve) => setTimeout(resolve));
                await MathJax.typesetPromise(formulas.splice(0, 4));
            }
        },
    };
"""
# Until then an inline formula has the place that it will take: about so many em for each piece of its TeX.
ADVANCES = {
    r"\\(?:mathrm|[bt]?frac|big[lr]|hat|bar|quad|,)|\s": 0,
    r"[_^](?:\{.*?\}|.)": 0.38,
    r"\\approx|[=<>]": 1.33,
    r"\\(?:ln|max|sum)": 1,
    r"[-+]": 1.22,
    r"\\[a-z]+": 0.57,
    r"[A-Z]": 0.89,
    r"[().,!]": 0.36,
    r"[^{}]": 0.5,
}
FORMULA = re.compile(r'(<span class="math notranslate nohighlight")>(?=\\\((.*?)\\\)</span>)')

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
    # No formula as its source, in the excerpts.
    '[".headerlink", "script", "style"]': '[".headerlink", "script", "style", "div.math"]',
    "return docContent.textContent;": r'return docContent.textContent.replace(/\\[()]/g, "");',
    # 1.5 MB per page of icons that the theme's style sheet also has as a font.
    re.compile(r"<script [^>]*/fontawesome\.js[^>]*></script>"): "",
    # The search is on a page of its own: the others need neither its index nor what these say.
    re.compile(
        r'(?:\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js"></script>)+(?=\s*</head>)'
    ): "",
    re.compile(r"<script>DOCUMENTATION_OPTIONS.*?</script>"): "",
    # Scripts that the templates name wait for the text, as `postpone` lets the others.
    re.compile(r'<script (?:defer )?(?=src=")'): f'<script type="{LATER}" ',
    # The theme of the first paint is the one that its script will choose.
    'localStorage.getItem("theme") || "auto"': (
        'document.documentElement.dataset.mode.replace("auto", '
        'matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'
    ),
    # The first item of the side bar, the book's title, is in no other landmark.
    '<div id="pst-primary-sidebar"': (
        '<div role="complementary" aria-label="Menú del libro" id="pst-primary-sidebar"'
    ),
    # Whether something scrolls is asked of one at a time: what is folded is laid out for it.
    "e.tabIndex=e.scrollWidth>e.clientWidth||e.scrollHeight>e.clientHeight?0:-1": (
        "setTimeout(()=>{e.tabIndex=e.scrollWidth>e.clientWidth||e.scrollHeight>e.clientHeight?0:-1})"
    ),
    # All that this style sheet does is to import the other, once it is there itself.
    re.compile(r"styles/theme\.css\?digest=\w+"): "basic.css",
    # Not before the style sheets, which they would slow down.
    re.compile(r'<link rel="preload" as="script"[^>]*>'): "",
    # A summary holds no paragraphs.
    re.compile(
        r'<p class="((?:collapsed|expanded) admonition-title)">(.*?)</p>'
    ): r'<span class="\1">\2</span>',
    "summary>p.": "summary>span.",
    # A figure is fetched when it comes into sight, and its place is kept until then.
    re.compile(r'style="width: (\d+)px; height: (\d+)px;"'): (
        r'loading="lazy" style="width: \1px; aspect-ratio: \1 / \2;"'
    ),
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
            links += [
                nodes.reference("", "corridas", refuri=f"#{name}", internal=True) for name in provenance
            ]
            line = nodes.paragraph("", "", links[0])
            for link in links[1:]:
                line += [nodes.Text(" y "), link]
            figure += nodes.legend("", line)


def postpone(app, page, template, context, doctree):
    """Let a page's scripts wait until its text is shown, and leave out those that it has no use for."""
    if app.builder.format != "html":
        return
    body = context.get("body", "")
    links = re.findall(r'href="([^"]*)"', body)
    (skipped,) = app.config.tippy_skip_urls
    without_preview = page == app.config.root_doc or all(re.match(skipped, link) for link in links)
    needless = ["tippy"] if without_preview else []
    if 'class="sd-tab' not in body:
        needless.append("design-tabs")
    if without_preview and 'class="math' not in body:
        needless.append("mathjax")
    for script in list(context["script_files"]):
        said = f"{script.filename} {script.attributes.get('body')}".lower()
        if any(name in said for name in needless):
            context["script_files"].remove(script)
        elif script.filename:
            script.attributes["type"] = LATER


def keep_place(app, page, template, context, doctree):
    """Say how wide each inline formula will be."""

    def reserve(found: re.Match) -> str:
        rest, width = unescape(found[2]), 0
        for piece, advance in ADVANCES.items():
            rest, count = re.subn(piece, "", rest)
            width += advance * count
        return f'{found[1]} style="--ancho: {width:.2f}">'

    if app.builder.format == "html" and "body" in context:
        context["body"] = FORMULA.sub(reserve, context["body"])


def wait_for_others(app):
    """Wait for any other build in the same folder: the two would modify each other's pages."""
    out = Path(app.outdir).parent
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        logging.getLogger(__name__).info("Waiting for another build in %s", out)
        lock.acquire()
    LOCKS.append(lock)


def note_whole(app, env, docnames):
    """Note whether this builds the whole book, rather than one page or the pages that have changed."""
    app.whole_book = set(docnames) == env.found_docs and len(docnames) > 1


def replace(app, replacements: dict[str | re.Pattern, str]) -> None:
    """Apply `replacements` to the pages, to the scripts that write into them and to the style of notebooks.

    One that occurs nowhere in the whole book is an error: the theme must have changed its text.
    """
    out = Path(app.outdir)
    names = ("searchtools", "togglebutton", "translations", "scripts/pydata-sphinx-theme")
    scripts = [out / "_static" / f"{name}.js" for name in names]
    missing = dict.fromkeys(replacements)
    for file in [*out.rglob("*.html"), *scripts, *out.glob("_static/mystnb*.css")]:
        text = file.read_text(encoding="utf-8")
        for old, new in replacements.items():
            pattern = old if isinstance(old, re.Pattern) else re.compile(re.escape(old))
            text, found = pattern.subn(new if pattern is old else lambda match, new=new: new, text)
            if found:
                missing.pop(old, None)
        file.write_text(text, encoding="utf-8")
    if missing and app.whole_book:
        texts = "\n".join(old.pattern if isinstance(old, re.Pattern) else old for old in missing)
        raise ExtensionError(f"No built page or script has these texts, which the book replaces:\n{texts}")


def lighten(out: Path) -> None:
    """Replace the pictures of the pages by WebPs, which lose nothing, where these are smaller."""
    for picture in out.glob("_images/*.png"):
        light = picture.with_suffix(".webp")
        Image.open(picture).save(light, lossless=True)
        (picture if light.stat().st_size < picture.stat().st_size else light).unlink()

    def lighter(match):
        name = match[0].replace(".png", ".webp")
        return name if (out / name).exists() else match[0]

    for file in [*out.rglob("*.html"), *out.glob("_static/tippy/**/*.js")]:
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r"_images/[\w-]+\.png", lighter, text), encoding="utf-8")


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
    lighten(out)

    # Only the 2 MB, of the package's 24, that typeset formulas.
    package = files("sphinx-mathjax-offline") / "static" / "mathjax"
    parts = [f"{name}.js" for name in ("startup", "core", "input/tex", "output/chtml", "a11y/assistive-mml")]
    for part in parts:
        copy_asset(package / part, (static / "mathjax" / part).parent)
    copytree(package / "output" / "chtml", static / "mathjax" / "output" / "chtml", dirs_exist_ok=True)

    for unused in {*static.glob("scripts/fontawesome.*"), *static.rglob("*.map")}:
        unused.unlink()


def setup(app):
    wait_for_others(app)
    app.add_post_transform(Sources)
    app.connect("env-before-read-docs", note_whole)
    app.connect("html-page-context", postpone, priority=900)
    app.connect("build-finished", finish)
    app.connect("html-page-context", keep_place)
    app.add_js_file(None, body=BRING, type="module")
    app.add_js_file(None, body=TYPESET, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
