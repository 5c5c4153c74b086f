import { type OwnedBytes, ownedBytes } from '../base/memory/bytes.ts'
import { withoutFields } from '../wire/port.ts'

/** An answer of an upstream that is kept to be given again. Plain data. */
export interface KeptAnswer {
  readonly status: number
  /** Header lines as the upstream sent them, without those that belong to one answer. */
  readonly fields: string
  readonly body: OwnedBytes
  /** Hash of the guardrails that have left the answer; absent for none. */
  readonly guardrails?: string
}

/** Set by whoever sends an answer. */
const OWN: ReadonlySet<string> = new Set(['date', 'age', 'x-cache', 'idempotency-replayed'])

/** What to keep of an answer. */
export function toKept(status: number, fields: string, body: Uint8Array): KeptAnswer {
  return { status, fields: withoutFields(fields, OWN), body: ownedBytes(body) }
}

/** Bytes that an answer takes in memory, roughly. */
export function sizeOf({ fields, body }: KeptAnswer): number {
  return fields.length + body.length + 500
}
