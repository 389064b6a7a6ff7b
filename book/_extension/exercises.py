"""The solutions of the exercises: on the screen folded below each, on paper in a chapter at the end."""

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

TITLE = "Solución"
CHAPTER = "Soluciones"


class SolutionsOf(nodes.Element):
    """The solutions of one page, whose links lead to what that page has."""


def is_solution(node: nodes.Node) -> bool:
    return (
        isinstance(node, nodes.container)
        and node.get("design_component") == "dropdown"
        and node[0].astext() == TITLE
    )


class Fold(SphinxTransform):
    """Move a code cell tagged `solution` into the solution that follows it, before its text."""

    default_priority = 400

    def apply(self, **kwargs):
        for cell in list(self.document.findall(nodes.container)):
            if "tag_solution" not in cell.get("classes", []):
                continue
            solution = cell.next_node(descend=False, siblings=True)
            if is_solution(solution):
                cell.parent.remove(cell)
                solution.insert(1, cell)
            else:
                logging.getLogger(__name__).warning(
                    "a cell tagged `solution` stands before no :::{dropdown} %s", TITLE, location=cell
                )


class MoveToTheEnd(SphinxPostTransform):
    """Gather the solutions behind the last page, and leave in their places where they are."""

    # Once every link has found where it leads to.
    default_priority = 790
    formats = ("latex",)

    def run(self):
        files = list(self.document.findall(addnodes.start_of_file))
        chapter = nodes.section("", nodes.title("", CHAPTER), ids=["soluciones"])
        for file in files:
            if solutions := list(file.findall(is_solution)):
                chapter += self.gathered(file, solutions)
        if len(chapter) > 1:
            files[-1].parent.append(chapter)

    def gathered(self, file: addnodes.start_of_file, solutions: list[nodes.container]) -> SolutionsOf:
        page = file["docname"]
        title = self.env.titles[page].astext()
        number = self.env.toc_secnumbers.get(page, {}).get("")
        heading = f"{number[0]}. {title}" if number else title
        section = nodes.section("", nodes.title("", heading), ids=["soluciones-de-la-pagina"])
        for solution in solutions:
            name = f"solucion-{exercise(solution)}"
            place = rf"\phantomsection\label{{\detokenize{{{page}:{name}}}}}"
            section += nodes.raw("", place, format="latex")
            section += nodes.rubric("", f"Ejercicio {exercise(solution)}")
            section += solution[1:]
            link = nodes.reference("", TITLE, refid=name, internal=True)
            solution.replace_self(nodes.paragraph("", "", link))
        return SolutionsOf("", section, docname=page)


def exercise(node: nodes.Node) -> int:
    """The number of the exercise that `node` belongs to: of the item that it is in, or stands after."""
    while not isinstance(node.parent, nodes.section):
        if isinstance(node, nodes.list_item):
            break
        node = node.parent
    if not isinstance(node, nodes.list_item):
        siblings = node.parent.children[: node.parent.index(node)]
        node = next(one for one in reversed(siblings) if isinstance(one, nodes.enumerated_list))[-1]
    return node.parent.get("start", 1) + node.parent.index(node)


def enter(writer, node):
    writer.curfilestack.append(node["docname"])


def leave(writer, node):
    writer.curfilestack.pop()


def setup(app):
    app.add_node(SolutionsOf, latex=(enter, leave))
    app.add_transform(Fold)
    app.add_post_transform(MoveToTheEnd)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
