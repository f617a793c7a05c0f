#!/usr/bin/env python3
"""The page of a run, in a browser: report_page.py REPORT_SAMPLES BUILD_DIR

What is drawn, what it says when somebody points at it, that text of a run stays text, and that it
fits windows and paper. The pages and pictures are left in BUILD_DIR/report_pages, to be looked at.
"""
import json
import pathlib
import re
import subprocess
import sys
import zlib

import browser

SKIP_CODE = 77
HOSTILE = "</script><script>alert(1)</script>"
KINDS = ("good", "failed", "empty", "large")
WIDTHS = (360, 1280, 1600)

wrong = []


def check(good, what):
    if not good:
        wrong.append(what)
        print(f"FAILED {what}")


def equal(seen, wanted, what):
    check(seen == wanted, f"{what}: {seen!r}, and not {wanted!r}")


def background(png):
    """The brightness, 0 to 255, of the pixel at the top left. It has no neighbours that PNG's
    filters could have taken it from."""
    data, at = b"", 8
    while at < len(png):
        length = int.from_bytes(png[at:at + 4], "big")
        if png[at + 4:at + 8] == b"IDAT":
            data += png[at + 8:at + 8 + length]
        at += length + 12
    return sum(zlib.decompress(data)[1:4]) / 3


class Page:
    """One page as it is open in the browser."""
    def __init__(self, chromium, folder, kind, width=1280, dark=False):
        self.chromium, self.name = chromium, f"{kind}, {width} wide, {'dark' if dark else 'light'}"
        chromium.open(folder / f"{kind}.html", width, dark)
        equal(self.value("document.documentElement.dataset.state"), "drawn",
              f"{self.name}: state ({self.value('document.documentElement.dataset.error')})")

    def value(self, script):
        return self.chromium.value(script)

    def count(self, selector):
        return self.value(f"document.querySelectorAll({json.dumps(selector)}).length")

    def text(self, selector):
        return self.value(f"document.querySelector({json.dumps(selector)}).textContent")

    def counts(self, **wanted):
        """As in counts(bars=(".bar", 3))."""
        for what, (selector, number) in wanted.items():
            equal(self.count(selector), number, f"{self.name}: {what}")

    def in_peace(self):
        equal(self.chromium.troubles(), [], f"{self.name}: errors, dialogs, loads")


def a_good_run(chromium, folder):
    """Everything is drawn, and every plot tells its values at one moment."""
    page = Page(chromium, folder, "good")
    equal(page.text("#scenario"), "split-brain-and-heal", "the title")
    equal(page.value("document.title"), "\u2713 split-brain-and-heal", "the title of the tab")
    equal(page.text("#verdict strong"), "Passed", "the verdict")
    check("18446744073709551615" in page.text("#facts"), "the seed has all of its digits")
    page.counts(lines=("figure > svg .series[data-name]:not(.node)", 6), nodes=(".series.node", 5),
                bars=(".bar", 3), bands=("[data-name='Throughput'] .band", 3),
                plots=("figure.plot", 5), views=("figure.view", 5), checks=("tr.check", 5),
                lines_of_the_ledger=("tr.line", 6), sums=("tr.sum", 1), letters=("tr.letter", 1),
                violations=(".violation", 0), off=("#ledger .bad, #balance.bad", 0))
    equal(page.count(".band"), 9 * 3, "faults shade 4 plots and 5 views")
    equal(page.value("[...document.querySelectorAll('tr.sum td')].map(one => one.innerText)"),
          ["all 6 lines", "206,832", "206,810", "3", "2", "17\ndrop_oldest 15\nsuperseded 2", "0"],
          "the sum of the ledger")
    equal(page.value("[...document.querySelectorAll('[data-name=n1] .state')]"
                     ".map(one => one.dataset.name)"), ["alive", "suspect", "dead"],
          "what n1 saw")

    series = json.loads((folder / "good.json").read_text())["series"]
    page.value("document.querySelector('#plots').focus()")
    for _ in range(20):
        chromium.press("ArrowRight")
    equal(page.text("#now"), "10.00 s \u00b7 1 partition: n1 n2 | n3 n4 n5", "twenty samples on")
    equal(page.text("[data-name='Throughput'] output"), f"{series['published'][19]:,.0f}/s",
          "published, twenty samples on")
    equal(page.text("[data-name='n1'] .saw"), "dead: n3, n4, n5; alive: n1, n2", "n1 saw")
    chromium.press("Escape")
    check("Point at" in page.text("#now"), "Escape ends pointing")

    chromium.point_at("[data-name='Throughput'] svg.chart", 0.79)
    check("3 kill" in page.text("#now"), f"pointing tells the fault: {page.text('#now')}")
    equal(page.text("[data-name='n5'] .saw"), "not running", "n5 while it is killed")
    at = float(re.search(r"[\d.]+", page.value(
        "document.querySelector('.cross').getAttribute('transform')")).group(0))
    alive = page.value("document.querySelector('[data-name=n5] .alive[data-name]')"
                       ".getAttribute('d')")
    spans = [(float(begin), float(begin) + float(wide))
             for begin, wide in re.findall(r"M([\d.]+) \d+h([\d.]+)", alive)]
    equal(len(spans), 12, "n5 saw members alive, each until something changed")
    check(not any(begin < at < end for begin, end in spans), "a killed n5 sees nobody")
    equal(page.value("new Set([...document.querySelectorAll('.cross')].map(one =>"
                     " one.style.visibility + one.getAttribute('transform'))).size"), 1,
          "one cross hair through all plots")
    chromium.picture(folder / "good-pointing.png", whole=False)
    page.in_peace()


