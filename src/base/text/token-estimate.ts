/**
 * Estimates how many tokens a text has for a model, after the encoding o200k_base. It needs no vocabulary: it splits text as the
 * encoding does, and guesses how many tokens a piece has from its length. The result is for people and budgets, never for a bill.
 */

/** Pieces that the encoding never joins: a word with the space before it, up to three digits, line ends, signs, white space. */
const PIECES = / ?[A-Za-z]+| ?[\p{L}\p{M}]+|[0-9]{1,3}| ?[^\s\p{L}\p{M}0-9]+|\s*[\r\n]+|\s+(?!\S)|\s/gu
/** Parts of a word in camel case. */
const PARTS = /[A-Z]*[a-z]+|[A-Z]+/g
/** Scripts that are written without spaces. */
const DENSE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u

/** Letters of a word that are one token in English, and letters of each further token. */
const WORD = { first: 12, more: 4 } as const
/** Characters between two words of JSON that are one token, and of each further token. */
const SIGNS = { first: 4, more: 3 } as const
/** Letters of a token in other scripts. */
const LETTERS_PER_TOKEN = 3

/** Tokens of the text; 0 for an empty one. Takes time linear in its length. */
export function estimateTokens(text: string): number {
  let tokens = 0
  for (const [piece] of text.matchAll(PIECES)) tokens += tokensOf(piece)
  return tokens
}

function tokensOf(piece: string): number {
  const last = piece.charCodeAt(piece.length - 1)
  if ((last >= 97 && last <= 122) || (last >= 65 && last <= 90)) {
    let tokens = 0
    for (const [part] of piece.matchAll(PARTS)) tokens += stepsOf(part.length, WORD)
    return tokens
  }
  if (last > 127) return DENSE.test(piece) ? piece.length : Math.ceil(piece.length / LETTERS_PER_TOKEN)
  return last <= 32 || (last >= 48 && last <= 57) ? 1 : stepsOf(piece.length, SIGNS)
}

function stepsOf(length: number, { first, more }: { readonly first: number; readonly more: number }): number {
  return length <= first ? 1 : 1 + Math.ceil((length - first) / more)
}
