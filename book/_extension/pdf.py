"""The book on paper: what is typeset differently from the screen, and the PDF that the HTML offers."""

import hashlib
from pathlib import Path

from docutils import nodes
from publication import CITATION
from sphinx import addnodes
from sphinx.builders.latex.nodes import thebibliography
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

# A table with more rows may break across pages; its columns are not wrapped.
LONG = 15
# How many characters fit into a line of it.
WIDE = 90

# The sources of the pages.
SOURCES = ("*.md", "notebooks/*.ipynb", "references.bib", "_*.yml", "_latex/*", "_extension/*.py")


class Typeset(SphinxPostTransform):
    """Adapt the whole book, assembled for LaTeX."""

    # After Sphinx has collected the references at the end.
    default_priority = 800
    formats = ("latex",)

    def run(self):
        self.leave_out_folded_code()
        self.leave_out_notes_on_recipes()
        self.lay_out_tables()
        self.begin_parts()
        self.return_references()

    def leave_out_folded_code(self):
        for cell in self.document.findall(nodes.container):
            if cell.get("hide_mode", "output") != "output":
                cell.children = [part for part in cell if part["nb_element"] != "cell_code_source"]
                if "parameters" in cell["cell_metadata"].get("tags", []):
                    cell += nodes.paragraph("", cell["prompt_show"])

    def leave_out_notes_on_recipes(self):
        """Each page says below its runs what a recipe is; on paper the method's chapter is enough."""
        for paragraph in list(self.document.findall(nodes.paragraph)):
            if paragraph.astext().startswith("La receta es"):
                paragraph.parent.remove(paragraph)

    def lay_out_tables(self):
        """Align columns as in the HTML, to the left unless marked right; Sphinx would justify them."""
        for table in list(self.document.findall(nodes.table)):
            rows = list(table.findall(nodes.row))
            sides = ["R" if "text-right" in entry["classes"] else "L" for entry in rows[-1]]
            columns = "".join(sides)
            if len(rows) > LONG:
                table["classes"].append("longtable")
                columns = columns.lower()
                lengths = [max(len(entry.astext()) for entry in column) for column in zip(*rows)]
                if sum(lengths) > WIDE:
                    # A long table does not wrap its cells unless it is told the widths.
                    columns = "".join(rf"\X{{{length}}}{{{sum(lengths)}}}" for length in lengths)
                if not isinstance(table[0], nodes.title):
                    # LaTeX numbers it even without a caption.
                    uncount = nodes.raw("", r"\addtocounter{table}{-1}", format="latex")
                    table.parent.insert(table.parent.index(table) + 1, uncount)
            if "colwidths-given" not in table["classes"]:
                table.parent.insert(table.parent.index(table), addnodes.tabular_col_spec(spec=columns))
            for entry in table.findall(nodes.entry):
                # An empty paragraph would still take up a line.
                if not entry.astext().strip():
                    entry.clear()

    def begin_parts(self):
        """Begin the parts of _toc.yml: a caption in the contents, and chapters with or without numbers."""
        files = {file["docname"]: file for file in self.document.findall(addnodes.start_of_file)}
        for part in self.config.external_site_map.root.subtrees:
            depth = 0 if part.numbered else -1
            command = rf"\bookpart{{{part.caption}}}{{{depth}}}"
            files[part.items[0]].insert(0, nodes.raw("", command, format="latex"))

    def return_references(self):
        """Move the references to the chapter that has them in the HTML."""
        (place,) = self.env.get_domain("cite").bibliographies
        (references,) = self.document.findall(thebibliography)
        references.parent.remove(references)
        for file in self.document.findall(addnodes.start_of_file):
            if file["docname"] == place.docname:
                file.append(references)


def digest(app) -> str:
    """A digest of the sources, which tells whether the book has changed."""
    folder = Path(app.srcdir)
    files = [CITATION, *(file for pattern in SOURCES for file in sorted(folder.glob(pattern)))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def note_sources(app):
    """Record beside the PDF the digest of its sources."""
    if app.builder.format == "latex":
        (Path(app.outdir) / "sources.sha256").write_text(digest(app))


def find_pdf(app, config):
    """Put the PDF beside the pages, if it was made from the same sources."""
    latex = Path(app.outdir).parent / "latex"
    pdf, sources = next(latex.glob("*.pdf"), None), latex / "sources.sha256"
    if not pdf or not sources.exists():
        return
    if sources.read_text() != digest(app):
        logging.getLogger(__name__).info("The PDF is older than the pages and not offered (make pdf)")
        return
    config.html_extra_path = [*config.html_extra_path, str(pdf)]
    config.html_context["book_pdf"] = pdf.name


def offer_pdf(app, pagename, templatename, context, doctree):
    if pdf := context.get("book_pdf"):
        button = {
            "type": "link",
            "url": context["pathto"](pdf, 1),
            "icon": "fas fa-file-pdf",
            "tooltip": "Descargar el libro en PDF",
            "label": "download-book-button",
            "classes": "pst-navbar-icon",
        }
        context["header_buttons"].append(button)


def remove_old_pdf(app, exception):
    """Remove a PDF that no page offers any more."""
    if app.builder.format == "html" and "book_pdf" not in app.config.html_context:
        for pdf in Path(app.outdir).glob("*.pdf"):
            pdf.unlink()


def setup(app):
    app.add_post_transform(Typeset)
    app.connect("config-inited", find_pdf)
    app.connect("builder-inited", note_sources)
    app.connect("build-finished", remove_old_pdf)
    # After the theme's own buttons.
    app.connect("html-page-context", offer_pdf, priority=502)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
