"""How a comparison's sentence begins: a suite says what is compared ("the ids", "lora_A"), and the verb agrees with it.

A name of the student's code keeps its spelling, also where it comes first.
"""

from __future__ import annotations

import re

# What a sentence may begin with besides names: only these get a capital.
ENGLISH = frozenset(
    {
        "the",
        "a",
        "an",
        "argument",
        "one",
        "each",
        "this",
        "what",
        "whether",
        "item",
        "block",
        "layer",
        "merge",
        "recall",
        "training",
    }
)
PLURAL = {"is": "are", "has": "have", "differs": "differ", "lacks": "lack", "follows": "follow", "comes": "come"}
# After one of these comes what belongs to the noun, and no longer what the verb agrees with.
ENDS = re.compile(
    r"[,:(]| (?:of|for|after|afterwards|before|in|with|at|that|from|when|where|to|by|once|just|returned|given)\b"
)
LOOK_PLURAL = frozenset({"loss", "bias", "class", "axis", "basis", "process", "pass", "mass"})
UNMARKED = frozenset({"likeliest"})  # of several, though nothing at its end says so


def sentence(what: str, said: str) -> str:
    """Return "The ids are …" for "the ids" and "is …": what is said begins with a verb in the singular."""
    verb, space, rest = said.partition(" ")
    return f"{start(what)} {PLURAL.get(verb, verb) if is_plural(what) else verb}{space}{rest}"


def start(text: str) -> str:
    """Return a text as the beginning of a sentence; one that begins with a name is left as it is."""
    first = re.split(r"[\s,:]", text, maxsplit=1)[0]
    return text[:1].upper() + text[1:] if first in ENGLISH else text


def is_plural(what: str) -> bool:
    """Whether what is compared is several things: "the ids of a text" are, "the list of ids" and `n_heads` are not."""
    first, _, others = what.partition(" ")
    if not others or first in ("what", "whether", "each", "one") or first not in ENGLISH:
        return False
    head = ENDS.split(what, maxsplit=1)[0]
    noun = head.split()[-1]
    if " and " in head or noun in UNMARKED:
        return True
    return noun.endswith("s") and noun not in LOOK_PLURAL and noun.isalpha()
