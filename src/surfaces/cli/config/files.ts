import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { isPlain, type Plain } from '../../../base/json/storable.ts'
import { Refusal } from '../../../base/refusal.ts'
import { lineIn } from '../../../import/text/lines.ts'
import { readYamlStream } from '../../../import/text/yaml.ts'
import { UsageError } from '../exit.ts'
import { readText } from '../flags.ts'
import type { CliPorts } from '../ports.ts'
import { toYamlText } from '../structured-text.ts'
import { placeIn, type ReadonlyDocuments, type Source } from './sources.ts'

const DOCUMENT = /\.(ya?ml|json)$/

/**
 * The documents of files, of directories with all that lies below, and of standard input (`-`).
 * @throws UsageError where a file cannot be read or holds something else.
 */
export async function readFiles(ports: CliPorts, paths: readonly string[]): Promise<ReadonlyDocuments> {
  const documents: Plain[] = []
  const sources: Source[] = []
  for (const file of paths.flatMap(filesOf)) {
    const name = file === '-' ? 'standard input' : file
    const text = await readText(ports, file)
    for (const { value, index, pointer } of parse(text, name)) {
      const lineOf = (inner: string): number | null => lineIn(text, index, pointer + inner)
      const source = { name, lineOf }
      if (!isPlain(value))
        throw new UsageError(`${placeIn(source, '')}: a document must be an object with kind, slug and spec.`)
      documents.push(value)
      sources.push(source)
    }
  }
  return { documents, sources }
}

/** The files that a path stands for, in the order of their names: of a directory none whose name, or that of a directory on the way, starts with a dot. */
export function filesOf(path: string): readonly string[] {
  if (path === '-' || statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path]
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => DOCUMENT.test(name) && !name.split(sep).some((part) => part.startsWith('.')))
    .map((name) => join(path, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true)
    .sort()
}

/** A value of a text, with the document and the place in it. */
interface Placed {
  readonly value: unknown
  readonly index: number
  readonly pointer: string
}

/** The values of a text; lists hold documents, too, and empty documents are none. */
function parse(text: string, name: string): Placed[] {
  try {
    const values: unknown[] = /^\s*[[{]/.test(text) ? parseEither(text) : readYamlStream(text)
    return values
      .flatMap((value, index): Placed[] =>
        Array.isArray(value)
          ? value.map((item: unknown, at) => ({ value: item, index, pointer: `/${at}` }))
          : [{ value, index, pointer: '' }],
      )
      .filter(({ value }) => value !== null)
  } catch (error) {
    if (error instanceof Refusal) throw new UsageError(`${name}: ${error.message}`)
    throw error
  }
}

/** JSON is YAML, too, but its own parser is many times faster. */
function parseEither(text: string): unknown[] {
  try {
    return [JSON.parse(text)]
  } catch {
    return readYamlStream(text)
  }
}

/** The name of a set where none is given: that of the only file or directory. */
export function setNameOf(paths: readonly string[]): string {
  const [only] = paths
  if (paths.length !== 1 || only === undefined || only === '-') return 'default'
  const name = basename(resolve(only))
    .replace(DOCUMENT, '')
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
  return /^[A-Za-z0-9]/.test(name) ? name.slice(0, 120) : 'default'
}

interface Document {
  readonly kind: string
  readonly slug: string
  readonly spec: Plain
}

/** Documents as YAML, one after the other. */
export function toYaml(documents: readonly Document[]): string {
  return documents.map((one) => `---\n${toYamlText(one, 0)}`).join('')
}

/** Writes each document into a file of its own, such as `proxy/orders/get-order.yaml`. Gives their number. */
export function writeFiles(
  directory: string,
  documents: readonly Document[],
  parentOf: (document: Document) => string | null,
): void {
  for (const document of documents) {
    const parent = parentOf(document)
    const steps = [document.kind, ...(parent === null ? [] : [parent]), document.slug]
    // They come from the server, and name files here
    if (!steps.every((step) => /^[a-z0-9][a-z0-9_-]{0,63}$/.test(step)))
      throw new Error(`The server returned a document whose name cannot be a file name: ${steps.join('/')}.`)
    const file = `${join(directory, ...steps)}.yaml`
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, toYamlText(document, 0))
  }
}
