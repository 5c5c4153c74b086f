/** JSON of values that may hold one large value at many places. */

/**
 * The JSON of a value; null if it is longer than `charsMax` characters. Its length is estimated before it is written, so a value
 * that is too long costs neither its memory nor its time. Bytes and functions are written as `JSON.stringify` writes them.
 */
export function jsonWithin(value: unknown, charsMax: number): string | null {
  if (!mayFit(value, charsMax)) return null
  // A value without JSON, such as undefined, stands for null
  const json = (JSON.stringify(value) as string | undefined) ?? 'null'
  return json.length <= charsMax ? json : null
}

/** False if the JSON of a value is longer than `charsMax` characters whatever it escapes. It costs no memory. */
export function mayFit(value: unknown, charsMax: number): boolean {
  return charsLeft(value, charsMax) >= 0
}

/** What is left of `left` characters after the JSON of a value, escapes not counted; negative if they do not suffice. */
function charsLeft(value: unknown, left: number): number {
  if (typeof value === 'string') return left - value.length - 2
  if (typeof value !== 'object' || value === null) return left - 1
  let rest = left - 2
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) {
      if (rest < 0) return rest
      rest = charsLeft(item, rest)
    }
    return rest
  }
  if (ArrayBuffer.isView(value)) return rest - value.byteLength
  for (const name of Object.keys(value)) {
    if (rest < 0) return rest
    rest = charsLeft((value as Record<string, unknown>)[name], rest - name.length - 3)
  }
  return rest
}
