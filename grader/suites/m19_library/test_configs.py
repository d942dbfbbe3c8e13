"""m19_library: configs with defaults and what nobody knows, and the registry that opens a model by its name."""

import json
from typing import Any

import pytest

from grader.judge import expect, expect_answer, expect_equal, expect_raises, expect_unchanged

from . import probes
from .steps import files_in, folder_with

TINY = {"model_type": "tiny", "width": 4, "names": ["a", "b"], "rate": 0.5}
WIDE = TINY | {"model_type": "wide", "width": 8, "depth": 2}
DROPPED = "settings that the class does not know are dropped: a file would lose them when it is saved again"
NO_DEFAULTS = "defaults are left out: only what was given is there"
NO_BASES = "the defaults of the class's base are left out"
NO_TYPE = "model_type is left out: nobody could tell whose config it is"
IGNORED = "what is given does not replace the defaults"
BASES_FIRST = "the base's default stands in place of the class's own"
GIVEN_ALONE = "settings that are set later are not seen: to_dict is of what was given at first"
SHARED_DEFAULT = "a default that is a list belongs to all configs at once: give each config a copy"
SHARED_DICT = "what is inside of the dict handed in belongs to the config too: copy it in depth"
SHARED_OUT = "what is inside of to_dict's answer belongs to the config too: copy it in depth"
ANOTHER = "a config of another model_type is taken"
EMPTY_TYPE = "a class whose model_type is empty is registered"
TWO_CLASSES = "a second class takes the place of the first: both have one model_type"
CHOOSY = "a class without a model_type refuses every type: it takes any"
NO_FOLDER = "the folder is not made: saving fails where there is none"
NOT_UTF8 = "config.json is not UTF-8"
ONCE = "a class that is registered already is refused: the same class may come twice"
UNKNOWN = "a type that nobody has registered is opened all the same"


def dict_misses(right, given, base=None):
    """Return what mistakes make of the settings of a config."""
    known = {name: value for name, value in right.items() if name in (*WIDE, "model_type")}
    own = {"model_type", "depth", "width"} if base else set(right)
    return {
        DROPPED: known,
        NO_DEFAULTS: {"model_type": right["model_type"]} | given,
        NO_TYPE: {name: value for name, value in right.items() if name != "model_type"},
        IGNORED: right | {name: value for name, value in (base or TINY).items() if name in given},
        NO_BASES: {name: value for name, value in right.items() if name in own or name in given},
        BASES_FIRST: right | ({"width": 4} if base and "width" not in given else {}),
    }


@pytest.mark.task("m19.2")
@pytest.mark.holds(
    "A model's settings, as attributes.",
    "A subclass has its own as annotated class attributes, with their defaults.",
    "Take settings in place of the defaults; those that the class does not know are kept too.",
    'Return all settings as they are now, defaults and unknown ones included, and "model_type".',
)
def test_settings_are_defaults_and_what_is_given(student, draw):
    """A config has its class's defaults, those of the base too, what was given in their place, and unknown settings."""
    tiny, wide = student.plant(probes).configs(student.Config)
    number = draw.random.randrange(20, 90)
    for made, right, given, base in (
        (tiny, TINY, {}, None),
        (tiny, TINY, {"width": number, "dtype": "float16"}, None),
        (wide, WIDE, {"rate": 0.25, "rope": {"theta": 1.5}, "eos": None}, WIDE),
    ):
        config = made(**given)
        expect_equal(config.to_dict(), right | given, misses=dict_misses(right | given, given, base), what="the dict")
        for name, value in (right | given).items():
            expect_equal(getattr(config, name), value, what=f"config.{name}")


@pytest.mark.task("m19.2")
@pytest.mark.holds(
    'Return all settings as they are now, defaults and unknown ones included, and "model_type".',
)
def test_settings_are_as_they_are_now(student, draw):
    """What is set as an attribute later, known or not, is in the dict too."""
    tiny, _ = student.plant(probes).configs(student.Config)
    later = {"width": draw.random.randrange(20, 90), "note": "x"}
    found = student.plant(probes).changed(tiny(rate=0.125), **later)
    right = TINY | {"rate": 0.125} | later
    misses = {
        GIVEN_ALONE: TINY | {"rate": 0.125},
        "settings that the class does not know are left out when they are set later": {
            name: value for name, value in right.items() if name != "note"
        },
    }
    expect_equal(found, right, misses=misses, what="the dict")


