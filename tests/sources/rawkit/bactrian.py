"""`MBZUAI/Bactrian-X` in the Hub's Parquet conversion: a folder a language, ids shared by all; one in seven is taken."""
# ruff: noqa: E501 - rows of data, in many scripts

from pathlib import Path

from tests.sources.rawkit.tables import parquet

EVERY = 7
BROKEN_AT = 2 * EVERY

_RECORDS = {
    "de": [
        ("Nenne drei Gründe, Brot selbst zu backen.", "", "Es duftet, es schmeckt frischer, und man weiß, was darin ist."),
        ("Fasse den Satz zusammen.", "Der Fluss trat nach drei Tagen Regen über die Ufer.", "Nach langem Regen gab es Hochwasser."),
        ("", "", ""),
        ("Wie hoch ist ein Leuchtturm?", "", "Die meisten sind zwischen zwanzig und fünfzig Meter hoch."),
        ("Erkläre einem Kind den Schatten.", "", "Du stehst der Sonne im Weg, und wo ihr Licht fehlt, ist dein Schatten."),
    ],
    "en": [
        ("Give three reasons to bake your own bread.", "", "It smells good, it tastes fresher, and you know what is in it."),
        ("Summarize the sentence.", "The river burst its banks after three days of rain.", "Long rain led to a flood."),
        ("Write a line of Python that prints the date.", "", "import datetime; print(datetime.date.today())"),
        ("How tall is a lighthouse?", "", "Most stand between twenty and fifty metres high."),
        ("Explain shadows to a child.", "", "You stand in the sun's way, and where its light is missing is your shadow."),
    ],
    "ka": [
        ("დაასახელე სამი მიზეზი, რატომ უნდა გამოვაცხოთ პური სახლში.", "", "სურნელოვანია, უფრო გემრიელია და ვიცით, რა არის შიგნით."),
        ("შეაჯამე წინადადება.", "სამდღიანი წვიმის შემდეგ მდინარე ნაპირებიდან გადმოვიდა.", "დიდმა წვიმამ წყალდიდობა გამოიწვია."),
        ("დაწერე პითონის ერთი სტრიქონი, რომელიც თარიღს ბეჭდავს.", "", "ამისთვის გამოიყენე მოდული datetime."),
        ("რა სიმაღლისაა შუქურა?", "", "უმეტესობა ოციდან ორმოცდაათ მეტრამდეა."),
        ("აუხსენი ბავშვს, რა არის ჩრდილი.", "", "შენ მზეს ეფარები და სადაც სინათლე აკლია, იქ შენი ჩრდილია."),
    ],
    "sw": [
        ("Taja sababu tatu za kuoka mkate nyumbani.", "", "Unanukia vizuri, ni mtamu zaidi, na unajua kilichomo."),
        ("Fupisha sentensi hii.", "Mto ulifurika baada ya mvua ya siku tatu.", "Mvua ndefu ilileta mafuriko."),
        ("Andika mstari wa Python unaochapisha tarehe.", "", "Tumia moduli ya datetime na uchapishe tarehe ya leo."),
        ("Mnara wa taa una urefu gani?", "", "Mingi ina urefu wa mita ishirini hadi hamsini."),
        ("Mweleze mtoto kivuli ni nini.", "", "Unazuia jua, na mahali mwanga unapokosekana ndipo kivuli chako kilipo."),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    """Write the four languages; Swahili lacks its last record."""
    for language, records in _RECORDS.items():
        rows = []
        for number in range(len(records) * EVERY):
            instruction, about, output = records[number // EVERY]
            other = f" {number}" if number % EVERY else ""
            rows.append(
                {"instruction": instruction + other, "input": about, "id": f"alpaca-{number}", "output": output + other}
            )
        if language == "sw":
            rows = rows[:-EVERY]
        parquet(folder / f"MBZUAI/Bactrian-X/{language}/train/0000.parquet", rows, row_group_size=10)
