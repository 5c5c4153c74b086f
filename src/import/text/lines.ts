/** Where the members of a document stand in its text. It is asked when something is wrong with a member. */
import { isCollection, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml'

/** Longer texts are not read again for a line. */
const TEXT_CHARS_MAX = 4 * 1024 ** 2

/**
 * The line, from 1, of what a JSON pointer leads to in one document of a text of YAML or JSON. Of a member that is not there, the line of
 * the nearest one above it. Null for a text that is too long or cannot be read.
 * @param index of the document in the text, from 0
 */
export function lineIn(text: string, index: number, pointer: string): number | null {
  if (text.length > TEXT_CHARS_MAX) return null
  const lines = new LineCounter()
  try {
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'silent',
    })
    const document = Array.isArray(documents) ? documents[index] : undefined
    const offset = document === undefined ? null : offsetOf(document.contents, stepsOf(pointer))
    return offset === null ? null : lines.linePos(offset).line
  } catch {
    // The text was read before, and only a line is missing
    return null
  }
}

function stepsOf(pointer: string): string[] {
  return pointer === ''
    ? []
    : pointer
        .slice(1)
        .split('/')
        .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The offset of the key or item that the steps lead to, as far as they lead. */
function offsetOf(contents: unknown, steps: readonly string[]): number | null {
  let at = contents
  let offset = isNode(at) ? (at.range?.[0] ?? null) : null
  for (const step of steps) {
    if (!isCollection(at)) return offset
    const found: unknown = isSeq(at)
      ? at.items[Number(step)]
      : at.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === step)
    if (found === undefined) return offset
    const named = isMap(at) && isPair(found) ? found.key : found
    if (isNode(named) && named.range != null) offset = named.range[0]
    at = isPair(found) ? found.value : found
  }
  return offset
}
