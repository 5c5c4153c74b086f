/**
 * Ids of tasks for clients: the place of the task at its origin, sealed for one principal at one virtual MCP. No state is
 * stored, so every thread and node finds the task.
 *
 * 1. Broken, foreign and expired ids get the same answer: unknown.
 * 2. An id proves nothing. Its sender was authenticated before, and the capability policy is asked again.
 */
import { hash } from 'node:crypto'
import type { Clock } from '../../../base/clock.ts'
import { createSealer } from '../../protocol/sealed.ts'

/** Where a task is. */
export interface TaskPlace {
  /** Id of the origin. */
  readonly member: string
  /** Public name of the tool that was called. */
  readonly tool: string
  /** Id of the task at the origin. */
  readonly id: string
  /** Session of an origin of an earlier era that has the task; null for one without sessions. */
  readonly session: string | null
  /** The origin spoke 2026-07-28 or later. */
  readonly isModern: boolean
}

export interface TaskIds {
  /**
   * @param principal who alone may use the id
   * @param ttlMs what the origin says, null for no end. The origin may prolong it, so that an id holds for a day at least.
   * @returns null for a place that is too long
   */
  seal(principal: string, place: TaskPlace, ttlMs: number | null): string | null
  open(principal: string, id: string): TaskPlace | null
}

/** Characters of an id: it travels in a header. */
const ID_CHARS_MAX = 3072
/** How long an id holds, milliseconds. */
const HOLDS_MS = { least: 24 * 3_600_000, most: 30 * 24 * 3_600_000 }

type Sealed = readonly [
  principal: string,
  expiresAt: number,
  member: string,
  tool: string,
  id: string,
  session: string | null,
  isModern: boolean,
]

/** @param keyBytes 32 bytes, the same on every thread and node. @param virtualMcp id of the virtual MCP */
export function createTaskIds(keyBytes: Uint8Array, virtualMcp: string, clock: Clock): TaskIds {
  const sealer = createSealer(keyBytes, `mcp-task:1:${virtualMcp}`, ID_CHARS_MAX)
  return {
    seal(principal, { member, tool, id, session, isModern }, ttlMs) {
      const holdsMs = Math.min(HOLDS_MS.most, Math.max(HOLDS_MS.least, ttlMs ?? HOLDS_MS.most))
      const expiresAt = clock.now() + holdsMs
      const text: Sealed = [nameOf(principal), expiresAt, member, tool, id, session, isModern]
      const sealed = sealer.seal(JSON.stringify(text))
      return sealed.length > ID_CHARS_MAX ? null : sealed
    },
    open(principal, sealed) {
      const opened = sealer.open(sealed)
      if (opened === null) return null
      // Sealed above
      const [of, expiresAt, member, tool, id, session, isModern] = JSON.parse(opened.text) as Sealed
      if (of !== nameOf(principal) || clock.now() > expiresAt) return null
      return { member, tool, id, session, isModern }
    },
  }
}

function nameOf(principal: string): string {
  return hash('sha256', principal, 'base64url').slice(0, 22)
}
