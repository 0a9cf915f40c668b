"""`mteb/raw_arxiv`, `mteb/raw_biorxiv` and `mteb/raw_medrxiv`: gzipped JSON lines of titles, abstracts and classes."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.lines import jsonl, thinned

EVERY = 7
_ARXIV = [
    ("0704.1001", "Slow spectral gaps on sparse\n  random graphs", "  We bound the gap of a walk\non graphs with few edges.\n", "math.PR math.CO"),
    ("0704.1002", "Pruning trees that nobody reads", "A decision tree is cut until a person can follow it.", "cs.LG stat.ML"),
    ("0705.0310", "Dust around three young stars", "We map rings of dust at two wavelengths.", "astro-ph"),
    ("0801.0007", "A coupling for lazy card shuffles", "The mixing time is computed by a coupling of two decks.", "math.PR"),
    ("0801.0008", "Learning to rank with three labels", "Three grades of relevance suffice for a linear ranker.", "cs.LG cs.IR"),
    ("0903.2222", "A faint companion in the Hyades", "We report a companion at eleven astronomical units.", "astro-ph"),
    ("1002.0451", "Kernels for trees of unequal height", "A kernel compares parse trees in linear time.", "cs.LG cs.CL"),
    ("1102.3141", "Hitting times of the honeycomb", "The walk on the honeycomb is solved exactly.", "math.PR math-ph"),
    ("1304.0400", "Withdrawn", "", None),
    ("1401.0777", "", "An abstract whose title was lost on the way.", "cs.LG"),
    ("1505.0101", "Lattice sums by hand", "Old sums, new proofs.", "hep-lat"),
    ("1606.0042", "Two planets and a disc", "The disc is warped by the outer planet.", "astro-ph"),
]  # fmt: skip
_BIORXIV = [
    ("10.1101/2021.01.02.100001", "Mossy fibres keep time in the mouse", "O_ST_ABSBackgroundC_ST_ABSWe record mossy fibres during a timed lick. O_ST_ABSResultsC_ST_ABSO_SCPLOWDC_SCPLOW-serine slows them.", "neuroscience"),
    ("10.1101/2021.01.05.100017", "A map of leaf hairs in tomato", "Leaf hairs were counted in forty lines of tomato.", "plant biology"),
    ("10.1101/2021.02.11.100300", "Sleep and song in young finches", "Juvenile finches replay song while asleep.", "neuroscience"),
    ("10.1101/2021.02.11.100300", "Sleep and song in young finches", "Juvenile finches replay their song in sleep; a second cohort confirms it.", "neuroscience"),
    ("10.1101/2021.03.21.100401", "Root tips sense gravel", "Roots turn where gravel is denser.", "plant biology"),
    ("10.1101/2021.04.01.100500", "An atlas of larval muscles", "We stained every muscle of the larva.", ""),
    ("10.1101/2021.05.09.100611", "", "Crows count to four in the dark.", "neuroscience"),
    ("10.1101/2021.07.19.100702", "Counting reads without counting twice", "A sketch estimates abundance from few reads.", "bioinformatics"),
    ("10.1101/2021.08.30.100815", "Assembling a moss from long reads", "A moss genome in eleven pieces.", "bioinformatics"),
    ("10.1101/2022.01.14.100901", "Moths prefer the taller thistle", "Two moths were offered thistles of three heights.", "ecology"),
    ("10.1101/2022.02.02.101012", "Frost and the timing of birch buds", "Buds of birch opened later after mild frost.", "plant biology"),
]  # fmt: skip
_MEDRXIV = [
    ("10.1101/2021.01.10.2124001", "Boosters in nursing homes: a cohort", "O_LIWe followed residents of ninety homes. C_LIO_LITwo left. C_LI", "infectious diseases"),
    ("10.1101/2021.01.12.2124019", "Night shifts and the heart", "Nurses on night shifts wore a monitor for a week.", "cardiovascular medicine"),
    ("10.1101/2021.02.23.2125200", "Wastewater saw the wave first", "Counts in sewage led cases by five days.", "infectious diseases"),
    ("10.1101/2021.03.03.2125310", "A questionnaire for tinnitus", "Twelve items measure the burden of tinnitus.", None),
    ("10.1101/2021.04.17.2125441", "Walking after a stent", "Patients walked more when a coach called.", "cardiovascular medicine"),
    ("10.1101/2021.06.08.2125800", "", "Masks were worn by two of three commuters.", "infectious diseases"),
    ("10.1101/2021.09.27.2126004", "Loneliness in the second winter", "Students reported loneliness each month.", "psychiatry and clinical psychology"),
    ("10.1101/2021.10.01.2126111", "Attention training on a telephone", "An app trained attention in adults with ADHD.", "psychiatry and clinical psychology"),
    ("10.1101/2022.01.30.2127012", "Measles serology on old cards", "Blood spots kept for ten years still show antibodies.", "infectious diseases"),
    ("10.1101/2022.04.04.2127303", "Salt, spices and blood pressure", "Cooking classes lowered salt use.", "cardiovascular medicine"),
]  # fmt: skip


def arxiv(folder: Path) -> None:
    rows = [dict(zip(("id", "title", "abstract", "categories"), row, strict=True)) for row in _ARXIV]
    home = folder / "mteb/raw_arxiv"
    jsonl(home / "train_0.jsonl.gz", thinned(rows[:10], EVERY))
    jsonl(home / "train_1.jsonl.gz", thinned(rows[10:], EVERY))


def biorxiv(folder: Path) -> None:
    _preprints(folder / "mteb/raw_biorxiv", _BIORXIV)


def medrxiv(folder: Path) -> None:
    _preprints(folder / "mteb/raw_medrxiv", _MEDRXIV)


def _preprints(home: Path, records: list[tuple]) -> None:
    rows = [dict(zip(("id", "title", "abstract", "category"), row, strict=True)) for row in records]
    jsonl(home / "train_0.jsonl.gz", rows)
