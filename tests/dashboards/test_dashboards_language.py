"""Both catalogues say the same things, the report uses all of them, and numbers look as a reader expects."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest
import yaml

from dashboards.language import CATALOGUES, LANGUAGES, Language, read_catalogue
from dashboards.tiering import ORDINAL_SCHEMES
from warehouse.settings import PROJECT_ROOT

ROOM = PROJECT_ROOT / "dashboards"
# say("a.b") is a text of its own, say.named("a", code) one of a section: the codes come from the warehouse.
SAID = re.compile(r"""\bsay\(\s*["']([a-z0-9_.]+)["']""")
NAMED = re.compile(r"""\bsay\.named\(\s*["']([a-z_]+)["']""")


def sources() -> str:
    files = [*ROOM.rglob("*.py"), *ROOM.rglob("*.html")]
    assert len(files) > 15
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_both_catalogues_have_the_same_keys_places_and_no_empty_text() -> None:
    english, chinese = (read_catalogue(code) for code in LANGUAGES)
    assert list(english) == list(chinese)
    for key, text in english.items():
        assert places(text) == places(chinese[key]), key
        assert text.strip(), key
        assert chinese[key].strip(), key


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_key_that_is_said_exists_and_every_key_that_exists_is_said() -> None:
    source = sources()
    said, named = set(SAID.findall(source)), set(NAMED.findall(source))
    keys = set(read_catalogue("en")) - {"unknown", "interval"}
    assert said - keys == set()
    assert named - {key.partition(".")[0] for key in keys} == set()
    assert {key for key in keys if key not in said and key.partition(".")[0] not in named} == set()
    assert {"tiers.title", "history.bar", "lorenz.corner"} <= said
    assert {"scheme", "state", "kind", "entity"} <= named


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_the_contracts_and_schemes_name_has_a_name_in_words(code: str) -> None:
    texts = read_catalogue(code)
    entities = {path.stem for path in (PROJECT_ROOT / "ingest" / "contracts").glob("*.yaml")}
    sources = {path.stem for path in (PROJECT_ROOT / "ingest" / "sources").glob("*.yml")}
    assert len(entities) >= 17
    wanted = (
        {f"entity.{name}" for name in entities}
        | {f"bank.{name}" for name in sources}
        | {f"scheme.{name}" for name in ORDINAL_SCHEMES}
    )
    assert wanted - set(texts) == set()


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_key_is_written_twice(code: str) -> None:
    class Strict(yaml.SafeLoader):
        pass

    def mapping(loader: Strict, node: yaml.MappingNode) -> dict[str, object]:
        keys = [loader.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), keys
        return loader.construct_mapping(node, deep=True)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    path: Path = CATALOGUES / f"{code}.yaml"
    assert yaml.load(path.read_text(encoding="utf-8"), Strict)


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        (None, "n/a", "无数据"),
        (0, "0", "0"),
        (999, "999", "999"),
        (-1_234, "-1.23 k", "-1,234"),
        (9_999, "10 k", "9,999"),
        (10_000, "10 k", "1万"),
        (48_300_000.5, "48.3 m", "4,830万"),
        (999_600, "1,000 k", "100万"),
        (123_456_789, "123 m", "1.23亿"),
        (1_234_567_890_123, "1,235 bn", "1.23万亿"),
    ],
)
def test_amounts_have_three_digits_in_the_sizes_of_the_language(
    value: float | None, english: str, chinese: str
) -> None:
    assert Language("en").amount(value).replace("\u202f", " ") == english
    assert Language("zh").amount(value) == chinese


def test_per_cents_and_codes() -> None:
    english, chinese = Language("en"), Language("zh")
    assert english.percent(0.1234) == "12.3\u202f%"
    assert chinese.percent(0.1234, 2) == "12.34%"
    assert english.named("entity", "of_the_bank_itself") == "of the bank itself"
    assert chinese.named("entity", "accounts") == "账户"
    with pytest.raises(KeyError):
        english("no.such_key")
    with pytest.raises(ValueError, match="en or zh, not 'de'"):
        Language("de")
