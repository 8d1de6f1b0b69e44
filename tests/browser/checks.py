"""What every page of the console has to hold, whatever it shows."""

import json
import os
import pathlib

CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary"

# Text that cannot be told from its background (WCAG 2.2, 1.4.3: 4.5 to 1), as Chromium computes the colours.
CONTRAST = r"""
(() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const { rgb, a } = parse(getComputedStyle(e).backgroundColor);
      if (a === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility() || element.closest("noscript, script, :disabled")) continue;
    const [one, other] = [light(parse(getComputedStyle(element).color).rgb), light(behind(element))].sort();
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) found.push(`${node.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
})()
"""

UNNAMED = f"""
[...document.querySelectorAll({json.dumps(CONTROLS)})].filter((e) => e.checkVisibility()).filter((e) =>
  e.matches("input, select, textarea") ? !(e.labels && [...e.labels].some((l) => l.innerText.trim())) : !e.textContent.trim()
).map((e) => e.outerHTML)
"""

# Of a group of radio buttons the Tab key reaches the one that is chosen; arrow keys do the rest.
REACHABLE = f"""
[...document.querySelectorAll({json.dumps(CONTROLS)})].filter((e) => e.checkVisibility() && !e.disabled)
  .filter((e) => e.type !== "radio" || e.checked)
"""

OUTSIDE = """
[...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.closest(".hidden, .skip"))
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 120))
"""


def check(test, page, name, opened=False):
    """Checks a page and keeps a picture of it at both widths; its title."""
    run = page.run
    if opened:
        run("document.querySelectorAll('details').forEach((details) => { details.open = true })")
    title = run("document.title")
    test.assertRegex(title, r".+ \| Keywright local IAM$", name)
    test.assertEqual(run("document.documentElement.lang"), "en", name)
    test.assertEqual(run("document.querySelectorAll('h1').length"), 1, name)
    test.assertEqual(run("document.querySelectorAll('main').length"), 1, name)
    twice = run("(() => { const ids = [...document.querySelectorAll('[id]')].map((e) => e.id); "
                "return ids.filter((id, at) => ids.indexOf(id) !== at) })()")
    test.assertEqual(twice, [], name)
    test.assertEqual(run(UNNAMED), [], f"{name}: a control without a name")
    described = "[...document.querySelectorAll('[aria-describedby]')].flatMap((e) => " \
                "e.getAttribute('aria-describedby').split(' ')).filter((id) => !document.getElementById(id))"
    test.assertEqual(run(described), [], f"{name}: a description that is not there")
    foreign = "performance.getEntriesByType('resource').map((e) => e.name).filter((url) => " \
              "new URL(url).origin !== location.origin)"
    test.assertEqual(run(foreign), [], f"{name}: something from elsewhere")
    for scheme in ("light", "dark"):
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        test.assertEqual(run(CONTRAST), [], f"{name}, {scheme}: too little contrast")
    page.call("Emulation.setEmulatedMedia", features=[])
    folder = pathlib.Path(os.environ["SCREENSHOTS"])
    for width in (1280, 360):
        page.resize(width)
        test.assertLessEqual(run("document.documentElement.scrollWidth"), width, f"{name} scrolls sideways at {width}")
        test.assertEqual(run(OUTSIDE), [], f"{name}: beyond the edge at {width}")
        page.screenshot(folder / f"{name}-{width}.png")
    page.resize(1280)
    check_keyboard(test, page, name)
    test.assertEqual(page.complaints(), [], name)
    return title


def check_keyboard(test, page, name):
    """Goes once around the page with the Tab key, and sees where it is the whole way."""
    page.run("document.activeElement.blur()")
    count = page.run(f"{REACHABLE}.length")
    page.run(f"{REACHABLE}.forEach((e) => e.removeAttribute('data-reached'))")
    for _ in range(count + 3):
        page.press("Tab")
        page.run("document.activeElement !== document.body && document.activeElement.setAttribute('data-reached', "
                 "getComputedStyle(document.activeElement).outlineStyle)")
    missed = page.run(f"{REACHABLE}.filter((e) => !e.hasAttribute('data-reached')).map((e) => e.outerHTML)")
    test.assertEqual(missed, [], f"{name}: the keyboard does not reach it")
    unseen = page.run(f"{REACHABLE}.filter((e) => e.dataset.reached === 'none').map((e) => e.outerHTML)")
    test.assertEqual(unseen, [], f"{name}: the focus does not show")
    page.run(f"{REACHABLE}.forEach((e) => e.removeAttribute('data-reached'))")
