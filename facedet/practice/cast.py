"""The cast of the practice dataset: invented people, each with a face, a name and a wardrobe."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from facedet.practice.portraits import Colour, Look, Pattern
from facedet.practice.shapes import Shape
from facedet.practice.sitters import Body, Face, Head

# Invented, and of no country: two faces stand for them all. They are written as VGG Face writes its
# own: underscores, some dots and hyphens.
NAMES = (
    *("Ada_Quill", "J.T._Thimble", "Jo-Anne_Pebble", "Vera_Lantern", "Nell_Copperpot"),
    *("Ivy_Larkspur-Moss", "Una_M._Fable", "Tess_of_the_Harbour", "K.C._Button"),
    *("Lola_Marzipan", "Dot_Windmill", "Rosa_Inkwell", "Maud_O.Clover", "Pia_Saffron-Reed"),
    *("Zoe_Bramble", "Cora_Teacup", "Edda_Snowdrop", "Carla_St._Feather", "Yara_Pocket"),
    *("Nina_Moonbeam", "Bea_Umbrella", "Flo_Cinnamon", "Gwen_Ladder", "Hetty_Paperclip"),
    *("Tilly_Rain-Barrel", "Wanda_Sundial"),
)
_GIVEN = ("Alba", "Bibi", "Coco", "Dora", "Elsie", "Fay", "Gigi", "Holly", "Isa", "Juno")
_FAMILY = ("Acorn", "Bluebell", "Candle", "Dewdrop", "Ember-Lane", "Fiddle", "Gable")

HAIR: dict[str, Colour] = {
    "black": (44, 38, 36),
    "dark": (66, 48, 38),
    "brown": (102, 74, 52),
    "chestnut": (112, 66, 44),
    "red": (142, 76, 44),
    "blond": (184, 152, 104),
    "grey": (150, 148, 146),
    "white": (196, 194, 190),
}
# As light and make-up would change it, and no further: the two women in the photographs are not to
# be painted into what they are not. So the cast is less varied than people are.
SKIN: dict[str, Colour] = {
    "fair": (1.0, 1.0, 1.0),
    "rosy": (1.0, 0.96, 0.95),
    "olive": (0.9, 0.85, 0.77),
    "tan": (0.82, 0.73, 0.64),
}
CLOTHS: tuple[Colour, ...] = (
    *((34, 36, 44), (58, 62, 70), (96, 100, 106), (88, 34, 42), (36, 62, 96), (40, 74, 62)),
    *((120, 96, 70), (70, 46, 78), (152, 62, 54), (176, 168, 150), (28, 28, 30), (52, 84, 120)),
)
SUITS: tuple[Colour | None, ...] = (
    *(None, (66, 92, 138), (84, 104, 80), (128, 128, 130), (150, 60, 56), (60, 66, 84)),
)
SHIRTS: tuple[Colour | None, ...] = (
    *(None, None, (176, 196, 216), (214, 178, 176), (70, 74, 84), (206, 196, 150)),
)
JUMPERS: tuple[Colour, ...] = (
    *((226, 220, 206), (46, 46, 50), (150, 48, 52), (60, 84, 116), (186, 142, 70), (120, 116, 112)),
    *((70, 92, 72), (196, 150, 150)),
)
LOOKS = 3  # a person
FRAMES: tuple[Colour, ...] = ((28, 26, 28), (74, 44, 28), (120, 96, 56), (90, 92, 98), (96, 28, 34))


@dataclass(frozen=True, slots=True)
class Member:
    """One identity: the name as a file stem, and the same face in several clothes."""

    name: str
    looks: tuple[Look, ...]


@dataclass(frozen=True, slots=True)
class _Type:
    """A kind of face: what it is put together from, and dyes that look natural on it."""

    head: Head
    face: Face
    skins: tuple[str, ...]
    hairs: tuple[str, ...]


_ANY_SKIN = ("fair", "olive", "rosy", "tan")
_DARK_HAIR = ("black", "dark")
_TYPES = (
    _Type("hair", "own", ("fair", "rosy"), ("blond", "brown", "chestnut")),
    _Type("hat", "own", ("fair",), ("grey",)),
    _Type("hair", "own", ("olive", "rosy"), _DARK_HAIR),
    _Type("hair", "other", ("fair", "olive"), ("grey", "white", "brown")),
    _Type("hair", "mouth", ("fair", "olive"), ("chestnut", "dark", "red")),
    _Type("hat", "other", ("fair", "olive"), ("brown",)),
    _Type("hair", "own", ("olive", "tan"), _DARK_HAIR),
    _Type("hair", "mouth", ("tan", "fair"), _DARK_HAIR),
    _Type("hair", "own", ("fair", "rosy"), ("red", "blond")),
    _Type("hat", "mouth", ("fair", "olive"), ("grey",)),
    _Type("hair", "other", ("tan", "fair"), ("black", "grey")),
    _Type("hair", "mouth", ("fair", "rosy"), ("blond", "grey")),
    _Type("hat", "other", ("olive", "tan"), _DARK_HAIR),
)


def cast(n_people: int, seed: int) -> tuple[Member, ...]:
    """`n_people` identities; the first ones stay the same when more are asked for."""
    return tuple(
        Member(name, _wardrobe(_TYPES[i % len(_TYPES)], np.random.default_rng([seed, i])))
        for i, name in zip(range(n_people), _names(), strict=False)
    )


def _names() -> Iterator[str]:
    yield from NAMES
    yield from (f"{given}_{family}" for family in _FAMILY for given in _GIVEN)
    n = 1
    while True:
        yield f"Extra_No._{n}"
        n += 1


def _wardrobe(kind: _Type, rng: np.random.Generator) -> tuple[Look, ...]:
    hats = ((30, 32, 44), None, (92, 32, 40), (40, 66, 60), (104, 100, 96))
    # The second sitter's own face, or her eyes in another's, wear a pair already.
    has_pair = kind.face == "other" if kind.head == "hair" else kind.face != "other"
    glasses = FRAMES[rng.integers(len(FRAMES))] if rng.random() < 0.35 and not has_pair else None
    first = Look(
        head=kind.head,
        face=kind.face,
        hair=HAIR[kind.hairs[rng.integers(len(kind.hairs))]],
        skin=_skin(kind, rng),
        glasses=glasses,
        round_glasses=bool(rng.random() < 0.5),
        shape=_shape(kind, rng),
        hat=hats[rng.integers(len(hats))],
    )
    return tuple(_dressed(_another_day(first, rng), rng) for _day in range(LOOKS))


def _another_day(look: Look, rng: np.random.Generator) -> Look:
    """The same face with another expression, and hair that has grown or been cut a little."""
    smile, mouth, length, fringe = rng.uniform(-1, 1, 4).tolist()
    shape = replace(
        look.shape,
        smile=look.shape.smile + 0.6 * smile,
        mouth_width=look.shape.mouth_width + 0.3 * mouth,
        hair_length=look.shape.hair_length + (0.35 * length if look.head == "hair" else 0),
        fringe=look.shape.fringe + (0.4 * fringe if look.head == "hair" else 0),
    )
    return replace(look, shape=shape)


def _skin(kind: _Type, rng: np.random.Generator) -> Colour:
    red, green, blue = SKIN[kind.skins[rng.integers(len(kind.skins))]]
    if kind.head == "hat":  # that film made skin redder than it is
        red, green, blue = red * 0.92, green * 1.05, blue * 1.13
    return red, green, blue


def _dressed(look: Look, rng: np.random.Generator) -> Look:
    hat = look.head == "hat"
    bodies: tuple[Body, ...] = ("jacket", "roll", "medals") if hat else ("jacket", "roll", "suit")
    body = bodies[int(rng.choice(3, p=(0.43, 0.4, 0.17)))]
    patterns: tuple[Pattern, ...] = ("plain", "stripes", "checks")
    pattern = patterns[int(rng.choice(3, p=(0.66, 0.17, 0.17)))]
    if body == "suit":
        return replace(look, body=body, cloth=SUITS[rng.integers(len(SUITS))])
    if body == "medals":
        return replace(look, body=body)
    shirts = JUMPERS if body == "roll" else SHIRTS
    cloth, shirt = CLOTHS[rng.integers(len(CLOTHS))], shirts[rng.integers(len(shirts))]
    return replace(look, body=body, cloth=cloth, shirt=shirt, pattern=pattern)


def _shape(kind: _Type, rng: np.random.Generator) -> Shape:
    def some(limit: float) -> float:
        return float(rng.uniform(-1, 1) * limit)

    hair = kind.head == "hair"
    bare = hair and kind.face != "other"  # a frame about the eyes would bend with them
    jaw, length = some(1.1), some(0.9)
    return Shape(
        jaw=jaw,
        length=length,
        cheeks=some(1.1),
        nose_width=some(1.2),
        nose_length=0.5 * length + some(0.5),
        eyes_apart=some(1.1),
        eyes_size=some(0.9) if bare else 0.0,
        brows=some(1.1) if bare else 0.0,
        mouth_width=0.6 * jaw + some(0.4),
        smile=some(0.6),
        hair=some(1.3) if hair else 0.0,
        hair_length=float(rng.uniform(-0.7, 0.9)) if hair else 0.0,
        fringe=some(0.9) if hair else 0.0,
        shoulders=some(1.0),
    )
