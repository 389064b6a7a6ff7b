"""What the book's own extensions do where the theme, a file or a former build is not as they expect."""

import sys
from types import SimpleNamespace

import pytest
import yaml
from docutils import nodes
from filelock import FileLock, Timeout
from sphinx.errors import ConfigError, ExtensionError

from moda.data import PROJECT

sys.path.insert(0, str(PROJECT / "book" / "_extension"))

import chapters
import finish
import live
import pdf
import publication
import style

CITATION = (PROJECT / "CITATION.cff").read_text(encoding="utf-8")


@pytest.fixture
def app(tmp_path):
    """What the extensions use of a whole book's Sphinx, its folders empty but for the theme's scripts."""
    source, out = tmp_path / "book", tmp_path / "book" / "_build" / "html"
    (out / "_static" / "scripts").mkdir(parents=True)
    for name in ("searchtools", "togglebutton", "translations", "scripts/pydata-sphinx-theme"):
        (out / "_static" / f"{name}.js").write_text(f"// {name}")
    return SimpleNamespace(
        srcdir=source,
        outdir=out,
        builder=SimpleNamespace(format="html"),
        config=SimpleNamespace(html_extra_path=[], html_context={}),
        env=SimpleNamespace(found_docs={"portada", "notebooks/01"}),
        whole_book=True,
    )


def test_texts_of_the_theme_are_replaced_in_pages_and_scripts(app):
    page = app.outdir / "portada.html"
    page.write_text("Main, Main")
    finish.replace(app, {"Main": "Libro", "// search": r"\g"})
    assert page.read_text() == "Libro, Libro"
    assert (app.outdir / "_static" / "searchtools.js").read_text() == r"\gtools"


def test_a_text_that_the_theme_has_no_more_is_an_error_that_names_it(app):
    (app.outdir / "portada.html").write_text("Main")
    with pytest.raises(ExtensionError, match="Primary") as caught:
        finish.replace(app, {"Main": "Libro", "Primary": "Menú"})
    assert "Main" not in str(caught.value)


def test_only_the_whole_book_must_have_every_text(app):
    for docnames, whole in ((["notebooks/01", "portada"], True), (["portada"], False), ([], False)):
        finish.note_whole(app, app.env, docnames)
        assert app.whole_book == whole
    finish.replace(app, {"Primary": "Menú"})
    app.env.found_docs = {"out"}
    finish.note_whole(app, app.env, ["out"])
    assert not app.whole_book


def test_the_style_sheet_keeps_what_a_page_or_a_script_may_use():
    rules = {
        ".used,.unused{color:red}": ".used{color:red}",
        ".unused .used{color:red}": "",
        "p:not(.unused),:is(.unused,p){color:red}": "p:not(.unused),:is(.unused,p){color:red}",
        "@media print{.unused{margin:0}.used{margin:0}}": "@media print{.used{margin:0}}",
        ".tip-top{top:0}": ".tip-top{top:0}",
        "/* .used{} */@font-face{src:url(a.ttf)}": "@font-face{src:url(a.ttf)}",
        "@keyframes fade{from{opacity:0}to{opacity:1}}": "@keyframes fade{from{opacity:0}to{opacity:1}}",
    }
    for rule, kept in rules.items():
        assert style.lean(f"p{{}}{rule}", {"used", "tip-"}) == f"p{{}}{kept}"


def test_the_time_to_read_is_that_of_what_is_in_sight():
    def cell(code: str, **attributes):
        source = nodes.container("", nodes.literal_block(code, code), nb_element="cell_code_source")
        forms = {"text/html": nodes.paragraph("", "a b"), "image/png": nodes.image()}
        shown = [nodes.container("", form, mime_type=name) for name, form in forms.items()]
        bundle = nodes.container("", *shown, nb_element="mime_bundle")
        return nodes.container("", source, bundle, nb_element="cell_code", **attributes)

    prose = nodes.paragraph("", "cuatro palabras y nada")
    exercises = nodes.section("", prose.deepcopy(), ids=["para-probar"])
    folded = nodes.container("", prose.deepcopy(), design_component="dropdown")
    word, line, picture = chapters.WORD, chapters.LINE, chapters.PICTURE
    for parts, expected in (
        ([prose, exercises, folded], 4 * word),
        ([cell("a = 1\n\nb = 2")], 2 * line + picture),
        ([prose.deepcopy(), cell("a = 1", hide_mode="input")], 4 * word + picture),
    ):
        section = nodes.section("", *parts, ids=["una"])
        assert chapters.seconds(section) == pytest.approx(expected)


