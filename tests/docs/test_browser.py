"""``docs/browser.md`` names every attribute, property, event, part and option, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.documents import Document

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "browser.md").read_text(encoding="utf-8")
STATIC = ROOT / "presence_server" / "web" / "static"
ELEMENTS = ("presence-bar", "presence-queue", "presence-cursors", "presence-debug")


def script(name: str) -> str:
    return (STATIC / f"{name}.js").read_text(encoding="utf-8")


def scripts() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("presence-*.js"))


def section(heading: str) -> str:
    """The text below a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}$\n(.*?)(?=^#|\Z)", TEXT, re.M | re.S)
    assert found is not None, heading
    return found[1]


def named(text: str, header: str) -> set[str]:
    """The names in the first column of the table that begins with a header."""
    names: set[str] = set()
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith(f"| {header} |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside:
            names |= {re.sub(r"\(.*", "", name) for name in re.findall(r"`([^`]+)`", cells[0])}
    assert names, f"no table begins with {header}"
    return names


def in_list(source: str, pattern: str) -> set[str]:
    """The strings of a list in a script."""
    found = re.search(pattern, source, re.S)
    assert found is not None, pattern
    return set(re.findall(r"'([\w-]+)'", found[1]))


def kebab(names: set[str]) -> set[str]:
    return {name.replace("_", "-") for name in names}


PROFILE = in_list(script("presence-address"), r"PROFILE_FIELDS = .*?\(\[(.*?)\]\)")


def test_elements() -> None:
    defined = set(re.findall(r"^define\('([\w-]+)'", scripts(), re.M))
    assert defined == set(ELEMENTS)
    assert named(section("2. Elements"), "element") == {f"<{name}>" for name in defined}


def test_attributes_of_every_element() -> None:
    own = in_list(script("presence-element"), r"CLIENT_ATTRIBUTES = \[(.*?), \.\.\.PROFILE_FIELDS")
    listed = named(section("Attributes of every element"), "attribute")
    assert listed == own | kebab(PROFILE)


@pytest.mark.parametrize("element", ELEMENTS)
def test_attributes_of_one_element(element: str) -> None:
    source = script(element)
    has_list = "OWN_ATTRIBUTES =" in source
    pattern = r"OWN_ATTRIBUTES = \[(.*?)\]" if has_list else r"ATTRIBUTES, (.*?)\];"
    listed = named(section(f"`<{element}>`"), "attribute")
    assert listed == in_list(source, pattern)
    sets = set(re.findall(r"'(data-(?:count|stale|waits|watching))'", source))
    if sets:
        assert named(section(f"`<{element}>`"), "attribute that it sets") == sets


def test_properties_of_every_element() -> None:
    own = in_list(script("presence-element"), r"const PROPERTIES = .*?\(\[(.*?)\]\)")
    assert named(section("Properties of every element"), "property") == own


def test_states_of_every_element() -> None:
    written = {
        f"data-{name}" for name in re.findall(r"this\.dataset\.(\w+) =", script("presence-element"))
    }
    assert named(section("States of every element"), "attribute") == written


def test_events() -> None:
    sent = set(re.findall(r"new CustomEvent\('(presence-[\w-]+)'", scripts()))
    listed = named(section("Events of every element"), "event")
    for element in ELEMENTS:
        if "| event |" in section(f"`<{element}>`"):
            listed |= named(section(f"`<{element}>`"), "event")
    assert listed == sent
    emitted = set(re.findall(r"#emit\('(\w+)'", script("presence-client")))
    assert named(section("Events"), "event") == emitted


def interface(name: str) -> set[str]:
    """The members of an interface in the types of the npm package."""
    source = (ROOT / "deploy" / "npm" / "src" / "elements.ts").read_text(encoding="utf-8")
    found = re.search(rf"^export interface {name}.*? {{\n(.*?)^}}", source, re.M | re.S)
    assert found is not None, name
    return set(re.findall(r"^  '?([\w-]+)'?\??:", found[1], re.M))


def test_typescript_knows_the_same_events_and_attributes() -> None:
    emitted = set(re.findall(r"#emit\('(\w+)'", script("presence-client")))
    types = script("presence-types").partition("The events of a client")[2].partition("*/")[0]
    assert set(re.findall(r"@property \{.*\} (\w+)", types)) == emitted
    sent = set(re.findall(r"new CustomEvent\('(presence-[\w-]+)'", scripts()))
    assert interface("ElementEvents") == sent
    properties = named(section("Properties of every element"), "property")
    attributes = named(section("Attributes of every element"), "attribute")
    assert interface("ElementAttributes") == properties | attributes
    assert interface("AttributesOf") == set(ELEMENTS)
    for element in ELEMENTS:
        own = element.removeprefix("presence-").capitalize() + "Attributes"
        assert interface(own) == named(section(f"`<{element}>`"), "attribute")


def test_options() -> None:
    known = in_list(script("presence-values"), r"const OPTIONS = new Set\(\[(.*?)\.\.\.")
    camel = {re.sub(r"_(\w)", lambda found: found[1].upper(), name) for name in PROFILE}
    assert named(section("Options"), "option") == known | camel


def public_members(name: str) -> tuple[set[str], set[str]]:
    """The methods and the readable properties of the class in a module."""
    source = script(name)
    methods = set(re.findall(r"^  (?:async )?(\w+)\([^)]*\) \{$", source, re.M)) - {"constructor"}
    return methods, set(re.findall(r"^  get (\w+)\(\) \{$", source, re.M))


def test_methods_and_properties_of_cursors() -> None:
    source = script("presence-cursors").split("what is loaded when it is needed")[1]
    methods = set(re.findall(r"^  async (\w+)\([^)]*\) \{$", source, re.M))
    text = section("`<presence-cursors>`")
    assert named(text, "method") == methods
    assert named(text, "property") == set(re.findall(r"^  get (\w+)\(\) \{$", source, re.M))


def test_fields_that_elements_write() -> None:
    written = set(re.findall(r"tell\([\w.#]+, \{ (\w+):", scripts()))
    assert named(section("Methods"), "key") == written


def test_methods_and_properties_of_the_client() -> None:
    methods, properties = public_members("presence-client")
    more_methods, more_properties = public_members("presence-view")
    assert named(section("Methods"), "method") == methods | more_methods
    assert named(section("Properties"), "property") == properties | more_properties


def test_provider() -> None:
    source = script("presence-yjs")
    methods, properties = public_members("presence-yjs")
    methods |= set(re.findall(r"^  (\w+) = \(.*\) => \{$", source, re.M))
    properties |= set(re.findall(r"^    this\.(\w+) = ", source, re.M))
    assert named(section("Methods of the provider"), "method") == methods
    assert named(section("Properties of the provider"), "property") == properties
    options = re.search(r"constructor\(client, doc, \{ (.*) \}\)", source)
    assert options is not None
    known = {option.partition(" ")[0] for option in options[1].split(", ")}
    assert named(section("Options of the provider"), "option") == known
    sent = set(re.findall(r"new CustomEvent\('(\w+)'", source))
    assert named(section("Events of the provider"), "event") == sent


def test_states_of_the_client() -> None:
    found = re.search(r"@typedef \{(.*?)\} State", script("presence-types"))
    assert found is not None
    states = set(re.findall(r"'(\w+)'", found[1]))
    assert named(section("Properties"), "state") == states
    shown = set(re.findall(r"`(\w+)`", section("States of every element").splitlines()[3]))
    assert states | {"none"} <= shown


def test_custom_properties_and_parts() -> None:
    used = set(re.findall(r"var\((--presence-[\w-]+)", scripts()))
    assert named(section("5. Looks"), "custom property") == used
    parts = set(re.findall(r"part: '(\w+)'|'part', '(\w+)'", scripts()))
    assert named(section("5. Looks"), "part") == {first or second for first, second in parts}


def test_the_oldest_browsers_are_those_that_have_every_listed_feature() -> None:
    page = Document("browser.md")
    (oldest,) = page.table("Chrome, Edge")
    features = page.table("feature")
    for column, version in enumerate(oldest, start=1):
        assert max(float(row[column]) for row in features) == float(version)
    for row in features:
        assert row[0].strip("`").removeprefix("Intl.") in scripts(), row[0]
    target = (ROOT / ".ci" / "assets" / "files.mjs").read_text(encoding="utf-8")
    names = ("chrome", "firefox", "safari")
    listed = [f"{name}{version}" for name, version in zip(names, oldest, strict=True)]
    assert re.findall(r"'((?:chrome|firefox|safari)\d+)'", target) == listed


def test_errors() -> None:
    cures = set(re.findall(r"^  ([A-Z_]+): ", script("presence-complaints"), re.M))
    listed = named(section("6. Errors"), "code")
    assert listed == cures | set(re.findall(r"code: '([A-Z_]+)'", script("presence-element")))
