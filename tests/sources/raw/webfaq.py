"""`PaDaS-Lab/webfaq-retrieval`: JSON lines in a folder a language, titles mostly empty, test queries in files of their own."""
# ruff: noqa: E501 - rows of data, in many scripts

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("deu", "ara", "srp", "kat")
BROKEN = ("deu/qrels-train.jsonl", 5, "missing-document")

_FAQ = {
    "deu": [
        ("Wie lange ist der Gutschein gültig?", "Drei Jahre ab Ende des Kalenderjahres, in dem er gekauft wurde."),
        ("Kann ich meinen Hund mitbringen?", "Ja, an der Leine, im Speisesaal leider nicht."),
        ("Welche Schuhgröße brauche ich für Schlittschuhe?", "In der Regel eine halbe Nummer größer als Ihre Straßenschuhe."),
        ("Was kostet der Versand?", "Innerhalb Deutschlands 4,90 Euro, ab 60 Euro liefern wir frei."),
        ("Gibt es Parkplätze?", "Hinter dem Haus stehen zwölf Plätze bereit."),
        ("Muss ich mich anmelden?", "Für Gruppen ab acht Personen bitten wir darum."),
        ("Wer darf die Sauna benutzen?", "Alle Gäste ab sechzehn Jahren."),
    ],
    "ara": [
        ("كم يستغرق توصيل الطلب؟", "من يومين إلى أربعة أيام عمل داخل المدينة."),
        ("هل يمكنني إرجاع المنتج؟", "نعم، خلال أربعة عشر يوما من تاريخ الاستلام."),
        ("ما هي ساعات العمل؟", "من التاسعة صباحا حتى السادسة مساء، ما عدا الجمعة."),
        ("كيف أغير كلمة المرور؟", "افتح صفحة حسابك واضغط على الإعدادات ثم على الأمان."),
    ],
    "srp": [
        ("Da li radite nedeljom?", "Nedeljom radimo od deset do dva."),
        ("Како да дођем до планинарског дома?", "Аутобусом до села, а затим пешке око сат времена."),
        ("Da li je doručak uključen u cenu?", "Jeste, služi se od sedam do deset."),
    ],
    "kat": [
        ("რა ღირს ბილეთი?", "მოზრდილებისთვის ათი ლარი, ბავშვებისთვის უფასოა."),
        ("შეიძლება ბარათით გადახდა?", "დიახ, ვიღებთ ყველა ბარათს."),
        ("სად მდებარეობს თქვენი მაღაზია?", "ძველ ქალაქში, მეტროს სადგურთან."),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for language, pairs in _FAQ.items():
        home = folder / "PaDaS-Lab/webfaq-retrieval" / language
        ids = [f"{7 * n:06d}" for n in range(len(pairs))]
        judged = [{"query-id": key, "corpus-id": key, "score": 1} for key in ids]
        if language == "deu":
            judged[5]["corpus-id"] = "no such answer"
        write_jsonl(home / "queries-train.jsonl", [{"_id": k, "text": q} for k, (q, _) in zip(ids, pairs, strict=True)])
        write_jsonl(home / "qrels-train.jsonl", judged)
        write_jsonl(home / "corpus.jsonl", [
            {"_id": key, "title": "Saunalandschaft" if "Gäste" in answer else "", "text": answer}
            for key, (_, answer) in zip(ids, pairs, strict=True)
        ])  # fmt: skip
        write_jsonl(home / "queries-test.jsonl", [{"_id": "held-out", "text": pairs[0][0] + "?"}])
        write_jsonl(home / "qrels-test.jsonl", [{"query-id": "held-out", "corpus-id": ids[0], "score": 1}])