@pytest.mark.task("m19.2")
@pytest.mark.holds(
    "Each config has values of its own: what changes inside of one changes no other, and no class or dict it "
    "came from.",
)
def test_a_config_has_values_of_its_own(student):
    """A list or dict that is changed in one config changes in no other, nor in the class, nor where it came from."""
    settings = {"inner": {"x": 1}}
    found = student.plant(probes).shared(student.Config, settings)
    expect_equal(found["other"], TINY, misses={
        SHARED_DEFAULT: TINY | {"names": ["a", "b", "c"]},
        "the lists of all configs and of to_dict are one list": TINY | {"names": ["a", "b", "c", "d"]},
        SHARED_OUT: TINY | {"names": ["a", "b", "d"]},
    }, what="another config's dict")  # fmt: skip
    expect_equal(found["class"], ["a", "b"], what="the class's default")
    expect_equal(found["new"], TINY, what="a new config's dict")
    expect_equal(found["given"], settings, misses={SHARED_DICT: {"inner": {"x": 7}}}, what="the dict handed in")
    expect_equal(found["own"], {"x": 7}, what="what the config itself has")


@pytest.mark.task("m19.2")
@pytest.mark.holds(
    "Return a config of this class; the reverse of to_dict.",
    "A dict may have none.",
)
def test_a_dict_becomes_a_config_again(student, draw):
    """from_dict takes what to_dict gave, or any dict of settings, and leaves it as it is."""
    _, wide = student.plant(probes).configs(student.Config)
    settings = {"depth": draw.random.randrange(3, 9), "heads": [1, 2]}
    for given in (WIDE | settings, settings):
        found = student.probe.mutated(wide.from_dict, given)
        expect_unchanged(found["args"][0], given, what="the dict after the call")
        right = WIDE | settings
        expect_equal(found["result"].to_dict(), right, misses=dict_misses(right, settings, WIDE), what="the dict")


@pytest.mark.task("m19.2")
@pytest.mark.holds(
    "ValueError, naming both, for another's model_type.",
    "Only a class without a model_type takes any; then it keeps that one.",
)
def test_anothers_config_is_refused(student):
    """A dict of another model_type raises ValueError with both types; Config itself takes every type, and keeps it."""
    tiny, wide = student.plant(probes).configs(student.Config)
    for made, other, names in ((tiny, WIDE, ("tiny", "wide")), (wide, TINY, ("tiny", "wide"))):
        own = TINY if made is tiny else WIDE
        given: dict[str, Any] = {"mentions": names, "fine": (own,), "mistake": ANOTHER}
        expect_raises("ValueError", made.from_dict, other, what="from_dict of another model_type", **given)
    llama = {"model_type": "llama", "d": 3}
    found = expect_answer(student.Config.from_dict, llama, simpler=({"d": 3},), mistake=CHOOSY).to_dict()
    right = {"model_type": "llama", "d": 3}
    misses = {"the type is lost where the class has none": {"model_type": "", "d": 3}, DROPPED: {"model_type": "llama"}}
    expect_equal(found, right, misses=misses, what="the dict")


@pytest.mark.task("m19.2")
@pytest.mark.holds(
    "Write to_dict() as JSON to config.json in a folder, which is made where there is none.",
)
def test_a_config_is_saved_as_json(student, draw):
    """config.json holds the dict as JSON, in a folder that is made, parents included."""
    tiny, _ = student.plant(probes).configs(student.Config)
    given = {"width": draw.random.randrange(20, 90), "author": "Zoë", "scale": None, "tied": True}
    for place in ("", "/runs/one"):
        base = folder_with(student, {"notes.txt": b"mine"})
        folder = base + place
        expect_answer(tiny(**given).save, folder, simpler=(base,), mistake=NO_FOLDER if place else None)
        found = files_in(student, folder)
        expect("config.json" in found, f"There is {sorted(found)} in the folder, and no config.json.", evidence="value")
        try:
            read = json.loads(found["config.json"].decode())
        except (ValueError, RecursionError):
            read = None
        mistake = NOT_UTF8 if b"Zo\xeb" in found["config.json"] else None
        expect(read is not None, "config.json is no JSON in UTF-8.", mistake=mistake, evidence="value")
        right = TINY | given
        expect_equal(read, right, misses=dict_misses(right, given), what="what config.json holds")


