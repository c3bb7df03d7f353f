"""The site as it was built (`python -m sphinx docs docs/_build`), in a browser without a window, at two widths."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SITE = Path(__file__).parents[2] / "docs" / "_build"
BROWSERS = ("chromium", "google-chrome", "chromium-browser", "chrome")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)
PAGES = sorted(str(file.relative_to(SITE)) for file in SITE.rglob("*.html") if "_modules" not in str(file))

built = pytest.mark.skipif(not PAGES, reason="the site isn't built here; CI builds it")
in_a_browser = pytest.mark.skipif(BROWSER is None, reason=f"none of {', '.join(BROWSERS)} is on PATH")

# Each page in a frame of a width, after which it is asked what is wrong with it.
ASKING = """<body><script>
// Whether a part of a page is wider than it, and nothing around it within the article scrolls.
function sticks_out(part) {
  if (part.getBoundingClientRect().right <= WIDTH + 1 || part.closest("mjx-assistive-mml, svg")) return false;
  for (let around = part; around.tagName != "ARTICLE"; around = around.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(around).overflowX)) return false;
  return true;
}
async function ask(page) {
  const frame = document.createElement("iframe");
  frame.width = WIDTH; frame.height = 800; frame.src = page;
  document.body.append(frame);
  await new Promise(done => frame.onload = done);
  const inside = frame.contentDocument, mathematics = [...inside.querySelectorAll(".math")];
  for (let waited = 0; waited < 100 && mathematics.some(m => !m.querySelector("mjx-container")); waited++)
    await new Promise(done => setTimeout(done, 100));
  const found = {
    page,
    wide: [...inside.querySelectorAll("article *")].filter(sticks_out).map(part => part.outerHTML.slice(0, 80)),
    mathematics: mathematics.length,
    unrendered: mathematics.filter(m => !m.querySelector("mjx-container")).length,
    wrong: inside.querySelectorAll('mjx-merror, mjx-container [style*="red"]').length,
    pictures: [...inside.images].filter(image => !image.naturalWidth).map(image => image.src),
  };
  frame.remove();
  return found;
}
(async () => {
  const found = [];
  for (const page of PAGES) found.push(await ask(page));
  document.body.innerHTML = "<pre></pre>";
  document.querySelector("pre").textContent = JSON.stringify(found);
})();
</script></body>"""


@built
@in_a_browser
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overflows_and_all_mathematics_is_rendered(width, tmp_path):
    asking = tmp_path / "asking.html"
    pages = json.dumps([(SITE / page).as_uri() for page in PAGES])
    asking.write_text(ASKING.replace("WIDTH", str(width)).replace("PAGES", pages), encoding="utf-8")
    assert BROWSER
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
    dom = subprocess.check_output(
        [BROWSER, *options, "--virtual-time-budget=600000", asking.as_uri()],
        text=True,
        stderr=subprocess.DEVNULL,
        timeout=400,
    )
    found = json.loads(html.unescape(re.findall("<pre>(.*)</pre>", dom)[0]))
    assert len(found) == len(PAGES)
    assert sum(page["mathematics"] for page in found) > 100
    for page in found:
        assert page["wide"] == [], page
        assert page["unrendered"] == page["wrong"] == 0, page
        assert page["pictures"] == [], page


@pytest.mark.smoke
@built
def test_every_page_is_reached_and_none_loads_anything_from_elsewhere():
    index = (SITE / "index.html").read_text(encoding="utf-8")
    for page in PAGES:
        text = (SITE / page).read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|link|img)[^>]*?(?:src|href)=\"(https?://[^\"]*)\"", text)
        assert loaded == [], f"{page} loads {loaded}"
    for name in ("notebook", "accuracy", "checkers", "document/index", "howto/kernels"):
        assert f'href="{name}.html"' in index
