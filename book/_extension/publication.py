"""What readers need to cite, link to or correct the book, all from CITATION.cff.

Without `repository-code` there, the book has no address and shows nothing that needs one.
"""

import re
import shutil
from html import escape
from pathlib import Path

import yaml
from sphinx.errors import ConfigError

CITATION = Path(__file__).resolve().parents[2] / "CITATION.cff"
CARD = ("_static/tarjeta.png", 1200, 630)


def configure(app, config):
    try:
        work = citation()
        config.myst_substitutions = config.myst_substitutions | {
            "cita": reference(work),
            "cita_bibtex": bibtex("moda", work),
            "cita_articulo_bibtex": bibtex("santamaria2024", work["references"][0]),
            "en_linea": online(work),
        }
    except KeyError as error:
        raise ConfigError(f"CITATION.cff lacks the field {error}, which the book shows") from error
    except (OSError, ValueError, TypeError, AttributeError, IndexError, yaml.YAMLError) as error:
        raise ConfigError(f"CITATION.cff does not say how to cite the book: {error}") from error
    repository = work.get("repository-code")
    if not repository:
        return
    config.html_baseurl = address(work)
    config.html_theme_options |= {
        "repository_url": repository,
        "repository_branch": "main",
        "use_repository_button": True,
        "use_edit_page_button": True,
        "launch_buttons": {"binderhub_url": "https://mybinder.org", "notebook_interface": "jupyterlab"},
    }
    # GitHub does not follow the symlink book/notebooks, and a notebook's source is its md.
    file = "{{ file_name.replace('.ipynb', '.md') if 'notebooks/' in file_name else 'book/' + file_name }}"
    config.html_context |= {
        "edit_page_url_template": f"{repository}/edit/main/{file}",
        "edit_page_provider_name": "GitHub",
    }


def citation() -> dict:
    work = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
    if not isinstance(work, dict):
        raise TypeError("it has no fields")
    if repository := (work.get("repository-code") or "").removesuffix("/"):
        if not re.fullmatch(r"https://[^/\s]+/[^/\s]+/[^/\s]+", repository):
            raise ValueError(f"repository-code is {repository!r}, not like https://github.com/OWNER/NAME")
        work["repository-code"] = repository
    return work


def address(work: dict) -> str:
    """The book's address: `url`, or else the repository's on GitHub Pages."""
    owner, name = work["repository-code"].split("/")[-2:]
    return work.get("url", f"https://{owner.lower()}.github.io/{name}").rstrip("/") + "/"


def online(work: dict) -> str:
    """Where the code is and what runs it in the browser, in Markdown."""
    if not (repository := work.get("repository-code")):
        return ""
    owner, name = repository.split("/")[-2:]
    binder = f"https://mybinder.org/v2/gh/{owner}/{name}/main?urlpath=lab/tree/notebooks"
    code = f"[{owner}/{name}]({repository})"
    return f"El código está en {code}, y [Binder]({binder}) ejecuta los cuadernos en línea."


def reference(work: dict) -> str:
    """`work` as a bibliography entry, in Markdown."""
    people = [
        author.get("name") or f"{author['given-names']} {author['family-names']}"
        for author in work["authors"]
    ]
    authors = " y ".join(people)
    parts = [authors, f"*{work['title']}*", f"Versión {work['version']}, {year(work)}"]
    if work.get("repository-code"):
        parts.append(f"<{address(work)}>")
    return ". ".join(parts) + "."


def bibtex(key: str, work: dict) -> str:
    """`work` as a BibTeX entry, in a code block."""
    people = [
        author.get("name") or f"{author['family-names']}, {author['given-names']}"
        for author in work["authors"]
    ]
    fields = {
        # In braces, so that a group's name is not split into first and last names.
        "author": " and ".join(person if "," in person else f"{{{person}}}" for person in people),
        "title": f"{{{work['title']}}}",
        "howpublished": work.get("institution", {}).get("name"),
        "year": year(work),
        "note": f"Versión {work['version']}" if "version" in work else None,
        "url": address(work) if work.get("repository-code") else None,
    }
    lines = [f"  {name:12} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join(["```bibtex", f"@misc{{{key},", *lines, "}", "```"])


def year(work: dict) -> int:
    # YAML parses a date unless it is quoted.
    return work.get("year") or int(str(work["date-released"])[:4])


def describe(app, page, template, context, doctree):
    """Give a page the title, text and picture of its link previews, if the book has an address.

    A page that Sphinx makes, the search, gets its text in any case.
    """
    if page == "search":
        context["metatags"] = '<meta name="description" content="Buscar en todas las páginas del libro." />'
    base = app.config.html_baseurl
    if not base or not doctree:
        return
    if page == app.config.root_doc:
        context["pageurl"] = base
    picture, width, height = CARD
    properties = {
        "og:type": "website",
        "og:site_name": app.config.html_title,
        "og:title": app.env.titles[page].astext(),
        "og:url": context["pageurl"],
        "og:image": base + picture,
        "og:image:width": width,
        "og:image:height": height,
        "og:image:alt": app.config.html_title,
    }
    tags = [
        f'<meta property="{name}" content="{escape(str(value))}" />' for name, value in properties.items()
    ]
    tags.append('<meta name="twitter:card" content="summary_large_image" />')
    described = context["metatags"].replace(
        'name="description"', 'name="description" property="og:description"'
    )
    context["metatags"] = "\n".join([described, *tags]) + "\n"


def write_index_and_sitemap(app, exception):
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir)
    # A copy, because the default redirect would have no title or picture in link previews.
    shutil.copyfile(out / f"{app.config.root_doc}.html", out / "index.html")
    sitemap = out / "sitemap.xml"
    sitemap.unlink(missing_ok=True)
    base = app.config.html_baseurl
    if base:
        pages = sorted(app.env.found_docs - {app.config.root_doc})
        addresses = [base, *(base + app.builder.get_target_uri(page) for page in pages)]
        locations = "".join(f"<url><loc>{place}</loc></url>\n" for place in addresses)
        sitemap.write_text(
            '<?xml version="1.0" encoding="utf-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{locations}</urlset>\n',
            encoding="utf-8",
        )


def setup(app):
    app.connect("config-inited", configure)
    app.connect("html-page-context", describe)
    # Before sphinx-external-toc, which makes an index only if there is none.
    app.connect("build-finished", write_index_and_sitemap, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
