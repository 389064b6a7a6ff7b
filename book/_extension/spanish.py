"""What no setting can do for Spanish: bibliography, search, numbers in prose, some texts of the theme."""

import re
import unicodedata

from docutils import nodes
from finish import replace
from pybtex.plugin import register_plugin
from pybtex.style.formatting import toplevel
from pybtex.style.formatting.unsrt import Style, date, pages
from pybtex.style.template import names, optional, sentence, words
from sphinx.search.es import SearchSpanish
from sphinx.transforms.post_transforms import SphinxPostTransform


class Spanish(Style):
    """The style `unsrt` for the entry types in references.bib."""

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


class Search(SearchSpanish):
    """A search that treats singular and plural, with or without accents, as one word.

    Sphinx's own stemmer keeps some of them apart, such as "imagen" and "imágenes". The act, who does it and
    the verb are one word too: "clasificación", "clasificador", "clasificar". If no word matches the one
    searched for, those that contain it do.
    """

    js_stemmer_rawcode = ""
    # The same as `stem`, for the query.
    js_stemmer_code = r"""
        function Stemmer() {
          this.stemWord = (word) =>
            word
              .normalize("NFD")
              .replace(/\p{Mn}/gu, "")
              .replace(/^(.{3,}?)(es|e|s)$/, "$1")
              .replace(/z$/, "c")
              .replace(/(.{4})(acion|ador|ar)$/, "$1");
        }
    """

    def init(self, options):
        """Load no stemmer."""

    def stem(self, word):
        letters = unicodedata.normalize("NFD", word.lower())
        plain = "".join(letter for letter in letters if unicodedata.category(letter) != "Mn")
        plain = re.sub(r"z$", "c", re.sub(r"^(.{3,}?)(es|e|s)$", r"\1", plain))
        return re.sub(r"(.{4})(acion|ador|ar)$", r"\1", plain)


class Numbers(SphinxPostTransform):
    """In prose and tables, a minus sign before a number, and no line break between a number and what follows.

    After those that insert the numbers of the notebooks.
    """

    default_priority = 900
    minus = re.compile(r"(?<![\w.,)-])-(?=\d)")
    joined = re.compile(r"(?<=\d) (?=(?:%|±|×|s|ms|min|h|kB|MB|GB)(?!\w))|(?<=[±×]) (?=[\d+−])")

    def run(self, **kwargs):
        for block in self.document.findall(nodes.TextElement):
            if not isinstance(block, nodes.Inline | nodes.FixedTextElement):
                self._join(block)

    def _join(self, block):
        last = ""  # a number and its unit may be two pieces of text
        for text in list(block.findall(nodes.Text)):
            # A number that a notebook failed to give has no parent.
            if text.parent is not None and not isinstance(text.parent, nodes.literal | nodes.math):
                changed = self.joined.sub("\u00a0", self.minus.sub("−", last + text))[len(last) :]
                text.parent.replace(text, nodes.Text(changed))
            last = text[-1:]


# Hard-coded in templates and scripts, out of reach of sphinx.po.
TEXTS = {
    'title="Toggle primary sidebar"': 'title="Mostrar u ocultar el menú del libro"',
    'title="Toggle secondary sidebar"': 'title="Mostrar u ocultar el índice de la página"',
    'aria-label="Descarga esta pagina"': 'aria-label="Descargar esta página"',
    'aria-label="Main"': 'aria-label="Libro"',
    'aria-label="Page"': 'aria-label="Página"',
    r"B\u00fasqueda finalizada, se encontraron ${resultCount} p\u00e1ginas que coinciden con la "
    r"consulta de b\u00fasqueda.": r"P\u00e1ginas encontradas: ${resultCount}",
    r"Su b\u00fasqueda no coincide con ning\u00fan documentos. Por favor, aseg\u00farese de que todas las "
    r"palabras est\u00e9n correctamente escritas y que usted all\u00e1 seleccionado las suficientes "
    r"categor\u00edas.": r"Ninguna p\u00e1gina contiene todas esas palabras.",
    # The visible prompt is also the name for a screen reader.
    '<summary aria-label="Toggle hidden content">': "<summary>",
    'aria-label="Toggle hidden content"': 'aria-label="Mostrar u ocultar el contenido"',
}
# Buttons that only a book with an address has.
BUTTONS = {
    "Source repositories": "Repositorio",
    "Repositorio de origen": "Repositorio",
    ">Repository<": ">Repositorio<",
    "Suggest edit": "Proponer un cambio",
    "Launch interactive content": "Abrir el cuaderno en línea",
    "Launch on": "Abrir en",
}


def translate_texts(app, exception):
    if not exception and app.builder.format == "html":
        replace(app, TEXTS | (BUTTONS if app.config.html_baseurl else {}))


def setup(app):
    app.add_search_language(Search)
    app.add_post_transform(Numbers)
    register_plugin("pybtex.style.formatting", "spanish", Spanish)
    app.connect("build-finished", translate_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
