/**
 * Stack traces of a bundle name sources and their lines. Maps are read when the first trace is made: Node itself would read them
 * with each module, which takes a quarter of the start of a thread and 20 MB of it.
 */
import { existsSync, readFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { fileURLToPath } from 'node:url'

const HERE = new URL('.', import.meta.url).href
/** By the URL of a file of the bundle; null for one without a map. */
const maps = new Map<string, SourceMap | null>()

function mapOf(url: string): SourceMap | null {
  let map = maps.get(url)
  if (map === undefined) {
    const path = `${fileURLToPath(url)}.map`
    map = existsSync(path) ? new SourceMap(JSON.parse(readFileSync(path, 'utf8')) as SourceMapPayload) : null
    maps.set(url, map)
  }
  return map
}

/** A line of a trace, with the place in the source where it has one. */
function described(call: NodeJS.CallSite): string {
  const text = String(call)
  const [url, line, column] = [call.getFileName(), call.getLineNumber(), call.getColumnNumber()]
  if (!url?.startsWith(HERE) || line === null || column === null) return text
  const entry = mapOf(url)?.findEntry(line - 1, column - 1)
  if (entry === undefined || !('originalSource' in entry)) return text
  const source = new URL(entry.originalSource, url).href
  return text.replace(
    `${url}:${line}:${column}`,
    `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`,
  )
}

Error.prepareStackTrace = (error, calls) =>
  [String(error), ...calls.map((call) => `    at ${described(call)}`)].join('\n')
