/**
 * Finds the processes of this machine that belong to a server: those of its process group and session, and those with its
 * mark in their environment, even if they have left both. Reads /proc, so it works on Linux only.
 */
import { hash } from 'node:crypto'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { MARK_VARIABLE } from './file-schema.ts'

/** One process. */
export interface ProcessRow {
  readonly pid: number
  readonly group: number
  readonly session: number
  /** Ticks since the start of the machine; with the pid it names a process for good. */
  readonly started: string
  readonly residentBytes: number
  /** Value of the mark; null for a process without one, and for one of another user. */
  readonly mark: string | null
}

export interface ProcessTable {
  /** False where there is no /proc. */
  readonly isKnown: boolean
  /** All processes that are alive, as of now. Empty where there is no /proc. */
  rows(): readonly ProcessRow[]
  /** The same a moment later. All that wait share it, since each look reads a file per process of the machine. */
  next(): Promise<readonly ProcessRow[]>
}

/** Real time between two looks, milliseconds. */
const LOOK_MS = 20

/** A table that reads the environment of each process once. */
export function createProcessTable(): ProcessTable {
  let marks = new Map<number, { readonly started: string; readonly mark: string | null }>()
  const pageBytes = pageSize()
  let coming: Promise<readonly ProcessRow[]> | null = null
  const table: ProcessTable = {
    isKnown: existsSync('/proc/self/stat'),
    next() {
      coming ??= new Promise((done) => {
        setTimeout(() => {
          coming = null
          done(table.rows())
        }, LOOK_MS)
      })
      return coming
    },
    rows() {
      const rows: ProcessRow[] = []
      const seen: typeof marks = new Map()
      for (const name of processNames()) {
        const pid = Number(name)
        const fields = statOf(pid)
        if (fields === null) continue
        const started = fields[19]!
        const known = marks.get(pid)
        const mark = known?.started === started ? known.mark : markOf(pid)
        seen.set(pid, { started, mark })
        rows.push({
          pid,
          group: Number(fields[2]),
          session: Number(fields[3]),
          started,
          residentBytes: Number(fields[21]) * pageBytes,
          mark,
        })
      }
      marks = seen
      return rows
    },
  }
  return table
}

/**
 * The first part of the marks that runners of a file give. It differs between PID namespaces: a runner on a machine sees
 * the processes of its containers, where the same path is another file and the same pid another process.
 */
export function markOfFile(file: string): string {
  return `${hash('sha256', `${namespace()} ${file}`, 'hex').slice(0, 16)}.`
}

function namespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

/** The time at which a process has started, as {@link ProcessRow.started}; null when it is not alive. */
export function startOf(pid: number): string | null {
  return statOf(pid)?.[19] ?? null
}

function processNames(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^[1-9]/.test(name))
  } catch {
    return []
  }
}

/** Fields of proc(5) /proc/pid/stat from `state` on; null for one that has ended, also when nobody has waited for it yet. */
function statOf(pid: number): string[] | null {
  try {
    const text = readFirst(`/proc/${pid}/stat`)
    // The name stands in parentheses and may contain them
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? null : fields
  } catch {
    return null
  }
}

function markOf(pid: number): string | null {
  try {
    const text = readFirst(`/proc/${pid}/environ`)
    const own = text.split('\0').find((one) => one.startsWith(`${MARK_VARIABLE}=`))
    return own === undefined ? null : own.slice(MARK_VARIABLE.length + 1)
  } catch {
    return null
  }
}

/** Bytes that are read of a file. An environment is seldom longer, and its mark stands near its start. */
const READ_BYTES_MAX = 131_072
const buffer = Buffer.alloc(READ_BYTES_MAX)

/** The start of a file, by a third of the time that `readFileSync` takes for files whose length is not known. */
function readFirst(path: string): string {
  const file = openSync(path, 'r')
  try {
    return buffer.toString('latin1', 0, readSync(file, buffer))
  } finally {
    closeSync(file)
  }
}

/** AT_PAGESZ of getauxval(3). */
const PAGE_SIZE_TYPE = 6n

function pageSize(): number {
  try {
    const vector = readFileSync('/proc/self/auxv')
    for (let at = 0; at + 16 <= vector.length; at += 16)
      if (vector.readBigUInt64LE(at) === PAGE_SIZE_TYPE) return Number(vector.readBigUInt64LE(at + 8))
  } catch {
    // Not on Linux
  }
  return 4096
}
