"""Every link of README and the documentation that stays inside leads to a file, and a heading."""

import re

import pytest

from tests.helpers.pages import ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")],
    key=str,
)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(path):
    """The page without its blocks and pieces of code."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "`", text)


def anchors(path):
    """Those of the headings, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINKS = [
    (page, target)
    for page in PAGES
    for target in LINK.findall(prose(page))
    if not target.startswith(("http:", "https:", "mailto:"))
]


def test_there_are_links():
    assert len(LINKS) > 100
    assert {page.name for page, _ in LINKS} >= {"README.md", "which_method.md", "start.md"}


@pytest.mark.parametrize(
    ("page", "target"), LINKS, ids=lambda value: str(value).removeprefix(f"{ROOT}/")
)
def test_a_link_leads_somewhere(page, target):
    file, _, anchor = target.partition("#")
    path = (page.parent / file).resolve() if file else page
    assert path.is_file(), target
    if anchor:
        assert anchor in anchors(path), target
