/** Names that a client may not choose, because people would take the client for Postern itself. */

/** The name that clients may not take, whatever it looks like. */
const RESERVED = 'postern'

/**
 * Signs that people read as letters of the reserved name, in lower case and after NFKD, which takes care of fullwidth,
 * circled, mathematical and other compatibility forms. Chosen from the confusables of Unicode (UTS #39,
 * confusables.txt) and from digits and signs that stand for letters.
 */
const LOOKS_LIKE: ReadonlyMap<string, string> = new Map([
  // Latin, Greek, Cyrillic, Armenian, Coptic, Cherokee, Lisu, Canadian syllabics, currency and other signs
  ...signs('p', 'рρϸþƿᴘƥᵽᶈꝑꝓꝕꟼⲣꮲꓑᑭᑬ₱₽℗¶ҏקᑷ'),
  ...signs('o', '0оοօσᴏøɵꝋꝍǫөѳθⲟꓳჿסہه०০੦૦௦౦೦൦๐໐၀〇°○◯●⭕๏'),
  ...signs('s', '5$ѕꜱꞩᵴᶊʂƨꙅՏꮪꓢᔕ§ร'),
  ...signs('t', '7+тτᴛŧƭʈƫᵵⲧꮖꮏꓔƬꭲ₮₸†⊤'),
  ...signs('e', '3еєεᴇɇəɘɛǝәҽеꮛᶒⲉꓰꭼ€ℇ∃⋿'),
  ...signs('r', 'гʀяɍɼɽɾɹꝛᵲᵳᶉꞧɿᴦꭱꮢꓣᖇր®'),
  ...signs('n', 'пηոռᴎɴиνπŋɲɳƞꞥᵰᶇⲛꓠᑎ₦∩лհղภ'),
  // Side by side they look like one
  ['m', 'rn'],
  ...letterBlock(0x1f150),
  ...letterBlock(0x1f170),
  ...letterBlock(0x1f1e6),
])

function signs(letter: string, likes: string): [string, string][] {
  return [...likes.toLowerCase()].map((like) => [like, letter])
}

/** The capitals from A to Z as white letters in circles, in squares, or as regional indicators. */
function letterBlock(start: number): [string, string][] {
  return Array.from({ length: 26 }, (_, i) => [
    String.fromCodePoint(start + i),
    String.fromCharCode(0x61 + i),
  ])
}

/** Signs within the reserved name that may be any letter or symbol beyond ASCII. */
const UNKNOWN_MAX = 2

/**
 * True for a name by which a client could be taken for Postern itself: whatever the case, spaces, punctuation, invisible
 * characters or accents in it, with letters of other scripts that look alike, and with up to {@link UNKNOWN_MAX}
 * other signs in the place of letters. The first and the last letter must be recognised, so that a
 * name such as "Poster ★" stays free.
 */
export function isReservedName(name: string): boolean {
  // The longest beginnings of the reserved name that end here: by their length, how many unknown signs they may still have
  let left = beginning()
  for (const letter of lettersOf(name)) {
    const next = beginning()
    for (let length = 0; length < RESERVED.length; length++) {
      const unknown = left[length]!
      if (unknown < 0) continue
      if (letter === RESERVED[length]) next[length + 1] = Math.max(next[length + 1]!, unknown)
      if (letter !== null) continue
      // Either a letter within the name, or an ornament between two letters
      if (length > 0 && length < RESERVED.length - 1)
        next[length + 1] = Math.max(next[length + 1]!, unknown - 1)
      next[length] = Math.max(next[length]!, unknown)
    }
    if (next[RESERVED.length]! >= 0) return true
    left = next
  }
  return false
}

function beginning(): number[] {
  return [UNKNOWN_MAX, ...Array<number>(RESERVED.length).fill(-1)]
}

/** What is read of a name: letters of ASCII, and null for a sign that could be any. */
function* lettersOf(name: string): Generator<string | null> {
  // Marks, blanks, punctuation and what is not shown stand between letters and change none
  for (const sign of name.normalize('NFKD').toLowerCase().normalize('NFKD')) {
    const known = LOOKS_LIKE.get(sign) ?? (/[a-z]/.test(sign) ? sign : undefined)
    if (known !== undefined) yield* known
    else if (/[\p{L}\p{N}\p{So}\p{Sm}\p{Sc}]/u.test(sign) && sign > '\u007f') yield null
  }
}
