"""Everyday words that people ask with. One that a knowledge lacks is no misspelling of a word that it has.

Only words of four letters and more, which the search might take for another one, and only their usual forms; function words
stand in `terms.STOP_WORDS`. Written down by hand from questions to support desks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from dragoman.kit.text.terms import analyse_query, base_language


@lru_cache(maxsize=256)
def common_forms(language: str, knowledge: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """The common words of a language as `analyse_query` gives them for knowledge in these languages."""
    return frozenset(analyse_query(COMMON_WORDS.get(base_language(language), ""), knowledge))


COMMON_WORDS: Final = {
    "en": "able above add added allow allowed almost along already although always another anyone anything apply around "
    "available away back bad based became become begin behind below beside best better big bigger bring built call "
    "called came change changed cheap cheaper check choose clear close come comes coming common complete consider "
    "correct cost costs cover covered create current daily date dates days deal deep default depend depends describe "
    "detail details differ difference different difficult done down each early easy either else enable end ends enough "
    "even ever every everyone everything exact exactly exist exists expect explain fail fails far fast faster few find "
    "finish first five fix follow found four free frequent full gave general give given gives goes gone good great had "
    "half happen happens hard heavy help helps hence high higher highest hold holds hour hours however huge include "
    "included includes including instead issue keep kept kind kinds know known large larger largest last late later "
    "learn least leave left less let life like likely limit limits line list little live lived lives long longer "
    "longest look looking lose lost lots love low lower lowest made main make makes making many matter maximum mean "
    "meaning means meant meet minimum minute minutes mind miss missing month months mostly move much name named names "
    "near need needed needs never next nice nine none normal nothing number often okay old older open order others part "
    "parts past people perhaps permit permitted person pick place please possible prefer problem purpose put quick "
    "quickly quite rather ready real really reason reasons recent related remain require required requires return rule "
    "rules said save says second seconds see seem seems seen send sense separate seven several short shorter show shown "
    "shows side similar simple since single size sized slow small smaller smallest someone something sometimes soon sort "
    "speed stand start starts state stay step steps still stop stops store such suppose sure switch take taken takes "
    "talk tall tell tells term terms thank thanks thing things think third though three thus time times today together "
    "told tomorrow took total toward tried true turn turned twice type types understand used useful user uses using "
    "usual usually valid value version want wants week weekly weeks weigh weight went wide wish within without wonder "
    "word words work working works worse worst worth write written wrong year years yesterday young",
    "de": "aktuell anders anfang antwort arbeiten art arten bald bekomme bekommen bekommt beginnt bekannt benutzen benötige "
    "benötigen benötigt bereits besser beste besten bitte bleibt brauche brauchen braucht bringen danke darf dauer dauern "
    "dauert deutlich dinge direkt dürfen eigentlich einfach einmal enthält erhalte erhalten erhält erklären erlaubt "
    "erste ersten etwa etwas falls falsch fast fehler fehlt finde finden findet folgt frage fragen früh früher funktioniert "
    "ganz gehen geht gehört genau genug gerne geschieht gestern gilt gleich groß größe größer größte gute guten halten heißt "
    "helfen heute hilfe hoch höchstens höher immer information jahr jahre jahren jetzt jemand kaum kennen klein kleiner "
    "komme kommen kommt kosten kostet kurz lange langer länger lassen laut leicht letzte letzten links liegt lösen machen "
    "macht maximal mehr meist meisten mindestens minute minuten möchte möglich monat monate monaten morgen nächste nächsten "
    "name neben nehmen neue neuen nichts niemals niemand nutzen nutzt oben offen öfter passiert problem rechts richtig sache "
    "sagen sagt schlecht schnell schneller schon schwer sehen seite sicher später stand statt stehen steht stellen stunde "
    "stunden suche suchen tage tagen teil teile trotz unten unterschied ungefähr verwenden verwendet verfügbar vielleicht "
    "voll vorher wechseln wegen weil weit weiter weniger wenig wert wichtig wieder wirklich wissen woche wochen wollen "
    "zahl zeigen zeit zuerst zuletzt zurück zusammen zweite",
    "es": "abrir acceder actual además ahora alguien alguna alguno antiguo aparece aplica aplicar ayuda ayudar bajo bastante "
    "bien buena bueno busca buscar cambia cambiar cambio casi claro completo conocer consigo cosa cosas correcto crear cuenta "
    "cuesta debe deben debería debo decir deja después detalle días dice diferencia diferente difícil disponible duración "
    "dura durar ejemplo empezar encontrar encuentra encuentro entonces enviar error escribir espera existe existen explica "
    "fácil falta fecha final forma funciona funcionan funcionar general gracias gran grande grandes hace hacen hacer hacia "
    "hago hora horas igual importante incluye incluyen indica información largo larga lejos lento llamar llega llegar lleva "
    "lugar luego malo manera mayor mayoría mejor menor menos mismo mínimo minuto minutos modo momento mucha mucho muchos "
    "máximo necesita necesitan necesito ningún ninguna nombre nueva nuevo nunca número obtener ocurre parte pasa pasar pasos "
    "pequeño permite permiten persona poco posible precio pregunta primer primera primero problema pronto proceso propio "
    "próximo qué queda quiere quiero rápido razón realmente recibe recibir requiere saber sabes salir segundo segura seguro "
    "semana semanas siempre siguiente significa sirve sirven sitio sola solo tamaño tarda tardar tarde tiempo tipo tipos toma "
    "total trabajo tres último única único usar utiliza utilizar válido valor varios veces velocidad versión vida viene vuelve",
    "fr": "accéder actuel afin aide aider ainsi ajouter aller ancien année années appelle après arrive assez attendre "
    "aucune aujourd'hui beaucoup besoin bien bientôt bonne bonjour certain certains changer chercher choisir chose choses "
    "clair commencer complet comprendre compte connaître contient correct côté courte coûte créer date début demande demander "
    "dernier dernière derniers détail devient devrait différence différent différents difficile dire disponible durée dure "
    "encore ensemble ensuite entier envoyer erreur exemple existe expliquer exige facile façon fait fois fonctionne "
    "fonctionner fort gauche général genre grand grande grands gros habituel haut heure heures hier ici important indique "
    "information inclus jamais jour jours laisser lent lieu ligne limite loin long longtemps longue lorsque maintenant "
    "manière marche mauvais maximum meilleur merci mettre mieux minimum minute minutes mois moins montrer nécessaire nombre "
    "nommer nouveau nouvelle nouveaux obtenir ouvrir parfois parler partie pas passe passer permet permettent personne petit "
    "petite plupart plusieurs possible pouvez pouvoir première premier prend prendre presque prix problème prochain propre "
    "quantité question quelqu'un rapide rapidement recevoir requis reste rien savoir semaine semaines sens seul seule "
    "seulement signifie simple souvent suffit suivant surtout taille tard tarif temps tôt toujours total travail trop trouve "
    "trouver type types unique utilise utiliser valable valeur veut veux vitesse vite voir vouloir vrai vraiment",
    "pt": "abrir acontece agora ajuda ajudar além algum alguma alguém antigo aparece aplica atual baixo bastante bem boa "
    "busca caso certo chama chega claro coisa coisas começa começar completo conhecer consigo contém correto criar custa "
    "custo data demora deve devem devo depois detalhe dia dias diferença diferente difícil disponível dizer duração dura "
    "encontra encontrar encontro enviar erro escolher espera exemplo existe existem explica fácil fala falta fazer faz feito "
    "ficar fim forma funciona funcionam funcionar geral grande grandes hoje hora horas igual importante inclui indica "
    "informação lado largo lento linha longe longo longa lugar maior maioria mal maneira melhor menor menos mês meses minuto "
    "minutos mínimo modo momento mostra muita muito muitos mudar máximo nada necessário nenhum nenhuma nome nova novo nunca "
    "número obter obrigado parte passa passo passos pequeno pergunta permite pessoa pouco possível precisa precisam preciso "
    "preço primeira primeiro problema processo próprio próximo quer quero quase rápido razão realmente recebe receber requer "
    "saber sabe sair segundo seguinte semana semanas sempre serve significa simples só sozinho tamanho tarde tempo tipo "
    "tipos total trabalho três última último única único usa usar utiliza utilizar válido valor vários velocidade versão vezes "
    "vida volta",
    "it": "adesso aiuto alcuni allora altra altri altro ancora anno anni aperto avviene bene bisogno breve buono cambia "
    "cambiare capire cerca cercare certo chiaro chiede cosa cose costa costo creare data davvero deve devono devo differenza "
    "diverso difficile dire disponibile domanda dura durata errore esempio esiste esistono facile fare fatto fine forma "
    "funziona funzionano generale giorni giorno giusto grande grandi grazie importante include indica informazioni inizia "
    "invece lento limite livello lontano luogo lunga lungo maggior maggiore male maniera massimo meglio meno mese mesi "
    "minimo minuti minuto modo molta molte molti molto mostra necessario nessun nessuno nome nulla numero nuova nuovo oggi "
    "ogni ora oppure ottenere parte passo permette persona piccolo poco possibile prezzo primo prima problema presto proprio "
    "prossimo puoi quasi qualcosa qualcuno rapido ricevere richiede sapere secondo seguente sempre serve servono settimana "
    "settimane significa simile solo spesso subito successo tardi tempo tipi tipo totale troppo trova trovare ultima ultimo "
    "unico usare utilizza utilizzare valido valore vedere veloce vero viene vita voglio volta volte vuole",
    "nl": "aantal alleen alles altijd anders antwoord begin begint bekend beschikbaar beste beter betekent bijna blijft "
    "brengen daarna dagen datum duidelijk duren duurt eerder eerste eigen einde elke enige extra fout gaan gaat gebruik "
    "gebruiken gebruikt gebeurt geeft geld gelijk genoeg geven gezegd gisteren goed goede groot grootte groter grote hele "
    "helpen helpt hoge hoog hulp iedere iemand iets inhoud jaar jaren klein kleine komen komt kort kosten kost krijg krijgen "
    "krijgt kwaad laat laatste lage lang lange langer later laten leven leggen makkelijk maken maak maakt maand maanden "
    "maximaal meest meeste minder minimaal minuten minuut misschien moeilijk mogelijk mogen morgen naam naast nemen niemand "
    "niets nieuw nieuwe nodig nooit nummer ongeveer open ooit oude plaats precies prijs probleem reden samen schrijven "
    "snel sneller snelheid soms soort soorten staan staat start steeds stap stappen stellen tijd tijdens totaal tussen "
    "tweede uren uur vaak vandaag vanaf veranderen verschil vinden vindt volgende vragen vraag waarde week weken weten weinig "
    "werk werken werkt wijze willen woord zeggen zegt zeker zelf zien zoals zoek zoeken",
}
