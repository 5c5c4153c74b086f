/**
 * Stack traces of a bundle name sources and their lines. Maps are read when the first trace is made: Node itself would read them
 * with each module, which takes a quarter of the start of a thread and 20 MB of it.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { SourceLines } from './source-map.ts'

const HERE = new URL('.', import.meta.url).href
/** By the URL of a file of the bundle; null for one without a map. */
const maps = new Map<string, SourceLines | null>()

function mapOf(url: string): SourceLines | null {
  let map = maps.get(url)
  if (map === undefined) {
    map = readMap(`${fileURLToPath(url)}.map`)
    maps.set(url, map)
  }
  return map
}

/** A map that cannot be read must not take the place of the error that is told. */
function readMap(path: string): SourceLines | null {
  try {
    return new SourceLines(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return null
  }
}

/** A line of a trace, with the place in the source where it has one. */
function described(call: NodeJS.CallSite): string {
  const text = String(call)
  const [url, line, column] = [call.getFileName(), call.getLineNumber(), call.getColumnNumber()]
  if (!url?.startsWith(HERE) || line === null || column === null) return text
  const place = mapOf(url)?.find(line - 1, column - 1) ?? null
  if (place === null) return text
  const source = new URL(place.source, url).href
  return text.replace(`${url}:${line}:${column}`, () => `${source}:${place.line + 1}:${place.column + 1}`)
}

Error.prepareStackTrace = (error, calls) =>
  [String(error), ...calls.map((call) => `    at ${described(call)}`)].join('\n')
