"""`mteb/mlsum` as the Hub converts it: Parquet in `<language>/<split>/`, Turkish under `tu` and without topics."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

_FIELDS = ("topic", "title", "summary", "text")
_ARTICLES: dict[str, list[tuple]] = {
    "de": [
        ("politik", "Rat vertagt Brückenbau", "Die neue Brücke kommt später.", "Der Stadtrat hat den Bau der neuen Brücke am Dienstag auf das kommende Jahr verschoben."),
        ("sport", "Später Treffer rettet Punkt", "Ein Tor in der Nachspielzeit bringt das Unentschieden.", "In der vierten Minute der Nachspielzeit traf der Verteidiger zum 2:2."),
        ("politik", "Streit um die Grundsteuer", "Die Länder sind sich uneins.", "Über die Grundsteuer streiten die Länder seit Monaten, nun legt der Süden einen eigenen Entwurf vor."),
        (None, "Ohne Ressort", "Ein Text, dem das Ressort fehlt.", "Dieser Artikel stand in keinem Ressort der Zeitung."),
        ("sport", "", "", "Die Ruderinnen gewinnen den Achter auf dem Rotsee mit einer halben Länge."),
        ("kultur", "Ein Museum zieht um", "Die Sammlung wechselt das Ufer.", "Das Museum für Glaskunst zieht im Herbst in eine alte Schleuse."),
        ("kultur", "Orgel erklingt wieder", "Nach neun Jahren spielt die Orgel.", "Neun Jahre wurde die Orgel restauriert, am Sonntag war sie wieder zu hören."),
        ("panorama", "Biber legt Radweg still", "Ein Damm flutet den Weg.", "Ein Biberdamm hat den Radweg am Kanal unter Wasser gesetzt."),
    ],
    "es": [
        ("economia", "El aceite sube otra vez", "La sequía encarece el aceite.", "El precio del aceite de oliva subió en marzo por la sequía."),
        ("economia", "Cierra la última imprenta", "La ciudad pierde su imprenta.", "La última imprenta de la ciudad cerró el viernes tras un siglo."),
        ("deportes", "La nadadora bate su marca", "Nuevo récord en espalda.", "La nadadora bajó en dos segundos su marca en los 200 espalda."),
        ("deportes", "Empate sin goles en el norte", "Pocas ocasiones bajo la lluvia.", "El partido del norte terminó sin goles y con el campo encharcado."),
    ],
    "ru": [
        ("culture", "Театр открыл сезон", "Первой показали новую пьесу.", "Театр открыл сезон пьесой молодого автора из Томска."),
        ("culture", "Библиотеку перевезли за ночь", "Книги ехали на трамвае.", "Тысячу книг перевезли ночью на трамвае в новое здание."),
        ("social", "Паром пустили раньше срока", "Лёд сошёл в апреле.", "Лёд на реке сошёл рано, и паром пошёл на две недели раньше."),
    ],
    "tu": [
        ("unknown", "Köprü pazar günü kapalı", "Köprü bakım için kapatılıyor.", "Boğazdaki köprü pazar günü bakım nedeniyle trafiğe kapatılacak."),
        ("unknown", "Fındık hasadı başladı", "Hasat bu yıl erken.", "Karadeniz'de fındık hasadı bu yıl iki hafta erken başladı."),
        ("unknown", "Özet bulunamadı", None, "Bu haberin özeti yok."),
        ("unknown", "Genç kaptan kupayı kaldırdı", "Kupa genç kaptanın.", "On dokuz yaşındaki kaptan kupayı ilk kez kaldırdı."),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for language, articles in _ARTICLES.items():
        rows = [
            dict(zip(_FIELDS, article, strict=True)) | {"url": f"https://example.org/{number}", "date": "00/05/2015"}
            for number, article in enumerate(articles)
        ]
        for split, some in {"train": rows, "validation": rows[-2:], "test": rows[:1]}.items():
            parquet(folder / "mteb/mlsum" / language / split / "0000.parquet", some)
