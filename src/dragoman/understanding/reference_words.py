"""Words that point back into a conversation, words that continue it, and words that only make conversation.

Lower case, as written. A language that is missing here is still served: a very short question counts as a follow-up in
every language.
"""

from __future__ import annotations

import re
from typing import Final

# Pronouns, demonstratives and adverbs that stand for something said before. Articles that look alike (French "le",
# German "die") are left out: nearly every question holds one.
POINTING: Final = {
    "ar": "هذا هذه ذلك تلك هؤلاء أولئك هذان هاتان هو هي هم هما هن هناك هنالك نفسه نفسها كلاهما لها له لهم فيه فيها "
    "منه منها عنه عنها به بها عليه عليها إليه إليها معه معها بذلك لذلك ذاك",
    "cs": "on ona ono oni jeho její jejich ho mu ji jím jimi to toto tento tato tyto ten ta ti ty tam tady oba obě jiný "
    "stejný toho tom tím",
    "da": "den det de dem deres dette denne disse der han hun ham hende begge andre samme deraf dertil",
    "de": "er es ihn ihm ihnen dies diese diesem diesen dieser dieses jene jenem jenen jener jenes davon dafür damit "
    "darauf daraus dazu daran darin dabei dadurch darüber darum darunter dagegen danach davor dahin dort derselbe "
    "dieselbe dasselbe denselben demselben derselben beide beiden beides andere anderen anderer anderes sonst solche solchen "
    "solcher dessen deren letztere letzterer erstere ersterer ebenfalls hierfür hierzu hiervon hiermit",
    "el": "αυτό αυτά αυτός αυτή αυτές αυτοί εκείνο εκείνη εκεί του της τους ίδιο ίδια άλλο άλλα",
    "en": "it its itself they them their theirs themselves this that these those he she him her his hers one ones "
    "here such same both either neither former latter other others another else instead thereof therefore "
    "first second third last previous above too also",
    "es": "él ella ello ellos ellas eso esa ese esos esas esto este esta estos estas aquello aquel aquella allí ahí "
    "allá su sus suyo suya mismo misma mismos mismas ambos ambas otro otra otros otras lo le les también dicho dicha",
    "fi": "se ne niitä sitä siitä siihen sen niiden tämä tätä nämä tuo nuo siellä molemmat muut sama samat",
    "fr": "il elle ils elles ce ça cela ceci celui celle ceux celles cet cette ces en y leur leurs lui eux là même "
    "mêmes autre autres ses son sa dernier dernière celui-ci celle-ci ceux-ci aussi",
    "he": "זה זאת אלה הוא היא הם הן שלו שלה שלהם שם אותו אותה אותם",
    "hi": "यह ये वह वे इस इसे इसका इसके इसकी इसमें इससे इन इनका इनके इनकी इनमें उस उसे उसका उसके उसकी उसमें उन उनका उनके "
    "उनकी उनमें वहाँ वहां यहाँ यहां दोनों दूसरा दूसरे दूसरी वही यही ऐसा ऐसे ऐसी",
    "hu": "ez ezek az azok ezt azt ennek annak ebben abban ott itt ő ők mindkettő másik ugyanaz",
    "id": "itu ini tersebut nya dia mereka sana situ keduanya lain lainnya sama",
    "it": "esso essa essi esse egli lui lei loro ciò questo questa questi queste quello quella quelli quelle quel suo "
    "sua suoi sue ne ci là lì stesso stessa stessi stesse altro altra altri altre entrambi entrambe li anche",
    "ja": "それ これ あれ その この あの それら これら そこ ここ あそこ そちら こちら 彼 彼女 彼ら 同じ 前者 後者 "
    "両方 他の ほかの 上記",
    "ko": "그것 이것 저것 그거 이거 그건 이건 그게 이게 그들 거기 여기 둘다 같은 다른",
    "nl": "hij zij ze hem haar hun dit deze die dat daar daarvan daarvoor daarmee daarop daarin daarbij ervan ervoor "
    "ermee erop erin beide beiden ander andere anderen zelfde hetzelfde dezelfde hiervoor hiervan zulke ook",
    "no": "den det de dem deres dette denne disse der han hun ham henne begge andre samme",
    "pl": "on ona ono oni one jego jej ich go mu im to ten ta te tego tej tych tym tam tutaj oba obie inny inne taki "
    "sam",
    "pt": "ele ela eles elas isso isto aquilo esse essa esses essas este esta estes estas aquele aquela dele dela deles "
    "delas nele nela disso disto nisso nisto neste nesta nesse nessa desse dessa deste desta lá ali aí seu sua seus "
    "suas outro outra outros outras mesmo mesma ambos ambas também",
    "ro": "el ea ei ele acesta aceasta acestea acela aceea acolo lui lor său sa ambele altul alta același aceeași",
    "ru": "он она оно они его её ее ему ей им их них нём нем ней него неё нее ними это этот эта эти этого этой этому "
    "этих этом этим тот та те того той тех тем там туда такой такая такое такие оба обе другой другая другие остальные "
    "тоже также",
    "sv": "den det de dem deras detta denna dessa där han hon honom henne båda andra samma",
    "th": "มัน นั้น นี้ นั่น นี่ เขา พวกเขา ที่นั่น เดียวกัน อื่น",
    "tr": "o onu onun ona onlar onları onların bu bunu bunun buna bunlar bunları bunların şu orada ikisi diğer "
    "diğeri aynı",
    "uk": "він вона воно вони його її їх їм це цей ця ці цього цієї цих той та ті того там такий такі обидва інший",
    "vi": "nó chúng họ này đó kia ấy đấy cùng khác cả_hai",
    "zh": "它 它们 他 她 他们 她们 这 那 这个 那个 这些 那些 其 该 此 这里 那里 这样 那样 上述 前者 后者 两者 同样 其他 其它 "
    "牠 這 這個 這些 它們 他們 那麼",
}

