"""How languages write numbers: words of numbers, months, words for powers of ten, units."""

from __future__ import annotations

from typing import Final

DECIMAL_COMMA: Final = frozenset(
    [
        "bg",
        "ca",
        "cs",
        "da",
        "de",
        "el",
        "es",
        "et",
        "fi",
        "fr",
        "hr",
        "hu",
        "id",
        "it",
        "lt",
        "lv",
        "nl",
        "no",
        "pl",
        "pt",
        "ro",
        "ru",
        "sk",
        "sl",
        "sr",
        "sv",
        "tr",
        "uk",
        "vi",
    ]
)


def _counted(words: str, first: int = 2) -> dict[str, int]:
    """Words separated by blanks for numbers that follow each other; several words for one stand between slashes."""
    return {word: first + place for place, group in enumerate(words.split()) for word in group.split("/")}


def _tens(words: str) -> dict[str, int]:
    return {word: 20 + 10 * place for place, group in enumerate(words.split()) for word in group.split("/")}


# Folded as `facts.fold` does: lower case, no accents. "One" is left out: it is an article or a pronoun as well.
NUMBER_WORDS: Final[dict[str, dict[str, int]]] = {
    "en": _counted("two/twice three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
                   "seventeen eighteen nineteen")
    | _tens("twenty thirty forty fifty sixty seventy eighty ninety") | {"hundred": 100, "thousand": 1000},
    "de": _counted("zwei/zweimal drei/dreimal vier/viermal funf/funfmal sechs/sechsmal sieben acht neun zehn elf zwolf dreizehn "
                   "vierzehn funfzehn sechzehn siebzehn achtzehn neunzehn")
    | _tens("zwanzig dreissig vierzig funfzig sechzig siebzig achtzig neunzig") | {"hundert": 100, "tausend": 1000},
    "es": _counted("dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis "
                   "diecisiete dieciocho diecinueve")
    | _tens("veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa") | {"cien": 100, "ciento": 100, "mil": 1000},
    "fr": _counted("deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize")
    | _tens("vingt trente quarante cinquante soixante") | {"cent": 100, "mille": 1000},
    "it": _counted("due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici "
                   "diciassette diciotto diciannove")
    | _tens("venti trenta quaranta cinquanta sessanta settanta ottanta novanta") | {"cento": 100, "mille": 1000},
    "pt": _counted("dois/duas tres quatro cinco seis sete oito nove dez onze doze treze quatorze quinze")
    | _tens("vinte trinta quarenta cinquenta sessenta setenta oitenta noventa") | {"cem": 100, "mil": 1000},
    "nl": _counted("twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien")
    | _tens("twintig dertig veertig vijftig zestig zeventig tachtig negentig") | {"honderd": 100, "duizend": 1000},
    "pl": _counted("dwa/dwie/dwoch trzy/trzech cztery/czterech piec/pieciu szesc/szesciu siedem/siedmiu osiem/osmiu "
                   "dziewiec/dziewieciu dziesiec/dziesieciu jedenascie dwanascie"),
    "ru": _counted("два/две/двух/двумя/двум три/трех/трем/тремя четыре/четырех/четырем пять/пяти/пятью шесть/шести/шестью "
                   "семь/семи/семью восемь/восьми девять/девяти десять/десяти одиннадцать/одиннадцати "
                   "двенадцать/двенадцати тринадцать/тринадцати четырнадцать/четырнадцати пятнадцать/пятнадцати")
    | _tens("двадцать/двадцати тридцать/тридцати сорок/сорока пятьдесят/пятидесяти шестьдесят/шестидесяти "
            "семьдесят/семидесяти восемьдесят/восьмидесяти девяносто") | {"сто": 100, "ста": 100},
    "ro": _counted("doi/doua trei patru cinci sase sapte opt noua zece unsprezece doisprezece/douasprezece treisprezece "
                   "paisprezece cincisprezece saisprezece saptesprezece optsprezece nouasprezece")
    | _tens("douazeci treizeci patruzeci cincizeci saizeci saptezeci optzeci nouazeci"),
    "tr": _counted("iki uc dort bes alti yedi sekiz dokuz on")
    | _tens("yirmi otuz kirk elli altmis yetmis seksen doksan") | {"yuz": 100},
    "el": _counted("δυο τρεις/τρια/τριων τεσσερις/τεσσερα/τεσσαρων πεντε εξι επτα/εφτα οκτω/οχτω εννεα/εννια δεκα εντεκα/ενδεκα "
                   "δωδεκα")
    | _tens("εικοσι τριαντα σαραντα πενηντα εξηντα εβδομηντα ογδοντα ενενηντα") | {"εκατο": 100},
    "hi": {"दो": 2, "तीन": 3, "चार": 4, "पांच": 5, "पाच": 5, "छह": 6, "सात": 7, "आठ": 8, "नौ": 9, "दस": 10},
    "ar": {"اثنان": 2, "اثنين": 2, "ثلاثة": 3, "ثلاث": 3, "اربعة": 4, "اربع": 4, "خمسة": 5, "خمس": 5, "ستة": 6, "ست": 6,
           "سبعة": 7, "سبع": 7, "ثمانية": 8, "ثماني": 8, "تسعة": 9, "تسع": 9, "عشرة": 10, "عشر": 10},
}  # fmt: skip
WORDS_OF_NUMBERS: Final = frozenset(language for language, words in NUMBER_WORDS.items() if len(words) > 15) | {
    "zh",
    "ja",
}


def _months(words: str) -> dict[str, int]:
    return _counted(words, 1)


