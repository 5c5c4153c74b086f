/** The configuration of another program as text: JSON, also with comments, YAML or TOML. */

import { COMMA, endOfString, QUOTE } from '../../base/json/scan.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { readJson } from './json.ts'
import { broken, toPlain } from './plain-data.ts'
import { readYaml } from './yaml.ts'

/** Largest text in characters in which comments are looked for; a larger one must be plain JSON. */
const COMMENTED_CHARS_MAX = 4 * 1024 ** 2
/** Largest TOML in characters. */
const TOML_CHARS_MAX = 512 * 1024
/** Tables inside each other. */
const TOML_DEPTH_MAX = 100

const JSON_START = /^\s*(?:[{[]|\/[/*])/
/** Empty lines and comments. */
const TOML_SKIPPED = /^(?:[ \t]*(?:#[^\n]*)?\r?\n)*/
/** A header of a table, or a key with its value. */
const TOML_START = /^[ \t]*(?:\[\[?[^[\],{}\n]+\]\]?[ \t]*(?:#[^\n]*)?\r?(?:\n|$)|[\w."'-]+[ \t]*=)/

/** An object of a text or an object. Refuses with `document_invalid`; the reason holds nothing of the text but places. */
export async function readConfiguration(given: string | Plain): Promise<Plain> {
  if (typeof given !== 'string') return readObject(given)
  const text = given.replace(/^\uFEFF/, '')
  if (TOML_START.test(text.slice(TOML_SKIPPED.exec(text)![0].length))) return readToml(text)
  const mayHaveComments = JSON_START.test(text) && text.length <= COMMENTED_CHARS_MAX
  return readObject(mayHaveComments ? withoutComments(text) : text)
}

async function readToml(text: string): Promise<Plain> {
  if (text.length > TOML_CHARS_MAX) throw broken('', `TOML larger than ${TOML_CHARS_MAX} characters`)
  // Loaded by the first file in TOML: few are
  const { parse, TomlError } = await import('smol-toml')
  try {
    // Times become text
    return toPlain(JSON.parse(JSON.stringify(parse(text, { maxDepth: TOML_DEPTH_MAX })))) as Plain
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // Its message shows lines of the file, which may hold secrets
    throw broken('', `not TOML: line ${error.line}, column ${error.column}`)
  }
}

// Reads JSON with comments and trailing commas, as editors and AI applications write it. Removed text becomes spaces, so that
// places in messages stay those of the file.

const SPACE = 0x20
const STAR = 0x2a
const SLASH = 0x2f

/** One pass in time linear in the text. A comment that does not end stays, and is no JSON. @param text of at most some MiB */
export function withoutComments(text: string): string {
  const taken = Buffer.from(text, 'utf16le')
  const take = (from: number, to: number): void => {
    for (let at = from; at < to; at++) if (!isSpace(text.charCodeAt(at))) taken.writeUInt16LE(SPACE, at * 2)
  }
  let comma = -1
  let at = 0
  while (at < text.length) {
    const code = text.charCodeAt(at)
    const end = code === SLASH ? endOfComment(text, at) : -1
    if (end !== -1) {
      take(at, end)
      at = end
      continue
    }
    if (!isSpace(code)) {
      if (comma !== -1 && (text[at] === '}' || text[at] === ']')) take(comma, comma + 1)
      comma = code === COMMA ? at : -1
    }
    at = code === QUOTE ? endOfString(text, at) : at + 1
  }
  return taken.toString('utf16le')
}

function isSpace(code: number): boolean {
  return code === SPACE || (code >= 0x09 && code <= 0x0d)
}

/** -1 where no comment begins, or it does not end. */
function endOfComment(text: string, start: number): number {
  const next = text.charCodeAt(start + 1)
  if (next === SLASH) {
    let end = start
    while (end < text.length && text[end] !== '\n' && text[end] !== '\r') end++
    return end
  }
  const end = next === STAR ? text.indexOf('*/', start + 2) : -1
  return end === -1 ? -1 : end + 2
}

/** Largest document in bytes of UTF-8; the largest public OpenAPI descriptions have some 40 MB. */
export const DOCUMENT_BYTES_MAX = 64 * 1024 ** 2
/** YAML costs some fifty times more to parse than JSON. */
const YAML_BYTES_MAX = 8 * 1024 ** 2

/** The value of a text of JSON or YAML. Refuses with `document_invalid` and a pointer. */
export function readText(text: string, bytesMax: number): unknown {
  const { form, source } = sourceOf(text, bytesMax)
  return form === 'json' ? readJson(source) : readYaml(source)
}

/** An object of a text or an object, whatever it says. Refuses as {@link readText} does. */
function readObject(given: string | Readonly<Record<string, unknown>>): Plain {
  if (typeof given !== 'string') return toPlain(given) as Plain
  const read = readText(given, DOCUMENT_BYTES_MAX)
  if (!isPlain(read)) throw broken('', 'an object is required')
  return read
}

function sourceOf(text: string, bytesMax: number): { form: 'json' | 'yaml'; source: string } {
  const bytes = Buffer.byteLength(text)
  if (bytes > bytesMax) throw broken('', `larger than ${bytesMax} bytes`)
  const start = /^\uFEFF?\s*/.exec(text)?.[0].length ?? 0
  if (start === text.length) throw broken('', 'empty')
  if (text[start] === '{' || text[start] === '[') return { form: 'json', source: text.slice(start) }
  if (bytes > YAML_BYTES_MAX) throw broken('', `YAML larger than ${YAML_BYTES_MAX} bytes; convert it to JSON`)
  return { form: 'yaml', source: text.replace(/^\uFEFF/, '') }
}
