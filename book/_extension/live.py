"""The directive `live`: a part of a page that works in the browser, and what stands in for it elsewhere.

    ```{live} codigo
    {numref}`fig-laboratorio-codigo` shows the same.
    ```

The script of this part is `_assets/live/parts/codigo.js`. What is in the directive is shown on paper,
without JavaScript and until the part is there. If nothing is in it, that is the last picture before it that a
cell of the notebook shows. A script names those that it needs in a line of its own,
`// needs: …`: a page loads these, when the part comes near, and no others. The extension `laboratory` writes
those in `data/`.
"""

import hashlib
import re
from pathlib import Path

import laboratory
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

FOLDER = "live"
NEEDS = re.compile(r"^// needs: (.+)$", re.MULTILINE)


class live(nodes.General, nodes.Element):
    """The place of a part."""


def heights(option: str) -> str:
    """The place that the part will take, in rem: on a wide page and on a phone."""
    wide, narrow = map(float, option.split())
    return f"--live-wide: {wide:g}rem; --live-narrow: {narrow:g}rem"


class Live(SphinxDirective):
    required_arguments = 1
    has_content = True
    option_spec = {"height": heights}  # noqa: RUF012, as docutils has it

    def run(self):
        (part,) = self.arguments
        folder = sources(self.env.app)
        for script in scripts(part, folder):
            if not script.startswith("data/"):
                self.env.note_dependency(str(folder / script))
        place = live("", part=part, style=self.options.get("height"))
        self.state.nested_parse(self.content, self.content_offset, place)
        return [place]


def take_pictures(app, document):
    """Put into each empty place the output of the cell before it that shows a picture.

    On the page of a rerun the pictures stay as they are: a part computes with the book's own networks.
    """
    output, rerun = None, not app.env.docname.startswith("notebooks/")
    for node in list(document.findall()):
        if isinstance(node, nodes.container) and node.get("nb_element") == "cell_code_output":
            output = node if next(node.findall(nodes.image), None) else output
        elif isinstance(node, live) and not node.children:
            node.parent.remove(node)
            if not output:
                raise ExtensionError(f"The live part {node['part']!r} has no picture before it")
            if not rerun:
                node += output.children
                output.children = []
                output += node
                output = None


def sources(app) -> Path:
    return Path(app.srcdir) / "_assets" / FOLDER


def scripts(part: str, folder: Path) -> list[str]:
    """The scripts of a part in the order in which they run: each after those that it needs."""
    found: dict[str, None] = {}

    def add(script: str, asker: str) -> None:
        if script in found:
            return
        if not script.startswith("data/"):
            path = folder / script
            if not path.is_file():
                raise ExtensionError(f"{asker} needs {path}, which does not exist")
            for needed in NEEDS.findall(path.read_text(encoding="utf-8")):
                for other in needed.split():
                    add(other, f"The script {script}")
        found[script] = None

    add(f"parts/{part}.js", f"The live part {part!r}")
    return list(found)


def open_place(translator, place):
    app = translator.builder.app
    names = scripts(place["part"], sources(app))
    data = Path(app.outdir) / "_static" / FOLDER / "data"
    if any(name.startswith("data/") for name in names):
        laboratory.write(app, data)

    def versioned(name: str) -> str:
        """With a digest, so that a browser does not take one that it kept from an older book."""
        file = data.parent / name if name.startswith("data/") else sources(app) / name
        if not file.is_file():
            raise ExtensionError(f"The live part {place['part']!r} needs {name}, which nothing writes")
        return f"{name}?v={hashlib.sha256(file.read_bytes()).hexdigest()[:8]}"

    attributes = {"data-part": place["part"], "data-scripts": " ".join(map(versioned, names))}
    if place["style"]:
        attributes["style"] = place["style"]
    translator.body.append(translator.starttag(place, "div", CLASS="live", **attributes) + "<div>\n")


def close_place(translator, place):
    translator.body.append("</div></div>\n")


def add_scripts(app, page, template, context, doctree):
    """Give a page with live parts what brings them."""
    if app.builder.format == "html" and doctree and next(doctree.findall(live), None):
        app.add_js_file(f"{FOLDER}/live.js", loading_method="defer")
        app.add_css_file(f"{FOLDER}/live.css")


def only_its_content(translator, place):
    """On paper there is what stands in for it."""


def setup(app):
    on_paper = (only_its_content, only_its_content)
    app.add_node(live, html=(open_place, close_place), latex=on_paper)
    app.add_directive("live", Live)
    app.connect("doctree-read", take_pictures)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
