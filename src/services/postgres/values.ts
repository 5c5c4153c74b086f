/** Values of PostgreSQL as JSON, from the text in which the server writes them. `pg_type.dat` of PostgreSQL has the numbers. */

export type FromText = (text: string) => unknown

const asText: FromText = (text) => text

/** A number that JSON would not give exactly stays text. */
const toWhole: FromText = (text) => {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : text
}

/** `NaN` and `Infinity` stay text. */
const toFloat: FromText = (text) => {
  const number = Number(text)
  return Number.isFinite(number) ? number : text
}

const toBoolean: FromText = (text) => text === 't'
const toJson: FromText = (text) => JSON.parse(text) as unknown
/** `\x` and hexadecimal digits. */
const toBase64: FromText = (text) => Buffer.from(text.slice(2), 'hex').toString('base64')
/** RFC 3339, from `2026-05-01 00:00:00+00`; `infinity` and years before 1 stay as they are. */
const toTime: FromText = (text) =>
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?(\+00)?$/.test(text)
    ? text.replace(' ', 'T').replace('+00', 'Z')
    : text

/** By the number of the type, and that of its arrays. */
const TYPES: readonly (readonly [type: number, array: number, read: FromText])[] = [
  [16, 1000, toBoolean],
  [17, 1001, toBase64],
  [20, 1016, toWhole],
  [21, 1005, toWhole],
  [23, 1007, toWhole],
  [26, 1028, toWhole],
  [25, 1009, asText],
  [1043, 1015, asText],
  [1042, 1014, asText],
  [19, 1003, asText],
  [114, 199, toJson],
  [3802, 3807, toJson],
  [700, 1021, toFloat],
  [701, 1022, toFloat],
  [1700, 1231, asText],
  [1082, 1182, asText],
  [1083, 1183, asText],
  [1114, 1115, toTime],
  [1184, 1185, toTime],
  [2950, 2951, asText],
]

const READERS: ReadonlyMap<number, FromText> = new Map(
  TYPES.flatMap(([type, array, read]): [number, FromText][] => [
    [type, read],
    [array, (text) => arrayOf(text, read)],
  ]),
)

/** How values of a type are read. Types that are not known stay text. */
export function valueReader(type: number): FromText {
  return READERS.get(type) ?? asText
}

/**
 * An array as PostgreSQL writes it (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO). What is none stays text. Bounds
 * other than 1 are left out.
 */
export function arrayOf(text: string, read: FromText): unknown {
  const from = text.startsWith('[') ? text.indexOf('=') + 1 : 0
  const stack: unknown[][] = []
  let at = from
  for (;;) {
    const char = text[at]
    if (char === '{') {
      stack.push([])
      at++
    } else if (char === '}' || char === ',') {
      at++
      if (char === ',') continue
      const list = stack.pop()
      if (list === undefined) return text
      const outer = stack.at(-1)
      if (outer === undefined) return at === text.length ? list : text
      outer.push(list)
    } else {
      const list = stack.at(-1)
      const item = char === undefined || list === undefined ? null : itemAt(text, at)
      if (item === null) return text
      list!.push(item.value === null ? null : read(item.value))
      at = item.end
    }
  }
}

const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"/y
const PLAIN = /[^",{}]+/y

/** Null where there is none. */
function itemAt(text: string, at: number): { readonly value: string | null; readonly end: number } | null {
  const isQuoted = text[at] === '"'
  const pattern = isQuoted ? QUOTED : PLAIN
  pattern.lastIndex = at
  const found = pattern.exec(text)
  if (found === null) return null
  const end = pattern.lastIndex
  if (isQuoted) return { value: found[1]!.replace(/\\([\s\S])/g, '$1'), end }
  return { value: found[0] === 'NULL' ? null : found[0], end }
}
