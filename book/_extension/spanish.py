"""What no setting can put into Spanish: the bibliography and a few texts of the theme."""

from pathlib import Path

from pybtex.plugin import register_plugin
from pybtex.style.formatting import toplevel
from pybtex.style.formatting.unsrt import Style, date, pages
from pybtex.style.template import names, optional, sentence, words


class Spanish(Style):
    """The style `unsrt` for the kinds of entry that references.bib has."""

    def format_names(self, role, as_sentence=True):
        people = names(role, sep=", ", sep2=" y ", last_sep=" y ")
        return sentence[people] if as_sentence else people

    def get_inproceedings_template(self, e):
        book = self.format_btitle(e, "booktitle", as_sentence=False)
        return toplevel[
            self.format_names("author"),
            self.format_title(e, "title"),
            words["En", sentence[book, optional[pages], date]],
            self.format_web_refs(e),
        ]


# Templates and scripts hold these themselves, out of reach of sphinx.po.
TEXTS = {
    'title="Toggle primary sidebar"': 'title="Mostrar u ocultar el menú del libro"',
    'title="Toggle secondary sidebar"': 'title="Mostrar u ocultar el índice de la página"',
    'aria-label="Toggle hidden content"': 'aria-label="Mostrar u ocultar el contenido"',
    'aria-label="Descarga esta pagina"': 'aria-label="Descargar esta página"',
    'aria-label="Main"': 'aria-label="Libro"',
    'aria-label="Page"': 'aria-label="Página"',
    "documentos. Por favor": "documento. Por favor",
    "Source repositories": "Repositorio",
    "Repositorio de origen": "Repositorio",
    ">Repository<": ">Repositorio<",
    "Suggest edit": "Proponer un cambio",
    "Launch interactive content": "Abrir el cuaderno en línea",
    "Launch on": "Abrir en",
    # Not a text: ARIA has withdrawn this role, and it stands in a list.
    'role="doc-biblioentry"': 'role="listitem"',
}


def translate_texts(app, exception):
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    scripts = [out / "_static" / name for name in ("togglebutton.js", "translations.js")]
    for file in [*out.rglob("*.html"), *scripts]:
        text = file.read_text(encoding="utf-8")
        for english, spanish in TEXTS.items():
            text = text.replace(english, spanish)
        file.write_text(text, encoding="utf-8")


def setup(app):
    register_plugin("pybtex.style.formatting", "spanish", Spanish)
    app.connect("build-finished", translate_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