def test_parameters_in_one_line_are_those_that_decide_a_result():
    source = "n = 64  # N\nrate = 1e-3\nseeds = [0, 1, 2, 3, 4]\nns = [8, 16]\ndevice = 'auto'\ndask = None\n"
    told = chapters.values(source).replace("\u00a0", " ")
    assert told == "n = 64; rate = 0.001; seeds = [0, 1, …, 4]; ns = [8, 16]"


def test_a_page_without_a_source_goes(app):
    (app.outdir / "notebooks").mkdir()
    kept = {"portada", "index", "search", "notebooks/01", "_static/macros"}
    for name in kept | {"antigua", "notebooks/02"}:
        (app.outdir / f"{name}.html").touch()
    finish.remove_old_pages(app)
    left = {file.relative_to(app.outdir).with_suffix("").as_posix() for file in app.outdir.rglob("*.html")}
    assert left == kept


def test_two_builds_do_not_write_at_once(app):
    finish.wait_for_others(app)
    with pytest.raises(Timeout):
        FileLock(app.outdir.parent / ".lock").acquire(blocking=False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no fields"),
        ("una lista de [campos", "CITATION.cff"),
        (CITATION.replace("references:", "referencias:"), "lacks the field 'references'"),
        (CITATION + "repository-code: github.com/Usuario\n", "not like https://github.com/OWNER/NAME"),
    ],
)
def test_a_damaged_citation_is_one_clear_error(content, said, tmp_path, monkeypatch):
    monkeypatch.setattr(publication, "CITATION", tmp_path / "CITATION.cff")
    publication.CITATION.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        publication.configure(None, SimpleNamespace(myst_substitutions={}))


def test_a_citation_may_name_people_and_quote_its_date():
    work = yaml.safe_load(CITATION) | {
        "authors": [{"given-names": "Ana", "family-names": "Pérez"}, {"name": "El grupo"}],
        "date-released": "2026-11-24",
    }
    assert publication.reference(work).startswith("Ana Pérez y El grupo. ")
    assert "Versión 0.1.0, 2026." in publication.reference(work)


@pytest.fixture
def latex(app):
    """The folder of a PDF that was made of the book's one page."""
    page, folder = app.srcdir / "portada.md", app.outdir.parent / "latex"
    folder.mkdir()
    page.write_text("El libro")
    pdf.note_sources(
        SimpleNamespace(**vars(app) | {"outdir": folder, "builder": SimpleNamespace(format="latex")})
    )
    (folder / "libro.pdf").touch()
    return folder


def test_the_pdf_of_these_pages_is_offered(app, latex):
    pdf.find_pdf(app, app.config)
    assert app.config.html_context["book_pdf"] == "libro.pdf"
    assert app.config.html_extra_path == [str(latex / "libro.pdf")]


@pytest.mark.parametrize("change", ["page changed", "page new", "page gone", "PDF of unknown sources"])
def test_a_pdf_of_other_pages_is_not_offered_and_its_copy_goes(change, app, latex):
    copy = app.outdir / "libro.pdf"
    copy.touch()
    match change:
        case "page changed":
            (app.srcdir / "portada.md").write_text("Otro libro")
        case "page new":
            (app.srcdir / "otra.md").write_text("Otra")
        case "page gone":
            (app.srcdir / "portada.md").unlink()
        case _:
            (latex / "sources.sha256").unlink()
    pdf.find_pdf(app, app.config)
    pdf.remove_old_pdf(app, None)
    assert not app.config.html_context
    assert not app.config.html_extra_path
    assert not copy.exists()


@pytest.fixture
def parts(tmp_path):
    """The folder of scripts of which one needs others."""
    scripts = {
        "parts/codigo.js": "// @ts-check\n// needs: state.js bars.js\n",
        "state.js": "// needs: elements.js data/garments.js\n",
        "bars.js": "// needs: elements.js\n",
        "elements.js": "",
    }
    for name, text in scripts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_each_script_comes_after_those_that_it_needs(parts):
    expected = ["elements.js", "data/garments.js", "state.js", "bars.js", "parts/codigo.js"]
    assert live.scripts("codigo", parts) == expected


def test_an_unknown_part_or_need_is_an_error_that_names_it(parts):
    with pytest.raises(ExtensionError, match=r"The live part 'otra' needs .*parts/otra\.js"):
        live.scripts("otra", parts)
    (parts / "bars.js").unlink()
    with pytest.raises(ExtensionError, match=r"The script parts/codigo\.js needs .*bars\.js"):
        live.scripts("codigo", parts)
