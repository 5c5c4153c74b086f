/** Exports in files of the data directory. Only their own user may read them. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceOwnFile } from '../base/files.ts'
import { KeptExport } from '../model/record.ts'
import type { ExportStore, StoredExport } from '../store/ports/exports.ts'

/** Bytes that are read at a time, when they are wanted. */
const PIECE_BYTES = 64 * 1024

/**
 * Exports in a directory, which is made by the first that is kept. Takes up what an earlier process has left, and deletes there what
 * belongs to no export.
 * @param fault told when an export is not kept over a restart
 */
export function openExportFiles(directory: string, fault: (error: unknown, at: string) => void): ExportStore {
  const kept = new Map<string, StoredExport>()
  const bytesAt = (id: string): string => join(directory, `${id}.data`)
  const descriptionAt = (id: string): string => join(directory, `${id}.json`)

  function prepare(): void {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    chmodSync(directory, 0o700)
  }

  function keep(one: KeptExport): void {
    kept.set(one.id, { kept: one, isLost: false })
    try {
      prepare()
      replaceOwnFile(descriptionAt(one.id), JSON.stringify(one))
    } catch (error) {
      fault(error, `the export ${one.id} cannot be kept over a restart`)
    }
  }

  for (const one of clear(directory))
    kept.set(one.id, { kept: one, isLost: one.state === 'queued' || one.state === 'running' })

  return {
    all: async () => [...kept.values()],
    find: async (id) => kept.get(id),
    async add(judge) {
      const one = judge([...kept.values()])
      keep(one)
      return one
    },
    async replace(one, from) {
      const before = kept.get(one.id)
      if (before === undefined || !from.includes(before.kept.state)) return false
      keep(one)
      return true
    },
    async create(id) {
      prepare()
      const file = await open(bytesAt(id), 'w', 0o600)
      return {
        write: (text) => file.writeFile(text),
        [Symbol.asyncDispose]: () => file.close(),
      }
    },
    size: async (id) => statSync(bytesAt(id), { throwIfNoEntry: false })?.size,
    read: (id) => piecesOf(bytesAt(id)),
    removeBytes: async (id) => rmSync(bytesAt(id), { force: true }),
    async remove(id) {
      rmSync(bytesAt(id), { force: true })
      rmSync(descriptionAt(id), { force: true })
      kept.delete(id)
    },
  }
}

/** The exports in a directory. Deletes what is none, and bytes without one. */
function clear(directory: string): readonly KeptExport[] {
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) return []
  const names = readdirSync(directory)
  const found = new Map<string, KeptExport>()
  for (const name of names) {
    if (!name.endsWith('.json')) continue
    const one = parse(readFileSync(join(directory, name), 'utf8'))
    if (one !== undefined) found.set(name.slice(0, -'.json'.length), one)
  }
  for (const name of names)
    if (!found.has(name.replace(/\.(json|data)$/, ''))) rmSync(join(directory, name), { force: true })
  return [...found.values()]
}

/** Undefined for a text that describes no export. */
function parse(text: string): KeptExport | undefined {
  try {
    return KeptExport.safeParse(JSON.parse(text)).data
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
