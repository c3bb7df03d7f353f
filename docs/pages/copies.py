"""Pages that stand elsewhere in the repository: copied, with links and pictures that are right from where they are."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Files beside the code, which the site has as pages.
COPIED = {
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "benchmarks/README.md": "benchmarks",
    "manual_grads/checking/README.md": "how-a-check-works",
}
# A block of code, in which nothing is a link, or a link.
LINK = re.compile(
    r"^(?P<fence>`{3,}).*?^(?P=fence)$|(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<place>#[^)\s]*)?\)",
    re.MULTILINE | re.DOTALL,
)


def write(folder: Path) -> None:
    """Copies each into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for source, name in COPIED.items():
        page = folder / f"{name}.md"
        page.write_text(relinked((ROOT / source).read_text(encoding="utf-8"), ROOT / source, page), encoding="utf-8")


def relinked(text: str, source: Path, page: Path) -> str:
    """A file's text with its links as they are from a page: to pages and pictures; what is neither is told, not linked.

    Raises:
        ValueError: if a link leads to no file.
    """

    def link(match: re.Match[str]) -> str:
        target, place = match["target"], match["place"] or ""
        if match["fence"] or re.match(r"\w+:", target):
            return match[0]
        file = (source.parent / target).resolve()
        if not file.exists():
            raise ValueError(f"{source.relative_to(ROOT)} links to {target}, which isn't there")
        relative = str(file.relative_to(ROOT))
        if relative in COPIED:
            file = DOCS / "generated" / f"{COPIED[relative]}.md"
        elif not match["picture"] and not (file.suffix == ".md" and file.is_relative_to(DOCS)):
            return match["text"]
        return f"{match['picture']}[{match['text']}]({os.path.relpath(file, page.parent)}{place})"

    return LINK.sub(link, text)
