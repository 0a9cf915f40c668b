"""`kardosdrur/synthetic-nordic-retrieval`: a query, the document that answers it, and one that only seems to."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.nordic import nordic

SUBSETS = ("swedish", "danish", "norwegian")
BROKEN = ("swedish-00000-of-00001.parquet", 1, "empty-query")

_RECORDS = {
    "swedish": [
        ("fyrvaktare lön 1800-talet", "En fyrvaktare fick 1850 omkring 400 riksdaler om året, fri ved och en ko på bete.", "Fyrar byggdes av sten eftersom trä ruttnade i saltet."),
        ("", "Ett dokument utan fråga.", "Ett annat."),
        ("hur salta strömming", "Rensa fisken, varva den med grovt salt och låt den ligga i tre veckor.", "Strömming fångas med nät i maj och juni."),
    ],
    "danish": [
        ("bi stik behandling", "Fjern brodden med en negl, køl stedet i ti minutter og hold øje med vejrtrækningen.", "Bier lever i stader med op til 60.000 individer."),
        ("kystvej cykelrute længde", "Ruten langs kysten er 87 kilometer og har tre færger.", "Cykler kan lejes ved stationen."),
    ],
    "norwegian": [
        ("når blomstrer eplet i Hardanger", "Epletrærne blomstrer vanligvis midt i mai, avhengig av snøen.", "Eplesider fra Hardanger selges over hele landet."),
        ("tette lekk i trebåt", "La båten ligge i vann et døgn så plankene sveller; tett resten med bek.", "Trebåter er lettere enn båter av stål."),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    nordic(folder, "retrieval", ("user_query", "positive_document", "hard_negative_document"), _RECORDS)
