import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { isPlain, type Plain } from '../../../base/json/storable.ts'
import { Refusal } from '../../../base/refusal.ts'
import { readYamlStream } from '../../../import/text/yaml.ts'
import { UsageError } from '../exit.ts'
import { readText } from '../flags.ts'
import type { CliPorts } from '../ports.ts'
import { toYamlText } from '../structured-text.ts'
import type { ReadonlyDocuments } from './sources.ts'

const DOCUMENT = /\.(ya?ml|json)$/

/**
 * The documents of files, of directories with all that lies below, and of standard input (`-`).
 * @throws UsageError where a file cannot be read or holds something else.
 */
export async function readFiles(ports: CliPorts, paths: readonly string[]): Promise<ReadonlyDocuments> {
  const documents: Plain[] = []
  const sources: string[] = []
  for (const file of paths.flatMap(filesOf)) {
    const name = file === '-' ? 'standard input' : file
    const values = parse(await readText(ports, file), name)
    for (const [index, value] of values.entries()) {
      if (!isPlain(value)) throw new UsageError(`${name}: a document is an object of kind, slug and spec.`)
      documents.push(value)
      sources.push(values.length === 1 ? name : `${name}[${index}]`)
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

/** The values of a text; lists hold documents, too, and empty documents are none. */
function parse(text: string, name: string): unknown[] {
  try {
    const values: unknown[] = /^\s*[[{]/.test(text) ? [parseEither(text)].flat() : readYamlStream(text)
    return values.flat().filter((value) => value !== null)
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
      throw new Error(`The server answered a document that no file can be named after: ${steps.join('/')}.`)
    const file = `${join(directory, ...steps)}.yaml`
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, toYamlText(document, 0))
  }
}
