/**
 * Header fields in a block of lines that each end in CRLF, as the wire hands them over. Names are asked for in lower
 * case.
 */

/** The first value of a header; undefined when it is not there. */
export function firstFieldValue(lines: string, name: string): string | undefined {
  const at = lineOf(lines, name, 0)
  return at === -1 ? undefined : valueAt(lines, name, at)
}

/** Values of a header in their order; empty when it is not there. */
export function fieldValues(lines: string, name: string): string[] {
  const values: string[] = []
  for (let at = lineOf(lines, name, 0); at !== -1; at = lineOf(lines, name, nextLine(lines, at)))
    values.push(valueAt(lines, name, at))
  return values
}

/** All values of a header as one, joined as RFC 9110 5.3 allows; undefined when it is not there. */
export function fieldValue(lines: string, name: string): string | undefined {
  const values = fieldValues(lines, name)
  return values.length === 0 ? undefined : values.join(', ')
}

/**
 * A function that reads the headers of these names from a block, in one pass. The result has them in the order of their
 * first lines; values of a repeated header are joined by `, ` (RFC 9110 section 5.3).
 */
export function createFieldReader(names: readonly string[]): (lines: string) => Record<string, string> {
  // Most lines have a name of another length than all of these: nothing is cut out of them
  const byLength = Map.groupBy(names, ({ length }) => length)
  const longest = Math.max(...byLength.keys())
  const candidates = Array.from({ length: longest + 1 }, (_, length) => byLength.get(length) ?? null)
  return (lines) => {
    const found: Record<string, string> = {}
    let next = 0
    for (let at = 0; at < lines.length; at = next) {
      next = nextLine(lines, at)
      const colon = lines.indexOf(':', at)
      if (colon === -1) break
      const among = colon - at > longest ? null : candidates[colon - at]!
      if (among === null) continue
      const sent = lines.slice(at, colon).toLowerCase()
      const name = among.find((one) => one === sent)
      if (name === undefined) continue
      const value = lines.slice(colon + 1, next).trim()
      const before = found[name]
      found[name] = before === undefined ? value : `${before}, ${value}`
    }
    return found
  }
}

function valueAt(lines: string, name: string, at: number): string {
  const end = lines.indexOf('\r\n', at)
  return lines.slice(at + name.length + 1, end === -1 ? lines.length : end).trim()
}

/** Where the next line of this name begins, at or after the line that begins at `from`; -1 when none does. */
function lineOf(lines: string, name: string, from: number): number {
  for (let at = from; at < lines.length; at = nextLine(lines, at)) {
    const end = at + name.length
    if (lines.charCodeAt(end) === 0x3a && lines.slice(at, end).toLowerCase() === name) return at
  }
  return -1
}

function nextLine(lines: string, at: number): number {
  const end = lines.indexOf('\r\n', at)
  return end === -1 ? lines.length : end + 2
}
