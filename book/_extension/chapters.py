"""What a chapter says of itself: how long it takes to read, its parameters, its number in print."""

import ast

from docutils import nodes
from sphinx.transforms import SphinxTransform

# Seconds: a word of prose, a line of code or of its output, a figure or a table.
WORD, LINE, PICTURE = 60 / 200, 4, 20
# Parameters that decide where something is computed, and no result.
OF_THE_MACHINE = ("device", "dask")


class ReadingTime(SphinxTransform):
    """MyST counts the minutes of words alone; here they are of all in sight, without the exercises."""

    # Before docutils puts them into the text.
    default_priority = 210

    def apply(self, **kwargs):
        if minutes := self.document.substitution_defs.get("wordcount-minutes"):
            minutes.children = [nodes.Text(str(max(1, round(seconds(self.document) / 60))))]


def seconds(node: nodes.Node) -> float:
    """How long it takes to read what is in sight below this node."""
    match node:
        case nodes.Text():
            return WORD * len(node.split())
        case nodes.literal_block():
            return LINE * sum(bool(line.strip()) for line in node.astext().splitlines())
        case nodes.image() | nodes.table():
            return PICTURE
        case nodes.section() if node["ids"][0].startswith(("para-probar", "procedencia")):
            return 0
        case nodes.comment() | nodes.raw() | nodes.substitution_definition():
            return 0
        case nodes.container() if node.get("design_component") == "dropdown":
            return 0
        case nodes.container() if node.get("nb_element") == "mime_bundle":
            shown = {form["mime_type"]: form for form in node.children}
            return sum(seconds(shown[form]) for form in ("text/markdown", "image/png") if form in shown)
        case nodes.container() if node.get("nb_element") == "cell_code" and node.get("hide_mode"):
            parts = [part for part in node.children if part.get("nb_element") != "cell_code_source"]
            return sum(map(seconds, parts))
    return sum(map(seconds, node.children))


class Parameters(SphinxTransform):
    """Folds a notebook's parameters; what can be seen of them is the values that decide its results."""

    default_priority = 210

    def apply(self, **kwargs):
        for cell in self.document.findall(nodes.container):
            if "parameters" in cell.get("cell_metadata", {}).get("tags", []):
                told = f"Parámetros: {values(cell[0].astext())}"
                cell.update_all_atts({"hide_mode": "input", "prompt_show": told, "prompt_hide": told})


def values(source: str) -> str:
    """The assignments of a parameters cell in one line, without comments and without a long list's middle."""
    said = []
    for line in ast.parse(source).body:
        name, value = line.targets[0].id, ast.literal_eval(line.value)
        if isinstance(value, list) and len(value) > 4:
            value = f"[{value[0]}, {value[1]}, …, {value[-1]}]"
        if name not in OF_THE_MACHINE:
            said.append(f"{name} = {value}".replace(" ", "\u00a0", 2))
    return "; ".join(said)


def add_number(app, page, template, context, doctree):
    """What the browser prints has the chapter's number in its title, as the page has."""
    if number := app.env.toc_secnumbers.get(page, {}).get(""):
        context["pagetitle"] = f"{'.'.join(map(str, number))}. {context['pagetitle']}"


def setup(app):
    app.add_transform(ReadingTime)
    app.add_transform(Parameters)
    # After the theme, which sets the title.
    app.connect("html-page-context", add_number, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
