/** The configuration of another program as text: JSON, also with comments, YAML or TOML. */
import type { Plain } from '../../base/json/plain.ts'
import { withoutComments } from './comments.ts'
import { broken, toPlain } from './plain-data.ts'
import { readObject } from './read.ts'

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
