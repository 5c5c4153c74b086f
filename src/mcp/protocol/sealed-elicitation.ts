/** Questions to the person behind a client of 2026-07-28. The client carries the question, sealed. */
import { createSecretKey, hash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { decrypt, encrypt, SEALED_FORM, sealedBytes, sealedName } from '../../base/crypto/sealing.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import type { Once } from '../../shared-state/ports/memory.ts'
import { isMembers, type Members } from './message.ts'

/** What a person said to a form. */
export interface Reply {
  readonly action: 'accept' | 'decline' | 'cancel' | Unsaid
  readonly content: Members
}

/** Why a person has said nothing: it took too long, too much is asked already, or nobody may answer any more. */
export type Unsaid = 'expired' | 'crowded' | 'ended'

/** A call that a question is about: whoever asks, what they call, with what. */
interface AskedCall {
  readonly identity: string
  readonly name: string
  readonly arguments: Members
}

/**
 * Questions to the person behind a client (2026-07-28, multi round-trip requests). What was asked travels with the
 * client, sealed.
 *
 * Invariants:
 * 1. A reply counts for the very call that was asked about: the same identity, tool and arguments.
 * 2. It counts once, and within its time: the replies that were used are remembered. The caller is authenticated again when
 *    the person has answered. What does not count is as if nothing had been said: the question comes again.
 */
export interface Questions {
  /** The `requestState` to send along with the question. */
  ask(call: AskedCall): string
  /** What the person said of this call, out of the parameters of its retry; null when that does not count. */
  replyTo(call: AskedCall, params: Members): Reply | null | Promise<Reply | null>
}

/** Under which the question and its reply stand in their maps. */
export const QUESTION = 'confirm'

/** How long a reply counts, milliseconds. */
export const QUESTION_MS = 5 * 60_000

const ACTIONS: ReadonlySet<unknown> = new Set<Reply['action']>(['accept', 'decline', 'cancel'])
export const NO_CONTENT: Members = Object.freeze({})

/** @param sealKey 32 bytes. @param door bound into every question. @param used replies that were used. */
export function createQuestions(sealKey: Uint8Array, door: string, clock: Clock, used: Once): Questions {
  const sealer = createSealer(sealKey, `mcp-question:1:${door}`)
  return {
    ask: (call) => sealer.seal(JSON.stringify([digestOf(call), clock.now()])),
    replyTo(call, { requestState, inputResponses }) {
      const reply = isMembers(inputResponses) ? toReply(inputResponses[QUESTION]) : null
      if (typeof requestState !== 'string' || reply === null) return null
      const opened = sealer.open(requestState)
      if (opened === null) return null
      // Sealed by `ask` alone
      const [digest, askedAt] = JSON.parse(opened.text) as [string, number]
      const now = clock.now()
      if (digest !== digestOf(call) || now - askedAt > QUESTION_MS) return null
      const until = askedAt + QUESTION_MS + 1
      const claimed = used.claim(`${door} ${opened.name}`, until, now, call.identity)
      if (!(claimed instanceof Promise)) return claimed === 'first' ? reply : null
      return claimed.then((settled) => (settled === 'first' ? reply : null))
    },
  }
}

/** The reply in what a client sends as one (ElicitResult); null for anything else. */
export function toReply(value: unknown): Reply | null {
  if (!isMembers(value) || !ACTIONS.has(value['action'])) return null
  const { action, content } = value
  return { action: action as Reply['action'], content: isMembers(content) ? content : NO_CONTENT }
}

function digestOf({ identity, name, arguments: given }: AskedCall): string {
  return hash('sha256', canonicalJson([identity, name, given]), 'base64url')
}

/** True when a client takes questions with forms: it says so, or names no mode at all (2025-11-25 and later). */
export function takesForms(capabilities: unknown): boolean {
  const elicitation = isMembers(capabilities) ? capabilities['elicitation'] : undefined
  if (!isMembers(elicitation)) return false
  return Object.keys(elicitation).length === 0 || isMembers(elicitation['form'])
}

// Sealed texts that clients carry for Postern.

/** Texts that clients carry for us: they can neither read nor change them, nor use those of one purpose for another. */
export interface Sealer {
  seal(text: string): string
  /** The text, and a hash that names this seal without being usable as one; null for what this sealer has not sealed. */
  open(sealed: string): { readonly text: string; readonly name: string } | null
}

/**
 * @param keyBytes 32 bytes for AES-256-GCM
 * @param purpose bound into every seal
 * @param charsMax of what is opened
 */
export function createSealer(keyBytes: Uint8Array, purpose: string, charsMax?: number): Sealer {
  const key = createSecretKey(keyBytes)
  return {
    seal: (text) =>
      Buffer.concat([Buffer.of(SEALED_FORM), encrypt(key, text, purpose)]).toString('base64url'),
    open(sealed) {
      const bytes = sealedBytes(sealed, charsMax)
      if (bytes === null) return null
      try {
        return { text: decrypt(key, bytes.subarray(1), purpose), name: sealedName(bytes) }
      } catch {
        return null
      }
    },
  }
}
