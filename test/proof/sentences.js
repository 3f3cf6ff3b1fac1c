// Sentences put together from lists of words, in four languages: sense is not asked for, only variety of sounds.

const words = (text) => text.trim().split(/\s*,\s*/);

const ENGLISH = {
  who: words(`my neighbour, the old baker, a tired nurse, her youngest brother, the fisherman, our teacher, nobody,
    the blue parrot, Charlotte, Mister Jones, every second visitor, the judge, a stranger, that clever child,
    the orchestra, your uncle George, the whole village, a yellow taxi, the shepherd, Victoria, some engineers`),
  did: words(`carried, forgot, painted, borrowed, measured, has always wanted, sold, will never find, dropped,
    brought back, quietly opened, broke, hid, would rather keep, photographed, could hardly see, pushed,
    exchanged, washed, is looking for, described, threw away, enjoyed, should have mended, chose, followed`),
  what: words(`the wooden ladder, a bowl of cherries, five thick books, the garden gate, an orange jacket, the map,
    three hundred and twelve letters, the broken clock, his violin, a pair of gloves, the kitchen window,
    zinc buckets, the last loaf of bread, fresh mushrooms, an enormous cheese, those photographs, the ship,
    a quiet horse, eleven umbrellas, the oldest bridge, a feather, the church bells, warm socks, this puzzle`),
  where:
    words(`under the stairs, beyond the river, at the railway station, in front of the theatre, on Thursday,
    during the storm, before breakfast, near the harbour, without a word, because it was raining,
    for twenty six pounds, after the second half, with both hands, behind the cathedral, at half past nine,
    as fast as possible, in the middle of July, while the others were asleep, between the hedges, upstairs`),
  ask: words(`why does the water taste of iron, could you show me the shortest way to the museum, who left the gate open,
    how many eggs do you usually buy, what is the colour of your father's car, is there any soup left,
    where did you hide the scissors, which of these two roads leads north, would you mind closing the door,
    when does the next ferry leave, has anybody seen my glasses, do you know how deep the lake is,
    shall we have tea now or later, whose dog is barking over there, are these seats free`),
  tell: words(`please add two spoons of sugar, turn left after the chapel, call me back when you are ready,
    put the heavy box over there, let us go for a walk, write the numbers on the blackboard, do not touch the paint,
    take off your shoes, pour the milk slowly, read the first chapter aloud, switch off the heating,
    choose whichever you like, hold the rope and jump, wait until the light is green, bring an extra blanket`),
};

const GERMAN = {
  who: words(`der Gärtner, meine Schwester, ein junger Arzt, die Nachbarin, das kleine Mädchen, unser Lehrer, niemand,
    der Schornsteinfeger, eine fremde Frau, Herr Krüger, die Köchin, jeder zweite Gast`),
  did: words(`sucht, verkauft, vergisst, zeichnet, öffnet, braucht, findet, verschenkt, bewundert, repariert, trägt,
    fotografiert, versteckt, zählt`),
  what: words(`einen grünen Koffer, das alte Fahrrad, zwölf Äpfel, die Schlüssel, den höchsten Turm, eine Geige,
    fünfundzwanzig Briefe, die schwere Tür, frisches Brot, den Hund, ein Stück Käse, zwei Pfund Kirschen`),
  where:
    words(`am Bahnhof, hinter der Kirche, jeden Donnerstag, ohne ein Wort, kurz vor Mitternacht, im Garten,
    wegen des Regens, auf der Brücke, mit großer Mühe, zum ersten Mal, zwischen den Häusern`),
  ask: words(`wie spät ist es eigentlich, wo haben Sie das gekauft, warum fährt der Zug nicht, wer kommt heute Abend mit,
    könnten Sie bitte das Fenster schließen, was kostet ein Kilo Zwiebeln, wohin führt dieser Weg`),
  tell: words(`bitte geben Sie mir das Salz, fahren Sie an der Ampel rechts, komm schnell herein, schreib mir bald wieder,
    zieh die Jacke an, lass uns morgen darüber sprechen, mach endlich das Licht aus`),
};

const FRENCH = {
  who: words(`le boulanger, ma voisine, un jeune peintre, la vieille dame, notre professeur, le chat gris, personne ne,
    une étudiante, monsieur Bernard, chaque voyageur, le jardinier, ta cousine`),
  did: words(
    `cherche, oublie, vend, regarde, ouvre, achète, trouve, mange, dessine, répare, choisit, perd, compte`,
  ),
  what: words(`une valise rouge, le pont de pierre, douze oeufs frais, la clé du jardin, un grand parapluie, les montagnes,
    quatre-vingt-dix-neuf lettres, le journal, deux bouteilles de vin, un morceau de fromage, des chaussures neuves`),
  where:
    words(`devant la gare, sous la pluie, tous les jeudis, sans rien dire, derrière l'église, avant midi, au bord du lac,
    pendant l'orage, avec beaucoup de patience, depuis longtemps, dans la cuisine`),
  ask: words(`où se trouve la bibliothèque, combien coûte ce chapeau, pourquoi le train est-il en retard,
    voulez-vous encore du café, qui a fermé la porte, quelle heure est-il`),
  tell: words(`tournez à gauche au feu, donnez-moi une feuille de papier, attends-moi devant le cinéma,
    prenez la deuxième rue, raconte-nous une histoire, éteignez la lumière en sortant`),
};

const SPANISH = {
  who: words(`el panadero, mi hermana mayor, un viejo marinero, la profesora, nuestro vecino, nadie, la gata blanca,
    el ingeniero, una muchacha, don Guillermo, cada viajero, tu primo`),
  did: words(
    `busca, olvida, vende, mira, abre, compra, encuentra, dibuja, arregla, pierde, esconde, cuenta, recoge`,
  ),
  what: words(`una maleta verde, el puente de hierro, doce huevos, las llaves del coche, un paraguas enorme, la guitarra,
    setenta y ocho cartas, el periódico, dos botellas de agua, un trozo de queso, los zapatos nuevos`),
  where:
    words(`en la estación, bajo la lluvia, todos los jueves, sin decir nada, detrás de la iglesia, antes de cenar,
    junto al río, durante la tormenta, con mucha paciencia, desde hace años, en la cocina`),
  ask: words(`dónde está la biblioteca, cuánto cuesta este sombrero, por qué llega tarde el tren, quiere usted más café,
    quién cerró la puerta, qué hora es`),
  tell: words(`gire a la izquierda, deme una hoja de papel, espérame delante del cine, tome la segunda calle,
    cuéntanos una historia, apague la luz al salir`),
};

const LANGUAGES = { en: ENGLISH, de: GERMAN, fr: FRENCH, es: SPANISH };

/**
 * A sentence or two: a statement, alone or with a question or a request beside it.
 * @param {import('./random.js').Random} random
 * @param {'en' | 'de' | 'fr' | 'es'} language
 */
export function sentence(random, language) {
  const { who, did, what, where, ask, tell } = LANGUAGES[language];
  const statement = `${random.pick(who)} ${random.pick(did)} ${random.pick(what)}`;
  switch (random.whole(0, 4)) {
    case 0:
      return `${random.pick(ask)}? ${statement}.`;
    case 1:
      return `${random.pick(tell)}, ${statement}.`;
    default:
      return `${statement} ${random.pick(where)}.`;
  }
}
