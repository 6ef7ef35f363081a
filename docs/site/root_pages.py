"""Pages of the site that lie elsewhere in the repository: README, CHANGELOG, CONTRIBUTING and the notebooks.

README is the home page. Its links lead to the repository's files; here they lead to the site's pages, and a
link to a file that the site does not have is left as text.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
#: Where links to other files of the repository lead.
ELSEWHERE = {"examples/notebooks/README.md": "tutorials.md"}
_MERMAID = re.compile(
    r'<script type="module">(?:(?!</script>).)*?cdnjs(?:(?!</script>).)*</script>', re.DOTALL
)
_UP = re.compile(r"(\[[^\]]*\])\(\.\./([^)\s]+)\)")
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Notebooks stand in the navigation below `Tutorials`, in the order of their names."""
    for section in config.nav or []:
        if "Tutorials" in section:
            section["Tutorials"] += [{title(path): f"notebooks/{path.name}"} for path in notebooks()]
    return config


@event_priority(100)  # before the plugin that renders notebooks
def on_files(files: Files, config: MkDocsConfig) -> Files:
    for source, page in PAGES.items():
        files.append(
            File.generated(config, page, content=from_root((ROOT / source).read_text(encoding="utf-8")))
        )
    for path in notebooks():
        files.append(
            File(f"notebooks/{path.name}", str(ROOT / "examples"), config.site_dir, config.use_directory_urls)
        )
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """A page in docs/ says `../README.md` of what is a page of the site."""
    return _UP.sub(lambda found: from_root(f"{found[1]}({found[2]})"), markdown)


def on_post_page(output: str, **_: object) -> str:
    """Without the script that notebooks bring along, which would fetch a drawer of diagrams."""
    return _MERMAID.sub("", output)


def notebooks() -> list[Path]:
    return sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))


def title(notebook: Path) -> str:
    """Its first heading."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for line in "".join(cell["source"]).splitlines():
            if line.startswith("# "):
                return line.removeprefix("# ").strip()
    return notebook.stem


def from_root(markdown: str) -> str:
    """A page of the root with the links of the site, and with inner lists indented by four."""

    def link(found: re.Match[str]) -> str:
        mark, text, target, anchor = found.groups()
        if re.match(r"[a-z]+:", target):
            return found.group()
        if target in PAGES | ELSEWHERE:
            target = (PAGES | ELSEWHERE)[target]
        elif target.startswith("docs/"):
            target = target.removeprefix("docs/")
        else:
            return text
        return f"{mark}[{text.removeprefix('docs/')}]({target}{anchor or ''})"

    return re.sub(r"^  - ", "    - ", _LINK.sub(link, markdown), flags=re.MULTILINE)
