/** Files of exports, by id. Only their own user may read them. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceOwnFile } from '../base/files.ts'

/** Bytes that are read at a time, when they are wanted. */
const PIECE_BYTES = 64 * 1024

/** What is kept under an id: a description, and bytes beside it. Only their own user may read them. */
export interface ExportFiles {
  /** All descriptions. Forgets what is none, and bytes without one. */
  descriptions(): readonly unknown[]
  describe(id: string, description: object): void
  /** Starts the bytes anew. */
  create(id: string): Promise<ExportWriter>
  /** Undefined when there are none. */
  size(id: string): number | undefined
  /** The bytes as they are pulled; the file is opened by the first pull. */
  read(id: string): ReadableStream<Uint8Array>
  removeBytes(id: string): void
  /** The description too. */
  remove(id: string): void
}

interface ExportWriter extends AsyncDisposable {
  write(text: string): Promise<void>
}

/** Files in a directory, which is made by the first that is kept. */
export function openExportFiles(directory: string): ExportFiles {
  const bytesAt = (id: string): string => join(directory, `${id}.data`)
  const descriptionAt = (id: string): string => join(directory, `${id}.json`)
  function prepare(): void {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    chmodSync(directory, 0o700)
  }
  function names(): readonly string[] {
    return statSync(directory, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(directory)
  }
  return {
    descriptions() {
      const found = new Map<string, unknown>()
      for (const name of names()) {
        if (!name.endsWith('.json')) continue
        const description = parse(readFileSync(join(directory, name), 'utf8'))
        if (description !== undefined) found.set(name.slice(0, -'.json'.length), description)
      }
      for (const name of names())
        if (!found.has(name.replace(/\.(json|data)$/, ''))) rmSync(join(directory, name), { force: true })
      return [...found.values()]
    },
    describe(id, description) {
      prepare()
      replaceOwnFile(descriptionAt(id), JSON.stringify(description))
    },
    async create(id) {
      prepare()
      const file = await open(bytesAt(id), 'w', 0o600)
      return {
        write: (text) => file.writeFile(text),
        [Symbol.asyncDispose]: () => file.close(),
      }
    },
    size: (id) => statSync(bytesAt(id), { throwIfNoEntry: false })?.size,
    read: (id) => piecesOf(bytesAt(id)),
    removeBytes: (id) => rmSync(bytesAt(id), { force: true }),
    remove(id) {
      rmSync(bytesAt(id), { force: true })
      rmSync(descriptionAt(id), { force: true })
    },
  }
}

/** What a text of JSON says; undefined when it is none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function piecesOf(path: string): ReadableStream<Uint8Array> {
  let file: FileHandle | undefined
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        file ??= await open(path)
        const { bytesRead, buffer } = await file.read(new Uint8Array(PIECE_BYTES))
        if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead))
        await file.close()
        controller.close()
      },
      cancel: () => file?.close(),
    },
    { highWaterMark: 0 },
  )
}