MONTHS: Final[dict[str, dict[str, int]]] = {
    "en": _months("january/jan february/feb march/mar april/apr may june/jun july/jul august/aug september/sept/sep "
                  "october/oct november/nov december/dec"),
    "de": _months("januar/janner februar marz april mai juni juli august september oktober november dezember"),
    "es": _months("enero febrero marzo abril mayo junio julio agosto septiembre/setiembre octubre noviembre diciembre"),
    "fr": _months("janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre"),
    "it": _months("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
    "pt": _months("janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro"),
    "nl": _months("januari februari maart april mei juni juli augustus september oktober november december"),
    "pl": _months("stycznia/styczen lutego/luty marca/marzec kwietnia/kwiecien maja/maj czerwca/czerwiec lipca/lipiec "
                  "sierpnia/sierpien wrzesnia/wrzesien pazdziernika/pazdziernik listopada/listopad grudnia/grudzien"),
    "ru": _months("января/январь/январе февраля/февраль/феврале марта/март/марте апреля/апрель/апреле мая/маи/мае "
                  "июня/июнь/июне июля/июль/июле августа/август/августе сентября/сентябрь/сентябре "
                  "октября/октябрь/октябре ноября/ноябрь/ноябре декабря/декабрь/декабре"),
    "ro": _months("ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie"),
    "tr": _months("ocak subat mart nisan mayis haziran temmuz agustos eylul ekim kasim aralik"),
    "el": _months("ιανουαριου/ιανουαριο/ιανουαριος φεβρουαριου/φεβρουαριο/φεβρουαριος μαρτιου/μαρτιο/μαρτιος "
                  "απριλιου/απριλιο/απριλιος μαιου/μαιο/μαιος ιουνιου/ιουνιο/ιουνιος ιουλιου/ιουλιο/ιουλιος "
                  "αυγουστου/αυγουστο/αυγουστος σεπτεμβριου/σεπτεμβριο/σεπτεμβριος οκτωβριου/οκτωβριο/οκτωβριος "
                  "νοεμβριου/νοεμβριο/νοεμβριος δεκεμβριου/δεκεμβριο/δεκεμβριος"),
    "hi": {"जनवरी": 1, "फरवरी": 2, "मार्च": 3, "अप्रैल": 4, "मई": 5, "जून": 6, "जुलाई": 7, "अगस्त": 8, "सितंबर": 9,
           "अक्टूबर": 10, "नवंबर": 11, "दिसंबर": 12},
    "ar": _months("يناير فبراير مارس ابريل/أبريل مايو يونيو يوليو اغسطس/أغسطس سبتمبر اكتوبر/أكتوبر نوفمبر ديسمبر"),
}  # fmt: skip

_POWERS: Final = {
    3: "thousand thousands tausend mil mille mila duizend тысяча тысячи тысяч тыс mii bin nghin χιλιαδες χιλιαδων "
    "tysiac tysiace tysiecy हजार हज़ार الف ألف الاف آلاف 千 พัน",
    4: "万 萬 หมื่น",
    5: "lakh लाख แสน",
    6: "million millions mio mln millionen millon millones milion milioane milioni milione milhao milhoes miljoen milionow "
    "миллион миллиона миллионов миллионами млн milyon trieu εκατομμυρια εκατομμυριων εκατομμυριο मिलियन مليون ملايين ล้าน",
    7: "crore करोड़",
    8: "亿 億",
    9: "billion billions bn milliarde milliarden mrd miliard miliarde milliards miliardi miliardo miliardow bilhao bilhoes "
    "миллиард миллиарда миллиардов млрд milyar ty δισεκατομμυρια δισεκατομμυριων बिलियन अरब مليار مليارات",
    12: "trillion trillions billionen billon billones trilioane трлн trilyon τρισεκατομμυρια تريليون",
}
SCALES: Final = {word: power for power, words in _POWERS.items() for word in words.split()}

_UNIT_WORDS: Final = {
    "percent": "% percent prozent percento procent процент процента процентов yuzde τοις प्रतिशत",
    "euro": "€ euro euros евро evro ευρω eur",
    "dollar": "$ dollar dollars dolar dolares dolari доллар доллара долларов δολαρια δολαριων usd 美元",
    "pound": "£ gbp",
    "kilometre": "km kilometer kilometers kilometre kilometres kilometern kilometros километр километра километров "
    "χιλιομετρα χιλιομετρων 公里",
    "mile": "mile miles meile meilen milla millas mil mila милю мили миль μιλια μιλιων 英里",
    "metre": "m meter meters metre metres metern metros метр метра метров metri μετρα μετρων",
    "centimetre": "cm centimeter centimetre centimeters centimetres сантиметров",
    "kilogram": "kg kilogram kilograms kilogramm kilogramos килограмм килограмма килограммов",
    "tonne": "t tonne tonnes tonnen tonelada toneladas тонна тонны тонн tone ton τονοι τονους 吨",
    "gram": "g gram grams gramm gramme gramos грамм грамма граммов γραμμαρια",
    "minute": "minute minutes minuten minuto minutos минута минуты минут minuta dakika λεπτα",
    "hour": "hour hours stunde stunden hora horas час часа часов ora ore saat ωρες",
    "day": "day days tag tage tagen dia dias jour jours день дня дней zi zile gun ημερες 天",
    "week": "week weeks woche wochen semana semanas неделя недели недель saptamani hafta εβδομαδες",
    "month": "month months monat monate monaten mes meses месяц месяца месяцев luni ay μηνες 个月",
    "year": "year years jahr jahre jahren ano anos год года лет ani an yil χρονια ετη 年",
    "celsius": "°C", "fahrenheit": "°F",
}  # fmt: skip
UNITS: Final = {word: unit for unit, words in _UNIT_WORDS.items() for word in words.split()}