def a_failed_run(chromium, folder):
    """Violations are told, and names that are markup are names."""
    page = Page(chromium, folder, "failed")
    equal(page.text("#verdict strong"), "Failed", "the verdict")
    equal(page.value("document.title"), f"\u2717 {HOSTILE}", "the title of the tab")
    for selector in ("#scenario", "#notes li", "tr.letter:last-child td"):
        equal(page.text(selector), HOSTILE, f"hostile text in {selector}")
    page.counts(scripts=("script", 2), images=("img", 0), violations=("details.violation", 3),
                open=("details.violation[open]", 1), story=("details[open] .story li", 5),
                off=("#ledger .bad, #balance.bad", 3), broken=("tr.check .bad", 2))
    check("drop_oldest 15\nsuperseded 2\n__proto__ 1" in page.value(
        "document.querySelector('tr.sum').innerText"), "a reason may have any name")
    equal(page.text("#balance"), " 1 of 7 lines do not balance.", "the ledger")
    equal(page.value("[...document.querySelectorAll('.row-name title')]"
                     ".filter(one => one.textContent.startsWith('</script>')).length"), 2,
          "a row and a lane of the node with a hostile name")
    page.value("document.querySelector('.story button').click()")
    equal(page.text("#now").split(" s")[0], "4.91", "a moment of the story, in the plots")
    page.in_peace()


def an_empty_run(chromium, folder):
    page = Page(chromium, folder, "empty")
    equal(page.text("#verdict strong"), "Nothing was checked", "what nobody looked at did not pass")
    page.counts(lines=(".series", 0), bands=(".band", 0), rows=("tr", 0), views=(".view", 0))
    equal(page.text("#violations"), "None.", "violations")
    page.value("document.querySelector('#plots').focus()")
    chromium.press("ArrowRight")
    page.in_peace()


def a_large_run(chromium, folder):
    """50 nodes, 2,000 samples: no more points than pixels, and the rest when it is asked for."""
    page = Page(chromium, folder, "large")
    page.counts(nodes=(".series.node", 50), rows=("tr.line", 39), bars=(".bar", 31))
    most = page.value("Math.max(...[...document.querySelectorAll('.series')]"
                      ".map(one => one.getAttribute('d').split('L').length))")
    width = page.value("document.querySelector('.chart').viewBox.baseVal.width")
    check(most <= 2 * width, f"{most} points on {width} pixels")
    highest = max(json.loads((folder / "large.json").read_text())["series"]["handled"])
    check(f"{highest:,.0f}/s" in page.text("[data-name='Throughput'] .key:last-child"),
          "the highest of all samples")
    page.value("document.querySelector('#ledger .more').click()")
    page.counts(rows=("tr.line", 156))
    page.in_peace()


def every_window(chromium, folder):
    """Nothing is wider than the window, in light and dark; and paper has everything."""
    for kind in KINDS:
        for width in WIDTHS:
            for dark in (False, True):
                page = Page(chromium, folder, kind, width, dark)
                beyond = page.value("document.documentElement.scrollWidth - innerWidth")
                check(beyond <= 0, f"{page.name}: {beyond} pixels wider than the window")
                picture = folder / f"{kind}-{width}-{'dark' if dark else 'light'}.png"
                chromium.picture(picture, whole=kind != "large")
                bright = background(picture.read_bytes())
                check(bright < 40 if dark else bright > 240, f"{page.name}: brightness {bright}")
                page.in_peace()
        chromium.print(folder / f"{kind}.pdf")
        check((folder / f"{kind}.pdf").read_bytes().startswith(b"%PDF"), f"{kind} on paper")
        equal(page.count(".violation:not([open])"), 0, f"{kind}: closed on paper")
        page.in_peace()


def a_broken_page(chromium, folder):
    """A page that cannot be drawn says so."""
    text = (folder / "good.html").read_text()
    (folder / "broken.html").write_text(text.replace('"version":1', '"version":'))
    chromium.open(folder / "broken.html", 1280)
    equal(chromium.value("document.documentElement.dataset.state"), "failed", "a broken page")
    check("could not be drawn" in chromium.value("document.body.innerText"), "it says so")


def main():
    samples, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve() / "report_pages"
    if browser.program() is None:
        print("SKIPPED there is no Chromium: apt-get install chromium")
        return SKIP_CODE
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        for form, suffix in (("page", "html"), ("json", "json")):
            with open(folder / f"{kind}.{suffix}", "wb") as out:
                subprocess.run([samples, kind, form], stdout=out, check=True)
    chromium = browser.Browser()
    try:
        for test in (a_good_run, a_failed_run, an_empty_run, a_large_run, every_window,
                     a_broken_page):
            test(chromium, folder)
    finally:
        chromium.close()
    print(f"{len(wrong)} checks failed; see {folder}" if wrong else "OK")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
