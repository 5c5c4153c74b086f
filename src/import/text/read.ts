import { isPlain, type Plain } from '../../base/json/plain.ts'
import { readJson } from './json.ts'
import { broken, toPlain } from './plain-data.ts'
import { readYaml } from './yaml.ts'

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
export function readObject(given: string | Readonly<Record<string, unknown>>): Plain {
  if (typeof given !== 'string') return toPlain(given) as Plain
  const read = readText(given, DOCUMENT_BYTES_MAX)
  if (!isPlain(read)) throw broken('', 'an object is needed')
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