# Phrases whose pronoun stands for nothing.
EXPLETIVE: Final = {
    language: re.compile(pattern, re.IGNORECASE)
    for language, pattern in {
        "de": r"\b(?:gibt es|es gibt|geht es|ist es (?:möglich|nötig|erlaubt|sinnvoll|besser|wichtig)|"
        r"es (?:ist|wäre) (?:möglich|nötig|erlaubt|sinnvoll)|wie viele? .{0,20}gibt es)\b",
        "en": r"\b(?:is|was|would|will|isn['’]t) it (?:be )?(?:possible|necessary|required|allowed|mandatory|true|better|best|"
        r"important|ok|okay|safe|worth|legal|common|normal|hard|easy|bad|good)\b|"
        r"\bit(?: is|['’]s) (?:possible|necessary|required|true|better|best|important|safe)\b|\bso that\b|\bsuch as\b",
        "es": r"\b(?:lo que|lo más|es decir|esto es)\b",
        "fr": r"\b(?:est-ce qu[e'’]?|qu['’]est-ce que?|y a-t-il|il y a|faut-il|il faut|s['’]agit-il|"
        r"est-il (?:possible|nécessaire|obligatoire)|il est (?:possible|nécessaire)|s['’]il)",
        "it": r"\b(?:c['’]è|ci sono|ci vuole|ci vogliono|quello che|quelli che)",
        "nl": r"\b(?:is het (?:mogelijk|nodig|toegestaan)|zijn er|is er)\b",
        "pt": r"\b(?:é (?:possível|necessário)|isto é)\b",
    }.items()
}

# Capitalised, these address the one who answers.
POLITE: Final = {"de": "Sie Ihr Ihre Ihren Ihrem Ihrer Ihres Ihnen", "it": "Lei Suo Sua Suoi Sue"}

# A question that opens with one of these goes on with what was said before.
CONTINUING: Final = {
    "ar": "و أو لكن ماذا عن|وماذا عن|ماذا لو|وهل|وكيف|إذن|أيضا|حسنا|لماذا لا",
    "cs": "a|nebo|ale|co takhle|a co|takže|pak|dobře|proč ne",
    "da": "og|eller|men|hvad med|så|ok|hvorfor ikke",
    "de": "und|oder|aber|sondern|was ist mit|wie ist es mit|wie steht es mit|wie sieht es mit|wie wäre es mit|dann|also|"
    "ok|okay|gut|nein|ja|ich meine|ich meinte|nicht|warum nicht|auch|gilt das|außerdem",
    "en": "and|or|but|so|then|ok|okay|well|great|thanks|yes|no|not|what about|how about|what if|what else|why not|"
    "why so|how so|how come|also|i mean|i meant|sorry|excuse me|oops|which one|which ones|any other|anything else|"
    "tell me more|more|like what|for example|such as|same for|is that|does that",
    "es": "y|e|o|u|pero|qué tal|y qué|qué pasa con|qué hay de|entonces|pues|vale|bien|no|sí|quiero decir|quise decir|"
    "por qué no|también|además|y si",
    "fi": "ja|tai|mutta|entä|entäs|no|ok|miksi ei",
    "fr": "et|ou|mais|qu'en est-il|et pour|donc|alors|ok|d'accord|bien|non|oui|je veux dire|je voulais dire|"
    "pourquoi pas|aussi|et si|sinon",
    "hi": "और|या|लेकिन|तो|फिर|के बारे में क्या|ठीक|नहीं|हाँ|मेरा मतलब|भी",
    "hu": "és|vagy|de|mi a helyzet|akkor|miért nem",
    "id": "dan|atau|tapi|tetapi|bagaimana dengan|lalu|jadi|oke|kenapa tidak",
    "it": "e|ed|o|ma|che ne dici|e per|quindi|allora|ok|bene|no|sì|voglio dire|intendevo|perché no|anche|e se",
    "ja": "では|じゃあ|それでは|また|そして|でも|しかし|あと|他に|ほかに|ちなみに|つまり|だったら|なら",
    "ko": "그럼|그러면|그리고|또|하지만|그런데",
    "nl": "en|of|maar|hoe zit het met|wat met|hoe is het met|dan|dus|ok|oké|goed|nee|ja|ik bedoel|ik bedoelde|"
    "waarom niet|ook",
    "no": "og|eller|men|hva med|så|ok|hvorfor ikke",
    "pl": "i|a|lub|albo|ale|a co|co z|więc|ok|dobrze|dlaczego nie",
    "pt": "e|ou|mas|e quanto|e se|então|ok|bem|não|sim|quero dizer|quis dizer|por que não|também|que tal",
    "ro": "și|sau|dar|ce zici|atunci|deci|ok|de ce nu",
    "ru": "и|или|но|а|а что|как насчёт|как насчет|что насчёт|что насчет|тогда|значит|хорошо|ладно|нет|да|я имею в виду|"
    "я имел в виду|почему нет|также|ещё|еще|а если",
    "sv": "och|eller|men|hur är det med|då|så|ok|varför inte",
    "th": "แล้ว|และ|หรือ|แต่",
    "tr": "ve|ya da|veya|ama|peki|peki ya|ya|o zaman|tamam|neden olmasın",
    "uk": "і|й|та|або|але|а|а що|як щодо|тоді|добре|чому ні|також",
    "vi": "và|hoặc|nhưng|còn|vậy|thế",
    "zh": "那|那么|那麼|还有|還有|另外|而且|但是|可是|所以|好的|不是|也",
}

