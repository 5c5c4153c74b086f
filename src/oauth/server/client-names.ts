/** Signs of other scripts, digits and marks that people read as letters of "postern". */
const LOOKS_LIKE: Readonly<Record<string, string>> = {
  ...signs('p', 'рρᴘ'),
  ...signs('o', '0оοօσᴏ'),
  ...signs('s', '5$ѕꜱ'),
  ...signs('t', '7+тτᴛ'),
  ...signs('e', '3еєεᴇ'),
  ...signs('r', 'гʀ'),
  ...signs('n', 'пηոɴи'),
  // Side by side they look like one
  m: 'rn',
}

function signs(letter: string, likes: string): Record<string, string> {
  return Object.fromEntries([...likes].map((like) => [like, letter]))
}

/**
 * True for a name by which a client could be taken for Postern itself, whatever the case, spaces, invisible characters, accents or
 * letters of other scripts in it.
 */
export function isReservedName(name: string): boolean {
  let read = ''
  for (const sign of name.normalize('NFKD').toLowerCase()) {
    const letter = LOOKS_LIKE[sign] ?? sign
    if (/^[a-z]+$/.test(letter)) read += letter
  }
  return read.includes('postern')
}
