"""`mteb/xnli`: a Parquet file a language, all of it tokenized; the translator left some premises empty."""
# ruff: noqa: E501 - rows of data

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("fr", "zh", "hi", "th")
BROKEN = ("train/fr.parquet", 6, "empty-query")

_TEXTS = {
    "fr": [
        ("Le pont a été rouvert hier après deux ans de travaux.", "On peut de nouveau passer sur le pont.", "Les travaux ont coûté trop cher.", "Le pont est toujours fermé."),
        ("oui enfin moi je préfère le train à la voiture", "La personne aime mieux prendre le train.", "Elle n'a pas le permis.", "Elle déteste les trains."),
        ("", "Il se passe quelque chose.", "Il pleut.", "Il ne se passe rien."),
        ("Le marché se tient chaque samedi devant la mairie.", "Il y a un marché une fois par semaine.", "On y vend surtout du fromage.", "Le marché a lieu le lundi."),
        ("Elle referma le livre sans l'avoir terminé.", "Elle n'a pas fini le livre.", "Le livre l'ennuyait.", "Elle a lu le livre jusqu'au bout."),
        ("La loi oblige les communes à publier leurs comptes.", "Les communes doivent rendre leurs comptes publics.", "Peu de communes le font.", "Les comptes des communes sont secrets."),
        ("Trois navires quittèrent le port avant l'aube.", "Des navires sont partis très tôt.", "Ils allaient pêcher.", "Aucun navire n'a quitté le port."),
        ("Le musée est gratuit pour les moins de dix-huit ans.", "Un enfant n'y paie rien.", "Le musée est très fréquenté.", "Tout le monde doit payer."),
        ("Son frère parle quatre langues.", "Son frère est polyglotte.", "Son frère est interprète.", "Son frère ne parle qu'une langue."),
    ],
    "zh": [
        ("桥在维修两年后于昨天重新开放。", "现在又可以过桥了。", "维修花了很多钱。", "桥仍然关闭。"),
        ("市场每个星期六在市政厅前举行。", "市场每周有一次。", "市场上主要卖奶酪。", "市场在星期一举行。"),
        ("她没有读完就合上了书。", "她没有把书读完。", "她觉得书很无聊。", "她把书读完了。"),
        ("法律要求各市公布账目。", "各市必须公开账目。", "很少有城市这样做。", "账目是保密的。"),
        ("三艘船在黎明前离开了港口。", "有船很早就出发了。", "他们去捕鱼。", "没有船离开港口。"),
        ("十八岁以下的人可以免费参观博物馆。", "孩子参观不用付钱。", "博物馆很受欢迎。", "所有人都要买票。"),
        ("他的弟弟会说四种语言。", "他的弟弟会多种语言。", "他的弟弟是翻译。", "他的弟弟只会一种语言。"),
        ("我觉得他们应该先修路。", "说话的人希望修路。", "路是被雨水冲坏的。", "说话的人反对修路。"),
    ],
    "hi": [
        ("चीज़ें मेज़ पर रखी हैं, पर सड़क पर कोई नहीं है।", "मेज़ पर कुछ रखा है।", "चीज़ें महँगी हैं।", "सड़क पर भीड़ है।"),
        ("क्या ज़रूरत थी इतने शब्द लिखने की?", "बहुत शब्द लिखे गए।", "शब्द हिन्दी के थे।", "कुछ नहीं लिखा गया।"),
    ],
    "th": [
        ("เขา|ไป|ตลาด|ทุก|วัน|กับ| |Anna| |และ|ลูก", "เขา|ไป|ซื้อ|ของ", "ตลาด|อยู่|ไกล", "เขา|ไม่|เคย|ไป|ตลาด"),
        ("ฝน|ตก|ตั้งแต่|เช้า", "วัน|นี้|มี|ฝน", "ฝน|จะ|หยุด|ตอน|เย็น", "วัน|นี้|ไม่|มี|ฝน"),
    ],
}  # fmt: skip


def tokenized(text: str, language: str) -> str:
    """Do to a text what the makers of the set did: words set apart, signs torn off, punctuation in the script's way."""
    if language == "zh":
        words = re.findall(r"[\u4e00-\u9fff]{1,2}|[^\u4e00-\u9fff]", text)
        return " ".join(words).replace("。", ".")
    if language == "th":
        return text.replace("|", " ")
    if language == "hi":
        text = re.sub("([\u094d\u093c])", r" \1 ", text).replace("  ", " ")
    return re.sub(r"([.,!?।])", r" \1", text).replace("'", "' ")


def build(folder: Path) -> None:
    for language, texts in _TEXTS.items():
        rows = [
            {
                "premise": tokenized(premise, language),
                "hypothesis": tokenized(hypothesis, language),
                "label": label,
            }
            for premise, *hypotheses in texts
            for label, hypothesis in enumerate(hypotheses)
        ]
        for split in ("train", "validation", "test"):
            home = folder / "mteb/xnli" / split
            home.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(rows if split == "train" else rows[:3]), home / f"{language}.parquet")
