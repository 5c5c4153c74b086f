/**
 * The audit mark: the last link of the trail, kept outside of the store in `audit.mark`. It moves after the commit and after
 * `serving.db`, and before the response. A transaction may not extend a link that the mark does not know.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceOwnFile } from '../base/files.ts'
import { type AuditMark, CHAIN_START, type MarkedPlace } from '../store/ports/audit-chain.ts'
import type { Vault } from '../vault/vault.ts'
import { createAuditSigner } from './audit-walk.ts'

/**
 * The file has two slots of this size. Each save overwrites the older one: a save that is cut off leaves the other one
 * whole, and a full disk stops no save, because the file does not grow.
 */
const SLOT_BYTES = 256
const LINE = /^postern-audit-mark 1 (\d{1,15}) ([0-9a-f]{64}|-) (\d{1,15}) ([A-Za-z0-9_-]{43}) *\n$/

const START: MarkedPlace = { seq: 0, hash: CHAIN_START, revision: 0 }

/** A mark in a file of its own. */
export interface AuditMarkFile extends AuditMark {
  /** What the file held when it was opened. `unusable`: it is damaged, or was made with another key. */
  readonly found: 'mark' | 'missing' | 'unusable'
}

/**
 * Opens the mark of a data directory. The first move makes the file.
 * @param key 32 bytes
 * @param report called when the mark cannot be saved, once until it can be saved again
 */
function openAuditMark(file: string, key: Uint8Array, report: (error: unknown) => void): AuditMarkFile {
  const loaded = load(file, key)
  let place = loaded.place
  let saved = loaded.found === 'mark' ? place : null
  let slot = loaded.next
  let isFailing = false
  let moves = 0
  let movesSaved = 0
  let saving: Promise<void> | null = null

  async function save(): Promise<void> {
    const wanted = place
    const upTo = moves
    const isBack = saved !== null && wanted.seq < saved.seq
    if (saved === null || isBack || !(await overwrite(file, slot, lineOf(wanted, key)))) {
      replaceOwnFile(file, lineOf(wanted, key) + lineOf(START, key))
      slot = 0
    }
    slot = 1 - slot
    saved = wanted
    movesSaved = upTo
    isFailing = false
  }

  return {
    found: loaded.found,
    get place() {
      return place
    },
    async move(to) {
      place = to
      const mine = ++moves
      try {
        // Moves that come during a save share the next one
        while (movesSaved < mine) {
          saving ??= save().finally(() => {
            saving = null
          })
          await saving
        }
      } catch (error) {
        // The older mark on disk is no lie: what came after it is proved by its links. The next move saves again
        if (!isFailing) report(error)
        isFailing = true
      }
    },
  }
}

interface Loaded extends Pick<AuditMarkFile, 'found' | 'place'> {
  /** The slot to overwrite next. */
  readonly next: number
}

function load(file: string, key: Uint8Array): Loaded {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return { found: isMissing ? 'missing' : 'unusable', place: START, next: 0 }
  }
  const slots = [0, 1].map((at) =>
    placeOf(bytes.toString('latin1', at * SLOT_BYTES, (at + 1) * SLOT_BYTES), key),
  )
  const [first, second] = slots
  if (first == null && second == null) return { found: 'unusable', place: START, next: 0 }
  const isSecond = first == null || (second != null && isLater(second, first))
  return { found: 'mark', place: (isSecond ? second : first)!, next: isSecond ? 0 : 1 }
}

function isLater(a: MarkedPlace, b: MarkedPlace): boolean {
  return a.seq === b.seq ? a.revision > b.revision : a.seq > b.seq
}

/** The file is then replaced, which takes the right to write the directory alone. */
const NOT_WRITABLE = new Set(['ENOENT', 'EACCES', 'EPERM'])

/** False when there is no file of two slots that can be written. On disk when it resolves. */
async function overwrite(file: string, slot: number, line: string): Promise<boolean> {
  const handle = await open(file, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (NOT_WRITABLE.has(error.code ?? '')) return null
    throw error
  })
  if (handle === null) return false
  try {
    if ((await handle.stat()).size !== 2 * SLOT_BYTES) return false
    await handle.write(line, slot * SLOT_BYTES, 'latin1')
    await handle.datasync()
    return true
  } finally {
    await handle.close()
  }
}

function lineOf(place: MarkedPlace, key: Uint8Array): string {
  const line = `postern-audit-mark 1 ${textOf(place)} ${macOf(place, key).toString('base64url')}`
  return `${line.padEnd(SLOT_BYTES - 1)}\n`
}

function placeOf(line: string, key: Uint8Array): MarkedPlace | null {
  const [, seq, hash, revision, mac] = LINE.exec(line) ?? []
  if (seq === undefined || hash === undefined || revision === undefined || mac === undefined) return null
  const place = { seq: Number(seq), hash: hash === '-' ? CHAIN_START : hash, revision: Number(revision) }
  return timingSafeEqual(macOf(place, key), Buffer.from(mac, 'base64url')) ? place : null
}

function textOf({ seq, hash, revision }: MarkedPlace): string {
  return `${seq} ${hash === CHAIN_START ? '-' : hash} ${revision}`
}

function macOf(place: MarkedPlace, key: Uint8Array): Buffer {
  return createHmac('sha256', key)
    .update(`postern audit mark\n${textOf(place)}`)
    .digest()
}

// The file of the audit mark in a data directory.

/** Name of the file with the mark of the audit trail, in the data directory. */
export const AUDIT_MARK = 'audit.mark'

/** The mark of the audit trail in a directory. @param fault told when the mark cannot be saved */
export function openMarkOf(
  directory: string,
  vault: Pick<Vault, 'trailKey'>,
  fault: (error: unknown, at: string) => void,
): AuditMarkFile {
  const file = join(directory, AUDIT_MARK)
  return openAuditMark(file, createAuditSigner(vault.trailKey()).markKey, (error) =>
    fault(error, `the mark of the audit trail, ${file}, cannot be saved`),
  )
}