@pytest.mark.task("m19.2")
@pytest.mark.holds(
    "Return the config that was saved in a folder.",
    "Take settings in place of the defaults; those that the class does not know are kept too.",
)
def test_a_saved_config_is_loaded(student, draw):
    """What somebody else has saved is loaded, whatever else stands there, and would be saved again."""
    tiny, _ = student.plant(probes).configs(student.Config)
    given = {"width": draw.random.randrange(20, 90), "architectures": ["TinyLM"], "author": "Zoë", "rope": {"x": [1]}}
    text = json.dumps({"model_type": "tiny"} | given, ensure_ascii=False, indent=4)
    folder = folder_with(student, {"config.json": text.encode()})
    right = TINY | given
    for made in (tiny, student.Config):
        wanted = right if made is tiny else {"model_type": "tiny"} | given
        found = made.load(folder).to_dict()
        expect_equal(found, wanted, misses=dict_misses(wanted, given), what="the dict of the loaded config")


@pytest.mark.task("m19.2")
@pytest.mark.holds(
    "Let auto_model know a class by its config_class's model_type, and return it, so that it can decorate a class.",
    "Open a folder by the class that its config.json asks for: return that class's from_pretrained(folder, **changes).",
)
def test_a_folder_is_opened_by_its_class(student, draw):
    """Of two registered classes the one that config.json names opens the folder, with the same arguments."""
    planted, kinds = student.plant(probes), draw.random.sample(["ant", "bee", "cat"], 2)
    for kind in kinds:
        same = planted.registering(student.register, planted.opener(student.Config, kind))
        expect(same is True, "register returns something else than the class.", mistake=NO_CLASS)
    for kind in reversed(kinds):
        folder = folder_with(student, {"config.json": json.dumps({"model_type": kind, "x": 1}).encode()})
        right = {"type": kind, "folder": folder, "changes": {"width": 3}}
        other = next(name for name in kinds if name != kind)
        misses = {
            "the changes are not handed on to from_pretrained": right | {"changes": {}},
            "another class than the one of this model_type opens the folder": right | {"type": other},
        }
        expect_equal(student.auto_model(folder, width=3), right, misses=misses, what="what opened the folder")


NO_CLASS = "register returns something else than the class: a class that it decorates is lost"


@pytest.mark.task("m19.2")
@pytest.mark.holds(
    "The same class may come twice.",
    'Raises ValueError, naming the type, when it is "" or another class has it.',
)
def test_a_type_has_one_class(student):
    """One class may be registered twice; another class of its type, and one without a type, raise ValueError."""
    planted = student.plant(probes)
    ant, other, none = (planted.opener(student.Config, kind) for kind in ("ant", "ant", ""))
    student.register(ant)
    expect_answer(student.register, ant, simpler=(planted.opener(student.Config, "fly"),), mistake=ONCE)
    given: dict[str, Any] = {"mentions": ("ant",), "fine": (ant,), "mistake": TWO_CLASSES}
    expect_raises("ValueError", student.register, other, what="register with a second class of a type", **given)
    folder = folder_with(student, {"config.json": b'{"model_type": "ant"}'})
    expect_equal(student.auto_model(folder)["type"], "ant", what="the type that opens afterwards")
    given = {"fine": (ant,), "mistake": EMPTY_TYPE}
    expect_raises("ValueError", student.register, none, what="register with a class without a type", **given)


@pytest.mark.task("m19.2")
@pytest.mark.holds(
    "Raises ValueError, naming the type it asks for and all that are known, when no class has it.",
)
def test_an_unknown_type_is_named(student):
    """A folder of a type without a class raises ValueError with that type and the known ones; so does one without."""
    planted = student.plant(probes)
    for kind in ("ant", "bee"):
        student.register(planted.opener(student.Config, kind))
    fine = folder_with(student, {"config.json": b'{"model_type": "ant"}'})
    for text, names in ((b'{"model_type": "wasp"}', ("wasp", "ant", "bee")), (b'{"width": 4}', ("ant", "bee"))):
        folder = folder_with(student, {"config.json": text})
        given: dict[str, Any] = {"mentions": names, "fine": (fine,), "mistake": UNKNOWN}
        expect_raises("ValueError", student.auto_model, folder, what="auto_model of an unknown type", **given)
