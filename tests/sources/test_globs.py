"""Names that are searched many times give what a comparison of every name with every glob gives."""

import random

from sources.globs import Names, any_match


def test_names_find_what_a_comparison_of_each_finds():
    rng = random.Random(0)
    parts = ["a", "ab", "b", "de", "x[1]", "Ä", "\U0010ffff", "data-0", "data-1"]
    for _ in range(300):
        names = {"/".join(rng.choices(parts, k=rng.randint(1, 3))) + rng.choice(["", ".json"]) for _ in range(30)}
        pieces = [*parts, "*", "**", "?", "[ab]", "[!a]", "d*", "*-[01]", "**/a"]
        globs = ["/".join(rng.choices(pieces, k=rng.randint(1, 3))) + rng.choice(["", ".json", "*"]) for _ in range(4)]
        searched = Names(names)
        expected = [name for name in sorted(names) if any_match(name, globs)]
        assert searched.matching(globs) == expected
        assert searched.matching(reversed(globs)) == expected, "also from what it remembers"
        assert list(searched) == sorted(names)
        assert len(searched) == len(names)
