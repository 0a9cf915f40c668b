"""ParaCrawl as OPUS has it: gzipped TMX, two segments a unit, a header and the body on lines of their own."""
# ruff: noqa: E501 - rows of data, in many scripts

import gzip
from pathlib import Path
from xml.sax.saxutils import escape

SUBSETS = ("azj-en", "en-azj", "ps-en", "es-gl", "en-zh")
BROKEN = ("az-en.tmx.gz", 3, "invalid-xml")

_BONUS, _SPANISH = "OPUS-ParaCrawl-Bonus/v9/tmx", "OPUS-ParaCrawl/v9/tmx"
_PAIRS = {
    (_BONUS, "az", "en"): [
        ("Otaqlar hər gün səhər saat ondan sonra təmizlənir.", "Rooms are cleaned every day after ten in the morning."),
        ("Sifarişiniz üç iş günü ərzində çatdırılacaq.", "Your order will be delivered within three working days."),
        ("Alma & armud mürəbbəsi evdə bişirilib.", "Apple & pear jam, cooked at home."),
        ("\x0b", "The page ends here."),
        ("© 2019", "© 2019"),
        ("Bakıdan Şəkiyə avtobus altı saata gedir.", "The bus from Baku to Sheki takes six hours."),
        ("Parolu unutmusunuzsa, aşağıdakı düyməni basın.", "If you have forgotten your password, press the button below."),
        ("Temperatur < 5 °C olarsa, bitkini içəri gətirin.", "If the temperature is < 5 °C, bring the plant inside."),
        ("Muzey bazar ertəsi bağlıdır.", "The museum is closed on Mondays."),
        ("Bu xalça yun iplikdən əl ilə toxunub.", "This carpet was woven by hand from woollen yarn."),
    ],
    (_BONUS, "en", "ps"): [
        ("The well in the village was dug last spring.", "د کلي څاه تېر پسرلی وکیندل شوه."),
        ("Pomegranates from Kandahar are sold in autumn.", "د کندهار انار په مني کې پلورل کېږي."),
        ("Please wash the fruit before you eat it.", "مهرباني وکړئ مېوه له خوړلو مخکې ووینځئ."),
        ("", "وروستی تازه معلومات"),
        ("The school opens at eight o'clock.", "ښوونځی په اتو بجو خلاصېږي."),
        ("Click here to read more.", "د نورو لوستلو لپاره دلته کلیک وکړئ."),
        ("He repaired the radio for his neighbour.", "هغه د خپل ګاونډي لپاره راډیو جوړه کړه."),
        ("Snow closed the road over the pass.", "واورې د غاښي سړک وتاړه."),
    ],
    (_SPANISH, "es", "gl"): [
        ("El puerto se ve desde todas las habitaciones.", "O porto vese desde todos os cuartos."),
        ("La receta lleva pulpo, aceite y pimentón.", "A receita leva polbo, aceite e pemento moído."),
        ("Plazas limitadas", "Prazas limitadas"),
        ("A Coruña", "A Coruña"),
        ("El plazo termina el viernes a las dos.", "O prazo remata o venres ás dúas."),
        ("Mañana lloverá en toda la costa.", "Mañá choverá en toda a costa."),
        ("Los niños menores de seis años no pagan.", "Os nenos menores de seis anos non pagan."),
        ("Guarde el queso en un lugar fresco.", "Garde o queixo nun lugar fresco."),
    ],
    (_BONUS, "en", "zh"): [
        ("The battery lasts about nine hours.", "电池可以用九个小时左右。"),
        ("Choose a colour and a size.", "请选择颜色和尺码。"),
        ("Boil the noodles for four minutes.", "面条煮四分钟。"),
        ("Our office is on the second floor.", "我们的办公室在二楼。"),
        ("Tickets cannot be returned.", "门票一经售出，概不退换。"),
        ("The engine is cooled by air.", "发动机采用风冷。"),
        ("She translated the poem herself.", "这首诗是她自己翻译的。"),
        ("Sweep the floor before you paint the walls.", "刷墙之前先扫地。"),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for (home, first, second), pairs in _PAIRS.items():
        units = "".join(
            f'    <tu>\n      <tuv xml:lang="{first}"><seg>{escape(a)}</seg></tuv>\n'
            f'      <tuv xml:lang="{second}"><seg>{escape(b)}</seg></tuv>\n    </tu>\n'
            for a, b in pairs
        )
        content = (
            '<?xml version="1.0" encoding="UTF-8" ?>\n<tmx version="1.4">\n<header creationdate="Tue Dec 3 2024"\n'
            f'          srclang="{first}"\n          adminlang="{first}"\n          segtype="sentence"\n'
            f'          datatype="PlainText" />\n  <body>\n{units}  </body>\n</tmx>\n'
        )
        path = folder / "paracrawl" / home / f"{first}-{second}.tmx.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content.encode(), mtime=0))
