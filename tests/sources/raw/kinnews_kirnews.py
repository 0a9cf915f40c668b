"""KINNEWS and KIRNEWS: zip archives with raw and cleaned files in CSV; the header line is read as a record."""
# ruff: noqa: E501 - rows of data

import csv
import io
import zipfile
from pathlib import Path

SUBSETS = ("kin", "run")
BROKEN = ("KINNEWS/cleaned/train.csv", 0, "unknown-label")

_ARTICLES = {
    "KINNEWS": [
        (2, "Ikipe yatsinze umukino", "Ikipe y'igihugu yatsinze umukino wa nyuma ku wa gatandatu i Kigali."), (1, "Inteko yateranye", "Abadepite bateranye kuri uyu wa mbere basuzuma itegeko rishya."),
        (2, "Umukinnyi yavunitse", "Umukinnyi wo hagati yavunitse ukuguru mu myitozo."), (4, "Urukingo rushya", "Ibitaro byatangiye gutanga urukingo rushya ku bana."),
        (1, "Minisitiri yasuye akarere", "Minisitiri yasuye akarere aganira n'abaturage ku mihanda."), (4, "Amazi meza", "Abaganga basabye abaturage kunywa amazi atetse."),
    ],
    "KIRNEWS": [
        (3, "Ibiciro vyaduze", "Ibiciro vy'isukari vyaduze mu masoko ya Bujumbura."), (3, "Uburimyi bw'ikawa", "Abarimyi b'ikawa baronse amafranga menshi uyu mwaka."),
        (13, "Amashure yuguruye", "Abanyeshure basubiye kw'ishure ku wa mbere."), (13, "Ibibazo vya leta", "Abanyeshure batanguye ibibazo vya leta."),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "kinnews_kirnews"
    home.mkdir(parents=True, exist_ok=True)
    for name, articles in _ARTICLES.items():
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(["label", "title", "content"])
        writer.writerows(articles)
        with zipfile.ZipFile(home / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}/cleaned/train.csv", out.getvalue())
            archive.writestr(f"{name}/cleaned/test.csv", out.getvalue())
            archive.writestr(f"{name}/raw/train.csv", "label,kin_label,en_label,url,title,content\n")