# What people say around a question. Content words by grammar, yet they tell nothing of its subject.
TALK: Final = {
    "ar": "أريد أرجو فضلك أخبرني شكرا مثال مثلا يمكن يمكنني أستطيع أعرف المزيد نعم لا شرح اشرح تفاصيل",
    "cs": "prosím děkuji chci řekněte více příklad vysvětlit mohu můžete",
    "de": "bitte danke möchte will sag sage sagen erzähl erzähle erklär erkläre erklären genau eigentlich mehr beispiel zeig zeige "
    "lange dauert dauern wissen kannst könnten geben meine frage ok okay gut brauche funktioniert geht gilt gelten bedeutet heißt machen tun",
    "en": "please thanks thank tell explain describe show give know want need like help mean means meant question ok okay "
    "yes yeah well great good thing things way something anything example examples let see say said ask asking think "
    "look got getting go going use using used make making work works really actually just much many lot oops sorry "
    "excuse difference different kind type types sort i'm i've i'd it's what's that's don't doesn't can't isn't there's "
    "didn't won't summarize happen happens possible able start started bit little best still even already "
    "provide find name list called understand talk mentioned",
    "es": "favor gracias quiero quisiera dime explica explicar más ejemplo saber necesito puedo podría decir muestra "
    "vale significa funciona hacer existe",
    "fr": "merci veux voudrais dites dis explique expliquer exemple savoir besoin pouvez pourriez peut-être donner "
    "montrer d'accord signifie fonctionne existe plaît",
    "hi": "कृपया धन्यवाद बताइए बताएं बताओ चाहता चाहिए उदाहरण समझाइए ज़्यादा अधिक मुझे",
    "it": "favore grazie voglio vorrei dimmi spiega spiegare esempio sapere bisogno potrebbe dire mostra significa "
    "funziona fare esiste",
    "ja": "教えて ください 下さい 説明 例 お願い 知りたい 場合 方法 何 どう どこ いつ なぜ",
    "nl": "graag bedankt wil vertel uitleg uitleggen voorbeeld weten nodig laten zien betekent werkt doen",
    "pl": "proszę dziękuję chcę powiedz wyjaśnij przykład więcej mogę wiedzieć",
    "pt": "favor obrigado obrigada quero gostaria diga explique explicar exemplo saber preciso poderia dizer mostre "
    "significa funciona fazer existe",
    "ru": "пожалуйста спасибо хочу расскажи расскажите объясни объясните пример нужно нужен нужна знать скажи скажите можете "
    "покажи значит работает сделать какие подробнее больше",
    "sv": "tack vill berätta förklara exempel behöver veta visa",
    "tr": "lütfen teşekkürler istiyorum anlat açıkla örnek bilmek gerekiyor söyle",
    "uk": "будь ласка дякую хочу розкажіть поясніть приклад потрібно знати скажіть",
    "zh": "请 谢谢 告诉 解释 说明 例如 例子 想 知道 需要 可以 能 吗 呢 什么 怎么 如何 怎样 哪些 哪个 多少 是否",
}

# Chinese writes its small words without spaces: what stands between them is content.
CHINESE_SMALL: Final = re.compile(
    "什么|怎么样|怎么|怎样|如何|哪些|哪个|哪里|多少|是否|是不是|有没有|可以|可不可以|能不能|能否|需要|请问|请|谢谢|告诉|解释|说明|例如|想要|想|知道|"
    "为什么|为何|我们|你们|他们|它们|她们|这些|那些|这个|那个|这里|那里|这样|那样|上述|前者|后者|两者|其他|其它|一个|一下|没有|还有|那么|"
    "什麼|怎麼|哪裡|為什麼|我們|你們|他們|它們|這些|這個|這裡|這樣|[的了吗呢吧啊是在有和与及或把被对从到给让就都也还很更最不没会能要用为于以之而且但则若等着过得地我你您他她它这那其该此嗎這與]"
)
