"""What words do in questions, by language: the frames that ask, small words that say nothing, those that say much, synonyms.

`same_question` compares two questions by them. A word that stands here nowhere is only equal to its own other forms, so
that what is missing costs a hit and never makes a wrong one. Synonyms are words that stand for each other in any question
about a company's products, contracts and accounts; near misses (price and discount, cancel and pause) are left apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionWords:
    """The tables of one language. All are compared without case and accents.

    Attributes:
        frames: patterns, each with the words that take its place; in this order. Words that begin with `q` and a capital
            letter say what is asked for: `qHow`, `qCost`, `qLong`, `qWhen`, `qUntil`, `qWhere`, `qWho`, `qWhy`, `qMany`, `qMuch`, `qWhat`, `qYes`.
        light: words that say nothing beside the others.
        guiding: prepositions and adverbs that change what is asked: they belong to the word behind them.
        loose: prepositions that can stand for each other, or for a compound; they only tell the order of words.
        ours, yours, theirs: who acts, and whose things are.
        being: forms of "to be" that make a passive, before a `participle`.
        synonyms: groups of words for the same; the first one names it.
        asked_for: by a synonym's name, what a question for it asks: "what is the price" is `qCost`.
        implied: by what is asked for, words that say nothing more there: "where do I find it", "what discount do I get".
    """

    frames: tuple[tuple[str, str], ...]
    light: str
    guiding: str
    loose: str
    ours: str
    yours: str
    theirs: str
    being: str = ""
    participle: str = r"(?!)"
    synonyms: tuple[str, ...]
    asked_for: dict[str, str]
    implied: dict[str, str]


_EN: Final = QuestionWords(
    frames=(
        (r"\b(?:hello|hi|hey|good morning|dear team|excuse me|thanks|thank you|many thanks)\b", " "),
        (r"\bwhat s\b", "what is"), (r"\bhow s\b", "how is"), (r"\bwhere s\b", "where is"), (r"\bwho s\b", "who is"),
        (r"\b(?:can|could|would|will) (?:you|someone|anyone|somebody) (?:please )?(?:tell|explain to|show|inform|let) (?:me|us)(?: know)?(?: about)?\b", " qPolite "),
        (r"\b(?:can|could|would|will) you (?:please )?(?:explain|describe)\b", " qPolite "),
        (r"\b(?:please )?(?:tell me|explain to me|show me|let me know|explain|i(?: would|d) like to know|i want to know|i need to know|i(?: am|m) (?:wondering|trying to find out)|do you know|i wonder)(?: about)?\b", " qPolite "),
        (r"\bwhat (?:do|should|must|can|would) (?:i|we|you|one) (?:have to do|need to do|do)(?: (?:in order )?to| if i (?:want|need|would like) to| if we want to)\b", " qHow "),
        (r"\bwhat (?:is|are|would be) the (?:best |right |correct |easiest |proper )?(?:way|ways|steps|procedure|process|method) (?:to|for|of)\b", " qHow "),
        (r"\bwhat steps (?:do|must|should) (?:i|we|you) (?:take|follow) to\b", " qHow "),
        (r"\bwhich steps (?:are needed|are necessary|are required|do i follow|do i take) to\b", " qHow "),
        (r"\b(?:i|we) (?:want|need|would like|d like) to (.+?) (?:how (?:do i|do we|can i|can we|should i) (?:do (?:that|this|it)|go about it|proceed|start)|what (?:should|do|must) (?:i|we) do)\b", r" qHow \1 "),
        (r"\b(?:in )?(?:what|which) way (?:can|do|should) (?:i|we|you|one)\b", " qHow "),
        (r"\bhow (?:do|can|could|should|would|may|must|might|shall|am|are) (?:i|we|you|one|users|people|someone)(?: (?:have|need|go about|able|supposed) to| go about)?\b", " qHow "),
        (r"\bhow (?:is it possible|does one|is one supposed|to go about)(?: to)?\b", " qHow "), (r"\bhow to\b", " qHow "),
        (r"\bhow much (?:do|does|did|will|would|must|should) (?:i|we|you|one|it) (?:have to |need to )?(?:pay|cost|charge|spend)(?: (?:us|me))?(?: for| to get| to)?\b", " qCost "),
        (r"\bwhat (?:do|will|would|must) (?:i|we) (?:have to )?pay(?: for)?\b", " qCost "), (r"\bwhat do you charge(?: for)?\b", " qCost "),
        (r"\bhow (?:expensive|costly) (?:is|are)\b", " qCost "),
        (r"\bhow much (?:does|do|will|would|did)\b(.+?)\bcost\b", r" qCost \1 "), (r"\bwhat (?:does|do|will|would)\b(.+?)\bcost\b", r" qCost \1 "),
        (r"\bhow much (?:is|are)\b", " qCost "),
        (r"\b(?:for )?how long (?:does it take|do i have to wait|do i need to wait|will it take|must i wait|do we have to wait) (?:for|to|until|before|till)\b", " qLong "),
        (r"\b(?:for )?how long (?:does|do|will|would)\b(.+?)\b(?:take|last)\b", r" qLong \1 "),
        (r"\b(?:for )?how long\b", " qLong "), (r"\bhow much time (?:does|do|will|would)\b(.+?)\b(?:take|last|need)\b", r" qLong \1 "),
        (r"\bhow much time\b", " qLong "),
        (r"\b(?:by|until|till) (?:when|what date|what time|which date)\b", " qUntil "), (r"\bhow late\b", " qUntil "),
        (r"\b(?:at|from|on|since) (?:what|which) (?:time|hour|date|day)\b", " qWhen "), (r"\bwhat time\b", " qWhen "),
        (r"\bhow (?:often|frequently)\b", " qOften "), (r"\bhow many times\b", " qOften "),
        (r"\bhow many|what number of|the number of\b", " qMany "), (r"\bhow much\b", " qMuch "), (r"\bhow come\b", " qWhy "),
        (r"\bfor (?:what|which) reasons?\b", " qWhy "), (r"\bhow (?:big|large) (?:is|are|can|may)\b", " qWhat size "), (r"\bhow (?:high|large) (?:is|are)\b", " qMuch "),
        (r"\b(?:in|at|to) (?:what|which) (?:place|location)\b", " qWhere "), (r"\b(?:which|what) person\b", " qWho "),
        (r"\bwhose\b", " qWhose "), (r"\b(?:who|whom)\b", " qWho "), (r"\bwhy\b", " qWhy "), (r"\bwhere\b", " qWhere "),
        (r"^(?: ?qPolite)? ?(?:and |so |but )?when\b|\bqPolite when\b", " qWhen "),
        (r"\bhow\b", " qManner "), (r"\b(?:what|which)(?: (?:kind|kinds|sort|type) of)?\b", " qWhat "),
        (r"\b(?:is it|would it be|is that) (?:possible|allowed|permitted|okay|ok|acceptable)(?: (?:for|that) (?:me|us|i|we))?(?: to)?\b", " qYes able "),
        (r"\b(?:am i|are we|are you|is one) (?:able|allowed|permitted) to\b", " qYes able "), (r"\bis there (?:a|any|some) (?:way|option|possibility) (?:to|of)\b", " qYes able "),
        (r"\bdo(?:es)? (?:you|the company) (?:allow|permit|let) (?:me|us|customers)? ?(?:to)?\b", " qYes able "),
        (r"\b(?:is it|would it be) (?:necessary|required|mandatory|obligatory|compulsory)(?: for (?:me|us))?(?: to)?\b", " qYes must "),
        (r"\b(?:am i|are we) (?:required|obliged|obligated|forced) to\b", " qYes must "), (r"\b(?:do|does) (?:i|we) (?:have|need) to\b", " qYes must "),
        (r"^(?: ?qPolite)?(?: ?(?:and|but|so|if|whether))* ?(?:must|need) (?:i|we)\b|\b(?:if|whether) i (?:must|have to|need to)\b", " qYes must "),
        (r"\b(?:if|whether) (?:i|we) (?:can|could|may|am allowed to|am able to)\b", " qYes able "),
        (r"^(?: ?qPolite)?(?: ?(?:and|but|so|if|whether))* ?(?:can|could|may|might) (?:i|we)(?: please)?\b", " qYes able "),
        (r"\b(?:must|have to|has to|need to|needs to|required to|obliged to)\b", " must "), (r"\b(?:should|ought to)\b", " should "),
        (r"\b(?:can|could|may|might)\b", " able "), (r"\b(?:do|does|will|can) you (?:offer|provide|have|supply)\b", " exist "), (r"\b(?:is|are) there(?: any)?\b", " exist "),
        (r"\b(?:log|sign|logging|signing|logged|signed) ?(?:in|on)(?: to| into)?\b", " login "), (r"\blog(?:s|ging|ged)? ?out\b|\bsign(?:s|ing|ed)? ?out\b", " logout "),
        (r"\bsign(?:ing|ed)? up\b", " register "), (r"\bset(?:ting)? up\b", " configure "), (r"\bget(?:ting)? rid of\b", " remove "),
        (r"\b(?:switch|turn)(?:ing|ed)? ?off\b", " disable "), (r"\b(?:switch|turn)(?:ing|ed)? ?on\b", " enable "),
        (r"\b(?:send|give|bring)(?:ing)? (.{0,30}?)\bback\b", r" return \1 "), (r"\b(?:get|receive) in (?:touch|contact) with\b|\breach out to\b", " contact "),
        (r"\bin charge of\b", " responsible for "), (r"\b(?:come|comes) with\b", " include "), (r"\bmoney back\b", " refund "), (r"\be ?mail\b", " email "), (r"\bsick days?\b", " sick leave "), (r"\btime off\b", " leave "),
        (r"\b(?:in order to|so as to)\b", " to "), (r"\bas (?:a|an)\b", " for "), (r"\bper (annum|year|month|week|day)\b", r" per \1 "),
        (r"\b(?:a|an|each|every) (year|month|week|day|hour)\b", r" per \1 "), (r"\b(?:annual(?:ly)?|yearly)\b", " per year "), (r"\bmonthly\b", " per month "), (r"\bdaily\b", " per day "), (r"\bweekly\b", " per week "),
    ),
    light="a an the is are was were be been being am do does did doing have has had will would shall this that these those it its "
    "there here please just also really actually currently exactly so then and i we you my our us me your they he she him her his their them myself "
    "one ones who which of to for in on at by with as if whether that about regarding concerning some any possible possibly "
    "qPolite exist want wants wish like take takes need needs go usually normally generally typically ever",
    guiding="from into between during through under over until till since without before after against per via within beyond "
    "above below than inside outside not never no more most less least fewer first last next other another only all both each every except "
    "off out up down by while unless twice once same if when",
    loose="of to for in on at as about regarding concerning with",
    ours="i we me us my our mine", yours="you your yours", theirs="he she they his her their them him",
    being="is are be been being was were get gets", participle=r"\w+ed|paid|sent|made|sold|bought|given|held|kept|done|taken|shown|told|written|built|lost|found|chosen|hidden|billed|put|set|reset|left|met|seen",
    synonyms=(
        "price cost costs fee fees charge charges pricing rate tariff", "duration length period", "deadline cutoff",
        "reason cause", "address location", "change modify edit alter amend adjust update", "delete remove erase", "cancel terminate",
        "buy purchase", "get receive obtain", "begin start commence", "end finish stop expire", "reset", "restore recover", "show display view see",
        "create make generate", "configure setup", "login signin", "register enroll", "submit file hand", "send ship dispatch deliver shipment shipping delivery",
        "return returning", "refund reimbursement reimburse refunded", "repair fix", "employee worker staff colleague employees", "customer client", "supplier vendor",
        "phone telephone", "mobile cellphone smartphone", "vacation holiday holidays", "leave absence", "salary wage wages paycheck",
        "car vehicle", "photo picture image", "laptop notebook", "store shop", "company firm business", "contract agreement", "invoice bill", "allowed permitted", "allow permit",
        "error fault problem issue", "help assistance", "support", "maximum max largest biggest highest", "minimum min smallest lowest", "size",
        "amount sum", "valid", "require requirement", "needed necessary required", "choose select pick", "upload", "download",
        "connect link", "find locate", "use utilize usage using", "work function operate", "contact reach", "request apply ask", "complain complaint", "open", "close",
        "explanation meaning mean definition", "cover include contain comprise", "free gratis complimentary", "expensive costly", "enable activate", "disable deactivate",
        "notify inform", "assist", "lost misplaced", "damaged broken defective faulty", "trip journey", "doctor physician", "document documents paperwork",
        "renew renewal", "extend extension prolong", "approve approval authorize authorise", "replace swap exchange", "verify check", "password passcode", "username", "person people",
        "organisation organization", "colour color", "licence license", "centre center", "travel travelling traveling", "pay payment", "book reserve", "booking reservation", "transfer move", "responsible",
        "transmit", "install installation", "subscribe subscription", "keep store retain save", "quit resign", "entitled eligible", "arrive",
    ),
    asked_for={"price": "qCost", "duration": "qLong", "deadline": "qUntil", "reason": "qWhy"},
    implied={"qWhat": "get", "qMany": "get", "qMuch": "get", "qWhere": "find", "qUntil": "must", "qCost": "pay"},
)

_DE: Final = QuestionWords(
    frames=(
        (r"\b(?:hallo|guten tag|guten morgen|servus|moin|danke|vielen dank|entschuldigung|liebes team)\b", " "),
        (r"\b(?:konnen|konnten|kannst|konntest|wurden) (?:sie|du|ihr) (?:mir|uns) (?:bitte )?(?:sagen|erklaren|mitteilen|verraten|zeigen)\b", " qPolite "),
        (r"\b(?:bitte )?(?:sagen sie mir|erklaren sie mir|erklar mir|sag mir|zeigen sie mir|ich (?:mochte|will|wurde gerne?) (?:gerne? )?wissen|wissen sie|weisst du|mich interessiert|ich frage mich|wurde gerne? wissen)\b", " qPolite "),
        (r"\bwas (?:muss|soll|kann|sollte|musste) (?:ich|man) (?:tun|machen|unternehmen)(?: um| wenn ich| damit ich| damit)?\b", " qHow "),
        (r"\bwas (?:ist|muss) zu tun(?: um| wenn ich| wenn)?\b", " qHow "),
        (r"\b(?:welche schritte (?:sind (?:notig|notwendig|erforderlich)|muss ich (?:befolgen|machen|durchfuhren))(?: um| zum| zur| fur)?)\b", " qHow "),
        (r"\b(?:wie lautet|was ist|wie ist) (?:der|das) (?:beste |richtige |korrekte )?(?:weg|vorgehen|ablauf|verfahren|prozess|vorgehensweise) (?:um|zum|zur|fur|beim|bei)\b", " qHow "),
        (r"\b(?:auf welche weise|auf welchem weg|auf welchem wege|auf welche art|in welcher weise)\b", " qHow "),
        (r"\bwie (?:kann|konnte|muss|soll|sollte|darf|konnen|mussen|sollen) (?:ich|man|wir|nutzer)\b", " qHow "), (r"\bwie (?:lasst|lassen) sich\b", " qHow "), (r"\bwie ist es moglich\b", " qHow "),
        (r"\bwie geht (?:das|es) wenn ich\b", " qHow "), (r"\bwie gehe ich (?:vor )?(?:um|wenn ich|beim|bei)\b", " qHow "), (r"\bwie funktioniert (?:das|die|der)\b", " qHow "),
        (r"\bwie (?:viel|teuer) (?:kostet|kosten|ist|sind|bezahle ich|zahle ich|muss ich (?:be)?zahlen)(?: fur)?\b", " qCost "), (r"\bwie viel muss ich fur (.+?) (?:be)?zahlen\b", r" qCost \1 "),
        (r"\bwie hoch (?:ist|sind)\b", " qWhat "),
        (r"\bwieviel (?:kostet|kosten|ist|zahle ich|muss ich (?:be)?zahlen)(?: fur)?\b", " qCost "), (r"\bwas (?:kostet|kosten|zahle ich|bezahle ich|zahlt man|verlangen sie fur)(?: (?:mich|uns))?\b", " qCost "),
        (r"\bwas muss ich fur (.+?) (?:be)?zahlen\b", r" qCost \1 "),
        (r"\bwie ?lange (?:dauert|dauern|wahrt|braucht|brauchen|benotigt)(?: es bis| es)?\b", " qLong "), (r"\bwie ?lange?\b", " qLong "), (r"\bwie viel zeit\b|\bwieviel zeit\b", " qLong "),
        (r"\b(?:bis wann|bis zu welchem (?:datum|zeitpunkt|tag)|bis spatestens wann)\b", " qUntil "),
        (r"\b(?:ab wann|zu welchem zeitpunkt|um wie viel uhr|um wieviel uhr|um welche uhrzeit|an welchem tag|zu welcher zeit|ab welchem zeitpunkt)\b", " qWhen "), (r"\bwann\b", " qWhen "),
        (r"\bwie oft\b|\bwie haufig\b", " qOften "), (r"\bwie viele?n?\b|\bwieviele?n?\b|\bwelche anzahl(?: an| von)?\b", " qMany "), (r"\bwie (?:hoch|gross) (?:ist|sind|darf|kann)\b", " qMuch "),
        (r"\bwie (\w+) (?:ich|wir|man)\b", r" qHow \1 "),
        (r"\b(?:warum|weshalb|wieso|aus welchem grund|weswegen)\b", " qWhy "), (r"\b(?:wo|wohin|an welchem ort|an welcher stelle|an welche stelle)\b", " qWhere "), (r"\bwoher\b", " qWhence "),
        (r"\b(?:an wen)\b", " qWho an "), (r"\b(?:wer|welche person)\b", " qWho "), (r"\b(?:wen|wem)\b", " qWhom "), (r"\bwessen\b", " qWhose "),
        (r"\bwie\b", " qManner "), (r"\b(?:welche[rsnm]?|was fur (?:eine?[nrm]?)?|was)\b", " qWhat "),
        (r"\b(?:ist es|ware es|ist das) (?:moglich|erlaubt|gestattet|zulassig)(?: dass (?:ich|wir|man))?\b", " qYes able "), (r"\bgibt es (?:eine|die|irgendeine) moglichkeit\b", " qYes able "), (r"\b(?:besteht|habe ich) die moglichkeit\b", " qYes able "),
        (r"\b(?:ist es) (?:notig|notwendig|erforderlich|pflicht|verpflichtend|zwingend)(?: dass ich)?\b", " qYes must "), (r"\b(?:bin ich verpflichtet|sind wir verpflichtet|ist man verpflichtet)\b", " qYes must "),
        (r"^(?: ?qPolite)?(?: ?(?:und|aber|ob))* ?(?:muss|mussen) (?:ich|wir|man)\b", " qYes must "), (r"\bob ich (.+?) (?:kann|darf)\b", r" qYes able \1 "), (r"\bob ich (.+?) muss\b", r" qYes must \1 "),
        (r"^(?: ?qPolite)?(?: ?(?:und|aber))* ?(?:kann|darf|konnen|durfen|konnte) (?:ich|wir|man)\b", " qYes able "), (r"\blasst sich\b|\blassen sich\b", " qYes able "),
        (r"\b(?:muss|mussen|musst|musste)\b", " must "), (r"\b(?:soll|sollen|sollte|sollten)\b", " should "), (r"\b(?:kann|darf|konnen|durfen|konnte|konnten|kannst|darfst)\b", " able "),
        (r"\b(?:gibt es|bieten sie|haben sie|bietet ihr|habt ihr)\b", " exist "), (r"\be mail\b", " email "), (r"\bein(?:zu)?loggen\b|\ban(?:zu)?melden\b|\blogge(?:n)? (.{0,30}?)\bein\b|\bmelde(?:n)? (.{0,30}?)\ban\b", r" login \1 \2 "),
        (r"\b(?:jahrlich|pro jahr|im jahr|jedes jahr)\b", " pro jahr "), (r"\b(?:monatlich|pro monat|im monat|jeden monat)\b", " pro monat "), (r"\b(?:wochentlich|pro woche|in der woche|jede woche)\b", " pro woche "), (r"\b(?:taglich|pro tag|am tag|jeden tag)\b", " pro tag "),
        (r"\bruckgangig machen\b", " widerrufen "), (r"\bin kontakt treten\b|\bkontakt aufnehmen\b|\bin verbindung setzen\b", " kontaktieren "),
    ),
    light="der die das den dem des ein eine einen einem einer eines ist sind war waren sein bin wird werden wurde wurden habe hat haben hatte hatten es sich "
    "bitte eigentlich genau aktuell denn so dann und ich wir sie mein meine meinen meinem meiner meines unser unsere unseren unserem unserer mir mich uns ihr ihre ihren ihrem ihrer "
    "du dein deine deinen deinem deiner euch euer eure man dieser diese dieses diesen diesem zu zum zur fur im in ins am an auf bei beim um von vom mit als ob dass da hier uber "
    "qPolite exist mochte mochten will wollen wunsche gerne gern normalerweise ublicherweise in der regel etwa wirklich auch einmal mal jemals",
    guiding="aus zwischen wahrend durch unter bis seit ohne vor nach gegen pro per innerhalb ausserhalb oberhalb unterhalb als nicht kein keine keinen keinem keiner nie niemals "
    "mehr meisten weniger wenigsten erste ersten erster letzte letzten letzter nachste nachsten anderer andere anderen nur alle allen beide jeder jede jedes ausser trotz statt wenn falls von vom durch uber",
    loose="fur in im am an auf bei beim zum zur zu des der um mit",
    ours="ich wir mich uns mir mein meine meinen meinem meiner meines unser unsere unseren unserem unserer", yours="sie ihnen du dir dich dein deine deinen deinem deiner euch", theirs="er ihm ihn",
    being="wird werden wurde wurden", participle=r"\w*ge\w+(?:t|en)|(?:be|er|ver|ent|zer)\w+(?:t|en)|\w+iert",
    synonyms=(
        "preis kosten kostet gebühr gebühren entgelt tarif", "dauer laufzeit", "frist", "grund ursache", "ändern ändere verändern bearbeiten anpassen aktualisieren änderung abändern ändert",
        "löschen lösche entfernen entferne löschung löscht", "kündigen kündige kündigung kündigt", "stornieren storniere stornierung storno", "kaufen kaufe erwerben kauf", "bekommen bekomme erhalten erhalte bekommt erhält kriege kriegen",
        "beginnen beginnt anfangen anfängt starten startet beginn start", "enden endet ende aufhören", "zurücksetzen zurückzusetzen", "wiederherstellen wiederherzustellen wiederherstellung",
        "anzeigen ansehen einsehen sehen", "erstellen erstelle anlegen erzeugen erstellt", "einrichten konfigurieren einrichtung richten", "registrieren registriere registrierung", "einreichen einzureichen abgeben", "versenden verschicken senden schicken versand versendet lieferung liefern geliefert zustellung",
        "zurückgeben zurücksenden zurückschicken rückgabe retournieren retoure zurückzugeben zurückzusenden rücksendung", "erstattung rückerstattung erstatten erstattet rückzahlung", "reparieren reparatur repariert", "mitarbeiter angestellter angestellte beschäftigte mitarbeitende mitarbeitern beschäftigten angestellten",
        "kunde kunden", "lieferant lieferanten zulieferer", "telefon telefonnummer rufnummer", "handy mobiltelefon smartphone", "urlaub ferien urlaubstage", "gehalt lohn", "auto fahrzeug wagen pkw", "foto bild", "laptop notebook", "laden geschäft filiale", "firma unternehmen betrieb",
        "vertrag", "rechnung", "fehler störung problem", "hilfe unterstützung", "maximal höchstens maximale", "mindestens minimal", "größe", "betrag summe", "gültig", "brauchen brauche benötigen benötige benötigt notwendig erforderlich nötig braucht", "wählen auswählen", "hochladen",
        "herunterladen runterladen downloaden", "verbinden koppeln", "finden finde", "befinden befindet", "speichern aufbewahren gespeichert aufbewahrt", "nutzer benutzer anwender nutzern", "nutzen benutzen verwenden nutze verwende benutze", "kontaktieren kontaktiere erreichen erreiche wenden kontakt", "beantragen beantrage anfordern beantragt antrag", "bedeutet bedeutung heißt",
        "enthalten enthält umfasst beinhaltet inbegriffen umfassen", "kostenlos gratis kostenfrei umsonst", "aktivieren einschalten anschalten", "deaktivieren ausschalten abschalten", "verloren", "defekt beschädigt kaputt", "arzt", "unterlagen dokumente", "verlängern verlängerung verlängert", "genehmigen genehmigung genehmigt", "austauschen umtauschen ersetzen tauschen", "überprüfen prüfen kontrollieren",
        "passwort kennwort", "buchen reservieren", "buchung reservierung", "bezahlen zahlen bezahle zahle zahlung bezahlung", "überweisen überweisung", "zuständig verantwortlich", "installieren installation", "abonnieren", "widerrufen widerruf", "öffnen öffnet geöffnet offen", "schließen schließt geschlossen", "krank erkrankt", "krankmelden krankmeldung", "größte größter höchste", "kleinste niedrigste", "speicherplatz speicher", "gelten gilt",
    ),
    asked_for={"preis": "qCost", "dauer": "qLong", "frist": "qUntil", "grund": "qWhy"},
    implied={"qWhat": "bekommen", "qMany": "bekommen", "qWhere": "finden befinden", "qUntil": "must", "qCost": "bezahlen"},
)

_ES: Final = QuestionWords(
    frames=(
        (r"\b(?:hola|buenos dias|buenas tardes|buenas|gracias|muchas gracias|disculpe|perdone|saludos)\b", " "),
        (r"\b(?:puede|puedes|podria|podrias|pueden|podrian)(?:me|nos)? (?:decirme|decirnos|explicarme|indicarme|informarme|explicar|decir|indicar)(?: sobre)?\b", " qPolite "),
        (r"\b(?:me )?(?:puede|puedes|podria|podrias|pueden|podrian) (?:decir|explicar|indicar|informar)\b", " qPolite "),
        (r"\b(?:por favor|quisiera saber|quiero saber|me gustaria saber|necesito saber|digame|dime|expliqueme|explicame|sabe usted|sabes|deseo saber)\b", " qPolite "),
        (r"\bque (?:tengo que|debo|hay que|puedo|necesito) hacer (?:para|si quiero)\b", " qHow "), (r"\bque pasos (?:debo|tengo que|hay que|debemos) (?:seguir|dar) para\b", " qHow "), (r"\bque hago (?:para|si quiero)\b", " qHow "),
        (r"\bcual es (?:la|el) (?:mejor )?(?:manera|forma|modo|procedimiento|proceso|pasos?) (?:de|para|correcta de)\b", " qHow "), (r"\b(?:cuales son los pasos (?:para|de))\b", " qHow "), (r"\bde que (?:manera|forma|modo)\b", " qHow "),
        (r"\bcomo (?:puedo|podemos|se puede|se pueden|podria|debo|hay que|tengo que|hago para|hacer para|debemos|es posible|consigo|logro|hacemos para|puede uno|se debe)\b", " qHow "), (r"\bcomo se\b", " qHow "),
        (r"\bcuanto (?:cuesta|cuestan|vale|valen|costara|es el precio de|tengo que pagar por|hay que pagar por|debo pagar por|pago por|se paga por|cobran por|cobra por)\b", " qCost "), (r"\bque (?:precio|coste|costo) (?:tiene|tienen)\b", " qCost "), (r"\ba cuanto (?:esta|sale|asciende)\b", " qCost "), (r"\bcuanto (?:sale|sera)\b", " qCost "),
        (r"\b(?:durante |por )?cuanto tiempo (?:tarda|tardan|dura|duran|se tarda en|lleva|demora|toma|tardara|tarda en)\b(?: en)?", " qLong "), (r"\bcuanto (?:tarda|tardan|dura|duran|demora|demoran|se tarda en|tardara)\b(?: en)?", " qLong "), (r"\b(?:durante |por )?cuanto tiempo\b", " qLong "),
        (r"\b(?:hasta cuando|hasta que (?:fecha|dia|hora))\b", " qUntil "), (r"\b(?:a que hora|en que momento|en que fecha|que dia|desde cuando|a partir de cuando|a partir de que (?:fecha|hora))\b", " qWhen "),
        (r"^(?: ?qPolite)? ?(?:y )?cuando\b", " qWhen "), (r"\b(?:con que frecuencia|cada cuanto(?: tiempo)?|cuantas veces)\b", " qOften "), (r"\bcuant[oa]s\b|\bque (?:cantidad|numero) de\b", " qMany "), (r"\bcuant[oa]\b", " qMuch "),
        (r"\b(?:por que|por que razon|por que motivo|a que se debe que|debido a que)\b", " qWhy "), (r"\b(?:donde|en que lugar|en que sitio|adonde|a donde|en que parte)\b", " qWhere "), (r"\ba quien(?:es)?\b", " qWhom "), (r"\bde quien(?:es)?\b", " qWhose "), (r"\b(?:quien|quienes|que persona|que personas)\b", " qWho "), (r"^(?: ?qPolite)? ?como\b|\bqPolite como\b", " qManner "),
        (r"^(?: ?qPolite)? ?(?:y )?(en|con|a|para|de)? ?(?:que|cuales|cual) (?:tipos? de |clases? de )?", r" qWhat \1 "), (r"\bqPolite (?:que|cuales|cual)\b", " qWhat "),
        (r"\b(?:es|seria|resulta) (?:posible|factible)(?: que)?\b", " qYes able "), (r"\b(?:esta|se) (?:permitido|permite|permiten)\b", " qYes able "), (r"\b(?:existe|hay) (?:la|alguna|una) (?:posibilidad|forma|manera|opcion) de\b", " qYes able "), (r"\b(?:tengo|tenemos) (?:la )?(?:posibilidad|opcion|derecho) de\b", " qYes able "),
        (r"\b(?:es|resulta) (?:necesario|obligatorio|preciso|imprescindible)\b", " qYes must "), (r"\b(?:hace falta|estoy obligado a|estamos obligados a)\b", " qYes must "), (r"^(?: ?qPolite)?(?: si)? ?(?:tengo que|debo|tenemos que|debemos|hay que)\b", " qYes must "),
        (r"^(?: ?qPolite)?(?: si)? ?(?:puedo|podemos|se puede|se pueden|podria|podriamos|puede uno|cabe)\b", " qYes able "), (r"\b(?:tengo que|tiene que|tienen que|debo|debe|deben|hay que|tenemos que|debemos)\b", " must "), (r"\b(?:deberia|deberian)\b", " should "),
        (r"\b(?:puedo|puede|pueden|podemos|podria|podrian)\b", " able "), (r"\b(?:ofrecen|ofrece|hay|existe|existen|tienen ustedes|disponen de)\b", " exist "), (r"\bcorreo electronico\b|\be mail\b", " correo "), (r"\biniciar (?:la )?sesion\b|\bconectar(?:me|se)\b|\binicio (?:de )?sesion\b", " entrar "), (r"\bcerrar (?:la )?sesion\b", " salir "),
        (r"\b(?:al ano|por ano|cada ano|anual(?:es|mente)?)\b", " por ano "), (r"\b(?:al mes|por mes|cada mes|mensual(?:es|mente)?)\b", " por mes "), (r"\b(?:a la semana|por semana|cada semana|semanal(?:es|mente)?)\b", " por semana "), (r"\b(?:al dia|por dia|cada dia|diari[oa]s?|diariamente)\b", " por dia "),
        (r"\bdar de baja\b|\bdarme de baja\b|\bdarse de baja\b", " cancelar "), (r"\bponerme en contacto con\b|\bponerse en contacto con\b|\bentrar en contacto con\b", " contactar "), (r"\b(?:fecha limite|plazo maximo)\b", " plazo "), (r"\bllevar a cabo\b", " realizar "), (r"\bdarme de alta\b|\bdar de alta\b", " registrar "), (r"\bdinero de vuelta\b", " reembolso "),
    ),
    light="el la los las un una unos unas lo es son era fue ser esta estan estoy ha han he se me nos te le les mi mis nuestro nuestra nuestros nuestras su sus tu tus yo usted ustedes que y o este esta estos estas ese esa eso "
    "de del a al en para por con como si sobre qPolite exist quiero queremos deseo quisiera actualmente exactamente normalmente generalmente realmente tambien hacer hago realizar realizo efectuar",
    guiding="desde entre durante bajo hasta sin antes despues contra via dentro fuera encima debajo no nunca jamas ni mas menos primer primera primero ultimo ultima ultimos siguiente proximo otro otra otros solo todos todas todo ambos cada excepto salvo mientras si cuando tras hacia",
    loose="de del a al en para sobre con por",
    ours="yo me nos mi mis nuestro nuestra nuestros nuestras", yours="usted ustedes", theirs="el ella ellos ellas",
    synonyms=(
        "precio coste costo costes tarifa tasa importe costos", "duración", "plazo límite", "guardar conservar almacenar guardan conservan almacenan", "tener tiene tienen tengo", "motivo razón causa", "cambiar modificar editar actualizar cambio modificación cambia modifica cambio modifico", "eliminar borrar suprimir quitar elimino borro borra elimina",
        "cancelar cancelo cancelación anular anulo cancela anula", "comprar adquirir compro compra", "recibir obtener conseguir recibo obtengo recibe reciben obtienen consigo", "empezar comenzar iniciar empieza comienza inicio comienzo inicia", "terminar acabar finalizar termina acaba finaliza fin", "restablecer restablezco resetear restablece", "recuperar recupero recuperación",
        "ver mostrar visualizar consultar consulto veo", "crear generar creo genero crea genera", "configurar configuro configuración configura", "entrar acceder accedo entro", "registrar registrarme inscribirme inscribir registrarse registro", "enviar mandar envío mando envía envían entrega entregar entregan entregas envíos", "devolver devuelvo devolución devoluciones devuelve", "reembolso reembolsar reintegro reembolsos",
        "reparar arreglar reparación repara", "empleado trabajador empleados trabajadores personal", "cliente clientes", "proveedor proveedores", "teléfono", "móvil celular", "vacaciones", "salario sueldo nómina", "coche automóvil vehículo", "foto imagen fotografía", "portátil laptop", "tienda comercio", "empresa compañía", "contrato", "factura facturas",
        "error fallo problema", "ayuda asistencia soporte", "máximo máxima", "mínimo mínima", "tamaño", "cantidad", "necesitar necesito necesita necesario requiere requieren necesarios necesaria necesarias necesitan requerido requeridos", "elegir seleccionar escoger", "subir cargar subo", "descargar bajar descargo descarga", "conectar vincular", "encontrar hallar encuentro encuentra", "usar utilizar uso utilizo usa",
        "contactar contacto contacta", "solicitar pedir solicito pido solicita", "solicitud petición", "significa significado", "incluir incluye incluyen contiene cubrir cubre", "gratis gratuito gratuita gratuitos", "activar habilitar activo habilito activa", "desactivar deshabilitar desactivo desactiva", "perdido extraviado", "dañado roto defectuoso averiado", "médico doctor", "documentos documentación", "renovar renuevo renovación prorrogar", "aprobar autorizar aprueba autoriza",
        "sustituir reemplazar", "verificar comprobar", "contraseña clave", "reservar reservo", "pagar abonar pago pagos", "transferir", "responsable encargado", "instalar instalo instalación instala", "suscripción", "abrir abre apertura abren", "cerrar cierra cierre", "dirección", "pedido orden pedidos",
    ),
    asked_for={"precio": "qCost", "duración": "qLong", "plazo": "qUntil", "motivo": "qWhy"},
    implied={"qWhat": "recibir tener", "qMany": "recibir tener", "qWhere": "encontrar", "qUntil": "must", "qCost": "pagar"},
)

_RU: Final = QuestionWords(
    frames=(
        (r"\b(?:здравствуйте|добрый день|привет|спасибо|извините|доброе утро)\b", " "),
        (r"\b(?:не )?(?:могли бы вы|можете ли вы|можете|подскажите|скажите|расскажите|объясните|поясните|хочу узнать|хотел бы узнать|хотела бы узнать|хотелось бы знать|мне нужно знать|интересует|будьте добры|уточните)(?: мне)?(?: (?:сказать|подсказать|объяснить|пояснить|уточнить))?(?: (?:пожалуиста|мне))*\b", " qPolite "),
        (r"\b(?:пожалуиста)\b", " qPolite "),
        (r"\bчто (?:мне |нам )?(?:нужно|надо|необходимо|следует|должен|требуется)(?: мне)? (?:с?делать)(?: чтобы| для)?\b", " qHow "), (r"\bчто (?:с?делать)(?: чтобы)\b", " qHow "), (r"\b(?:каким образом|каким способом|каков порядок|какои порядок|каков способ|какова процедура)\b", " qHow "),
        (r"\b(?:какие шаги (?:нужно|надо|необходимо) (?:предпринять|выполнить|сделать) (?:чтобы|для))\b", " qHow "),
        (r"\bкак (?:я могу|мне можно|можно|мне|нам|мы можем|я должен|нужно|правильно|следует|лучше)(?: мне)?\b", " qHow "),
        (r"\bсколько (?:стоит|стоят|будет стоить|нужно платить за|надо заплатить за|придется заплатить за|нужно заплатить за|составляет стоимость)\b", " qCost "), (r"\bво сколько обоид[её]тся\b", " qCost "), (r"\bкакова (?:стоимость|цена)\b", " qCost "), (r"\bпочем\b", " qCost "),
        (r"\b(?:как долго|как скоро|сколько времени|сколько по времени|в течение какого времени|какое время)(?: (?:длится|длятся|занимает|занимают|идет|идут|деиствует|продолжается|требуется|уходит|нужно|заимет)(?: на)?)?\b", " qLong "), (r"\bсколько (?:длится|длятся|идет|идут|деиствует|продолжается)\b", " qLong "),
        (r"\b(?:до какого (?:числа|срока|времени|часа|дня)|до скольки|до которого часа|к какому сроку|до каких пор)\b", " qUntil "), (r"\b(?:во сколько|в какое время|в какои день|с какого (?:времени|числа|момента)|с каких пор|в каком часу)\b", " qWhen "), (r"^(?: ?qPolite)? ?(?:а |и )?когда\b|\bqPolite когда\b", " qWhen "),
        (r"\b(?:как часто|с какои периодичностью|сколько раз)\b", " qOften "), (r"\b(?:сколько|какое количество|каково количество|какое число)\b", " qMany "), (r"\b(?:почему|по какои причине|зачем|отчего|из за чего|в чем причина)\b", " qWhy "), (r"\b(?:где|в каком месте)\b", " qWhere "), (r"\bкуда\b", " qWhereto "), (r"\bоткуда\b", " qWhence "), (r"\bк кому\b", " qWhom к "), (r"\bкому\b", " qWhom "), (r"\bкого\b", " qWhomAcc "), (r"\bкем\b", " qBywhom "), (r"\bкто\b", " qWho "), (r"\bчеи|чья|чье\b", " qWhose "),
        (r"\bкак\b", " qManner "), (r"\b(?:какои|какая|какое|какие|каков|какова|каковы|какую|каких|каким|какими|какого|каком|что|что такое)\b", " qWhat "),
        (r"\b(?:можно ли|могу ли я|можем ли мы|возможно ли|разрешается ли|разрешено ли|допускается ли|есть ли возможность|имею ли я право|есть ли у меня возможность|вправе ли я)(?: мне| нам)?\b", " qYes able "), (r"^(?: ?qPolite)? ?(?:я могу|можно|могу я|мне можно)\b", " qYes able "), (r"\bqPolite (?:могу ли я|можно)\b", " qYes able "),
        (r"\b(?:нужно ли|надо ли|обязательно ли|необходимо ли|должен ли я|обязан ли я|требуется ли|следует ли)(?: мне| нам)?\b", " qYes must "), (r"\b(?:нужно|надо|необходимо|должен|должны|должна|обязан|обязаны|обязательно)\b", " must "), (r"\b(?:можно|могу|может|могут|можем|возможно)\b", " able "), (r"\b(?:есть ли|имеется ли|существует ли|предусмотрены? ли|предлагаете ли вы|имеются ли|есть|существуют ли)(?: у вас)?\b", " qYes exist "), (r"\bэлектронн\w+ почт\w+\b|\be ?mail\b|\bимеил\w*\b", " почта "), (r"\bвоити\b|\bзалогиниться\b|\bавторизоваться\b", " вход "), (r"\bсвязаться с(?:о)?\b|\bобратиться (?:в|к|во|ко)\b", " связаться "), (r"\bличн\w+ кабинет\w*\b|\bакк?аунт\w*\b|\bучетн\w+ запис\w+\b", " аккаунт "), (r"\bзаработн\w+ плат\w+\b", " зарплата "),
        (r"\b(?:в год|за год|ежегодно|каждыи год|ежегодн\w+)\b", " за год "), (r"\b(?:в месяц|за месяц|ежемесячно|каждыи месяц|ежемесячн\w+)\b", " за месяц "), (r"\b(?:в неделю|за неделю|еженедельно|каждую неделю|еженедельн\w+)\b", " за неделю "), (r"\b(?:в день|за день|ежедневно|каждыи день|ежедневн\w+)\b", " за день "),
    ),
    light="я мы мне нам меня нас мои моя мое моего моеи моему моих мою наш наша наше нашего вы вас вам ваш ваша ваше вашего вашеи ваших ваши это этот эта эти того то же ли бы а и ну вот еще уже "
    "в во на о об для по при у чтобы что который которая которое к ко qPolite exist за при хочу хотим обычно именно вообще сеичас также свои своего свою своеи своих является будет быть был была осуществляется осуществляются производится происходит осуществить выполнить",
    guiding="от до из между без после перед через против кроме под над с со не нет ни никогда нельзя более больше менее меньше первыи первая первого последнии последняя следующии другои другие только все всех оба каждыи если когда или внутри вне свыше ранее позже выше ниже",
    loose="для по на в о об у во",
    ours="я мы мне нам меня нас мои моя мое моего моеи моему моих мою наш наша наше нашего", yours="вы вас вам ваш ваша ваше вашего вашеи ваших ваши", theirs="он она они его ее их",
    synonyms=(
        "цена стоимость тариф стоимости цены", "длительность продолжительность", "причина", "изменить поменять сменить изменение изменять обновить отредактировать смена изменения смены", "удалить стереть удаление удаления убрать", "отменить отмена аннулировать отмены", "расторгнуть расторжение расторжения", "купить приобрести покупка", "получить получают получает получение получения получаю",
        "начать начинается начинаются стартует начало", "закончить заканчивается завершается кончается окончание", "сбросить сброс сброса", "восстановить восстановление восстановления", "посмотреть увидеть просмотреть", "создать создание создания", "настроить настройка настройки", "вход входа", "зарегистрироваться регистрация регистрации", "отправить выслать отправка послать отправляете отправляются отправки", "доставка доставки доставить доставляют доставляется доставляете", "вернуть возврат возврата возвратить",
        "отремонтировать починить ремонт ремонта", "сотрудник работник сотрудники работники сотрудника работника сотрудникам работникам сотрудников работников персонал", "клиент клиента покупатель клиенты клиентов покупателя клиентам покупателям", "поставщик поставщика", "телефон телефона", "отпуск отпуска отпускной", "зарплата зарплаты оклад", "машина автомобиль", "фото фотография изображение картинка", "ноутбук ноутбука", "магазин магазина", "компания фирма компании фирмы", "договор контракт договора контракта", "счет счета", "ошибка проблема неисправность",
        "помощь поддержка помощи", "максимальный наибольший максимальная максимум", "минимальный наименьший минимальная минимум", "размер объем", "сумма", "требоваться требуются требуется нужны нужен нужна необходимы необходим понадобятся понадобится", "выбрать", "загрузить", "скачать", "подключить присоединить подключение подключения", "найти находится расположен находятся", "использовать пользоваться использование применять использования", "связаться обратиться", "подать", "значит означает обозначает", "включает включено включены", "бесплатно бесплатный бесплатная бесплатной", "включить активировать", "выключить отключить деактивировать отключение",
        "потерять утерять потерял потеряли", "сломанный поврежденный бракованный неисправный", "врач доктор", "документы бумаги", "продлить продление продления", "одобрить утвердить одобряет утверждает согласует", "заменить обменять замена обмен замены обмена", "проверить", "хранить хранятся сохраняются хранение", "пароль пароля", "забронировать бронирование бронь бронирования", "оплатить заплатить оплата оплаты платить", "ответственный отвечает", "установить установка установки", "подписка подписки", "открыть открывается открываются открытие", "закрыть закрывается закрываются закрытие", "заказ заказа", "адрес адреса", "вещь товар товара",
    ),
    asked_for={"цена": "qCost", "длительность": "qLong", "причина": "qWhy"},
    implied={"qWhat": "получить", "qMany": "получить", "qWhere": "найти", "qUntil": "must"},
)  # fmt: skip

QUESTION_WORDS: Final = {"en": _EN, "de": _DE, "es": _ES, "ru": _RU}
