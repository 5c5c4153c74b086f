/**
 * Rows that see a response. The cache, idempotency keys and `report` copy it while it passes. Only `enforce` and
 * `streaming: never` hold it back. A proxy without such rows has null in their place and pays nothing.
 */
import type { AnswerTap, Substitute } from '../../wire/port.ts'
import { budgetOf } from '../caller-memory.ts'
import type { Routed } from '../exchange.ts'

/** A row that sees the answer of the upstream on its way to the caller. */
export interface AnswerRow {
  readonly name: string
  /** Bytes of the body that the row needs copied; -1 where it does not look at this answer. Asked before the request is sent. */
  wants(exchange: Routed): number
  /** Gives an answer in the place of this one, of which only the head has come; null passes it on. */
  head?(exchange: Routed, status: number): Substitute | null
  /**
   * Why a gathered answer must not be passed on; null passes it on. `body` is null where it is too long.
   * The request had its effect all the same.
   */
  judge?(exchange: Routed, status: number, fields: string, body: Uint8Array | null): string | null
  /** The whole answer has come; `body` is null where it is longer than what is copied. */
  end?(exchange: Routed, status: number, fields: string, body: Uint8Array | null): void
}

/** Bytes of a body that are copied for rows that look at answers. */
export const COPY_BYTES_MAX = 1024 * 1024

/** The rows that want to see the answer to an exchange, as the engine calls them; null where none does. */
export function watchOf(rows: readonly AnswerRow[], exchange: Routed): AnswerTap | null {
  if (exchange.proxy.fragment.features === null) return null
  const wanting = rows.filter((row) => row.wants(exchange) >= 0)
  if (wanting.length === 0) return null
  return {
    budget: budgetOf(exchange),
    keepBytesMax: Math.max(...wanting.map((row) => row.wants(exchange))),
    head(status) {
      for (const row of wanting) {
        const other = row.head?.(exchange, status) ?? null
        if (other !== null) return other
      }
      return null
    },
    end(status, fields, body) {
      for (const row of wanting) row.end?.(exchange, status, fields, body)
    },
  }
}
