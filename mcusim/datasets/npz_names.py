"""Names of the arrays in a `.npz` -> which of them are samples and targets, of what, and for training or test.

Others call x_test `X_test`, `test_images` or just `x`: what can only be meant in one way is understood, and told.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mcusim.system.arrays import Array
from mcusim.system.errors import DataError, suggestion

WORDS = {
    "x": ("x", "data", "images", "image", "features", "samples", "inputs", "input"),
    "y": ("y", "labels", "label", "targets", "target", "outputs", "output"),
}
PARTS = {"train": ("train", "training"), "test": ("test", "testing")}
MOST_TOLD = 6


@dataclass(frozen=True)
class Names:
    """What a file has. `spelled`: by the names that are ours, those in the file."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    required: tuple[str, ...]
    optional: tuple[str, ...]
    notes: tuple[str, ...] = ()
    spelled: Mapping[str, str] = field(default_factory=dict)

    def renamed(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Arrays by our names."""
        ours = {theirs: name for name, theirs in self.spelled.items()}
        return {ours.get(name, name): array for name, array in arrays.items()}


def names_of(present: Iterable[str]) -> Names:
    """DataError when names contradict each other, or labels seem to be misspelled."""
    there = sorted(present)
    spelled = _spelled(there)
    ours = {spelling: name for name, spelling in spelled.items()}
    known = sorted(ours.get(name, name) for name in there)
    has = {array: any(_is_of(name, array) for name in known) for array in ("x_train", "y_train", "y_test")}
    inputs = names_in(known, "x", "input")
    outputs = names_in(known, "y", "output") if has["y_train"] or has["y_test"] else ()
    wanted = {
        "x_train": inputs if has["x_train"] or has["y_train"] else (),
        "y_train": outputs if has["y_train"] else (),
        "x_test": inputs,
        "y_test": outputs,
    }
    required = [key_of(array, name) for array, parts in wanted.items() for name in parts]
    optional = [key_of("classes", name) for name in outputs]
    _demand_known_classes(known, optional)
    optional += ["groups_train"] if has["x_train"] else []
    unused = [name for name in there if ours.get(name, name) not in (*required, *optional)]
    if not outputs:
        _demand_no_near_miss(unused)
    return Names(
        inputs,
        outputs,
        tuple(spelled.get(name, name) for name in required),
        tuple(optional),
        _notes(spelled, unused, bool(outputs)),
        spelled,
    )


def names_in(present: Iterable[str], letter: str, what: str) -> tuple[str, ...]:
    """What the inputs (`x`) or outputs (`y`) are called, sorted; "" for an only one without a name."""
    plain = [key for key in present if key in (f"{letter}_train", f"{letter}_test")]
    named = [key for key in present if key.startswith((f"{letter}_train_", f"{letter}_test_"))]
    if plain and named:
        hint = f"name every {what}, as in {letter}_train_<name>, or store an only one without a name"
        raise DataError(f"the file has {plain[0]!r} and {named[0]!r}", hint=hint)
    names = {key.split("_", 2)[2]: key for key in named}
    for name, key in names.items():
        if not (name and name.isprintable()):
            raise DataError(f"array {key!r} has no name that can be printed", hint=f"give the {what} a plain name")
    return tuple(sorted(names)) or ("",)


def _spelled(there: Sequence[str]) -> dict[str, str]:
    """By our names, those of the file that are others'. Only one may be meant."""
    found: dict[str, str] = {}
    for letter in WORDS:
        for part in PARTS:
            ours = f"{letter}_{part}"
            if not any(_is_of(name, ours) for name in there):
                found |= _only(ours, [name for name in there if _plain(name) in _spellings(letter, part)])
    without_part = {letter: [name for name in there if _plain(name) in WORDS[letter]] for letter in WORDS}
    if without_part["x"] and not any(_is_of(name, "x_test") or _is_of(name, "x_train") for name in (*there, *found)):
        for letter, names in without_part.items():
            found |= _only(f"{letter}_test", names)
    return found


def _only(ours: str, names: Sequence[str]) -> dict[str, str]:
    if len(names) > 1:
        hint = f"call the one that is meant {ours!r}"
        raise DataError(f"arrays {' and '.join(map(repr, names))} may both be {ours!r}", hint=hint)
    return {ours: names[0]} if names else {}


def _spellings(letter: str, part: str) -> set[str]:
    pairs = [(word, name) for word in WORDS[letter] for name in PARTS[part]]
    return {text for one, two in pairs for text in (f"{one}_{two}", f"{two}_{one}", f"{one}{two}", f"{two}{one}")}


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


def _is_of(name: str, array: str) -> bool:
    return name == array or name.startswith(f"{array}_")


def key_of(array: str, name: str) -> str:
    """`x_train_audio` of the input `audio`; `x_train` of an only one."""
    return f"{array}_{name}" if name else array


def _demand_known_classes(present: Iterable[str], known: Sequence[str]) -> None:
    """Names of classes that are silently those of no output would be missed in every report."""
    for key in present if known and list(known) != ["classes"] else ():
        if key not in known and (key == "classes" or key.startswith("classes_")):
            raise DataError(f"array {key!r} is for no output of this file", hint=suggestion(key, known))


def _demand_no_near_miss(unused: Sequence[str]) -> None:
    """Labels that are silently none would be a run without scores."""
    near = difflib.get_close_matches("y_test", map(_plain, unused), n=1, cutoff=0.8)
    for name in unused:
        if _plain(name) in near:
            raise DataError("the file has no array 'y_test'", hint=f"did you mean {name!r}? Call it 'y_test'")


def _notes(spelled: Mapping[str, str], unused: Sequence[str], has_labels: bool) -> tuple[str, ...]:
    told = [f"array {theirs!r} is taken for {ours}" for ours, theirs in spelled.items()]
    if unused:
        more = f" and {len(unused) - MOST_TOLD} more" if len(unused) > MOST_TOLD else ""
        names = ", ".join(map(repr, unused[:MOST_TOLD])) + more
        told.append(("" if has_labels else "there are no labels (y_test); ") + f"arrays of the file not used: {names}")
    return tuple(told)
