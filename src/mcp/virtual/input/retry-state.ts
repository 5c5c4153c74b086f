/**
 * The `requestState` that a client of 2026-07-28 carries while Postern, and not the origin, waits for its input. Clients can
 * neither read nor change it. It is valid once, within its time, for the same principal, virtual MCP, method and parameters.
 */
import { contentHash } from '../../../base/json/canonical.ts'
import type { Members } from '../../protocol/message.ts'
import { createSealer } from '../../protocol/sealed.ts'

/** The request that is retried. */
export interface Retried {
  readonly identity: string
  /** Id. */
  readonly virtualMcp: string
  readonly method: string
  readonly params: Members
}

export interface RetryState {
  /** Of {@link Retried}. */
  readonly digest: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** How often the client was asked. */
  readonly round: number
  /** The held call; null where the call is made again. */
  readonly heldId: string | null
  /** The client was sent to the page on which a person connects an account; absent for anything else. */
  readonly connects?: true
}

export interface RetryStates {
  seal(state: RetryState): string
  /** Null for a text that no thread or process with this key has sealed. `name` is that of the very seal. */
  open(text: unknown): { readonly state: RetryState; readonly name: string } | null
}

/** @param sealKey 32 bytes, the same on every thread and node */
export function createRetryStates(sealKey: Uint8Array): RetryStates {
  const sealer = createSealer(sealKey, 'mcp-retry:1')
  return {
    seal: ({ digest, expiresAt, round, heldId, connects }) =>
      sealer.seal(JSON.stringify([digest, expiresAt, round, heldId, ...(connects ? [true] : [])])),
    open(text) {
      const opened = typeof text === 'string' ? sealer.open(text) : null
      if (opened === null) return null
      // Sealed by `seal` alone
      const [digest, expiresAt, round, heldId, connects] = JSON.parse(opened.text) as [
        string,
        number,
        number,
        string | null,
        true?,
      ]
      const state = { digest, expiresAt, round, heldId, ...(connects === undefined ? {} : { connects }) }
      return { state, name: opened.name }
    },
  }
}

/** Parameters without what a retry adds to them, and without `_meta`, which differs from request to request. */
export function digestOf({ identity, virtualMcp, method, params }: Retried): string {
  const { _meta, ...same } = withoutRetry(params)
  return contentHash([identity, virtualMcp, method, same])
}

/** The parameters of the request that is retried. */
export function withoutRetry(params: Members): Members {
  const { inputResponses, requestState, ...rest } = params
  return rest
}
