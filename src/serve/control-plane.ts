import type { RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { permits, UNPLACED } from '../access/roles.ts'
import { createAccessTokens } from '../access/tokens.ts'
import { createWorkloadTokens, type KeysOf } from '../access/workload.ts'
import { bearerOf } from '../base/bearer.ts'
import { refuse, toProblem } from '../base/refusal.ts'
import { createInvoke, type InvokeDeps, mayCall } from '../operations/invoke.ts'
import { OPERATIONS } from '../operations/registry.ts'
import { createUnauthenticatedAudit } from '../operations/unauthenticated.ts'
import { createAuditTrail } from '../record/audit-chain.ts'
import type { RetentionRule } from '../record/audit-retention.ts'
import { checkFragment } from '../snapshot/check.ts'
import { createManagementDoor } from '../surfaces/mcp/door.ts'
import { createRestApp } from '../surfaces/rest/app.ts'
import { heldBytesMax } from '../threads/held-bytes-max.ts'
import { createTombstones } from '../threads/tombstones.ts'
import { VERSION } from '../version.ts'
import { HeldBytes } from '../wire/held-bytes.ts'
import { createAuthenticate } from './authenticate.ts'
import { createControlListener } from './control.ts'
import type { IssuedToken } from './local.ts'
import { createLocalTokens } from './local-tokens.ts'
import { PREAMBLE } from './preamble.ts'

export interface ControlPlaneOptions extends Omit<InvokeDeps, 'check' | 'trail'> {
  readonly origin: string
  /** Ended MCP sessions, shared with the gateway threads. */
  readonly tombstones: SharedArrayBuffer
  readonly sessionKey: Uint8Array
  /** Keys of those who sign tokens of workloads. */
  readonly keysOf: KeysOf
  readonly fault: (error: unknown, requestId: string) => void
  /** How long audit entries are kept. */
  readonly retention: RetentionRule
}

export interface ControlPlane {
  /** What comes over the private socket. */
  readonly listener: RequestListener
  /** Issues an access token, as `postern token` does. */
  readonly issueToken: (input: unknown) => Promise<IssuedToken>
  /** Writes what has been gathered of unknown callers into the audit; all of it with `rest`. */
  readonly flush: (rest?: boolean) => Promise<void>
  /** Signs the audit trail as it stands. */
  readonly checkpoint: () => Promise<void>
  /** Removes audit entries that have been kept long enough. */
  readonly retain: () => Promise<unknown>
}

/** Who may do what, the operations, and the surfaces that project them. */
export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { store, clock, origin, sessionKey, fault } = options
  const tokens = createAccessTokens(store, clock)
  const unknownCallers = createUnauthenticatedAudit(store, clock)
  const memory = new HeldBytes(heldBytesMax(1))
  const keep = (principal: string) => memory.open(principal)
  const authenticate = createAuthenticate(
    tokens,
    createWorkloadTokens(store.read, clock, options.keysOf),
    unknownCallers,
  )
  const trail = createAuditTrail(store, clock, options.vault.trailKey())
  const invoke = createInvoke({ ...options, trail, check: checkFragment })
  const rest = createRestApp({
    operations: OPERATIONS,
    invoke,
    origin,
    authenticate,
    keep,
    facts: ({ headers }) => ({
      requestId: headers.get(PREAMBLE.requestId) ?? '',
      ip: headers.get(PREAMBLE.peer),
    }),
    log: fault,
  })
  const mcp = createManagementDoor({
    operations: OPERATIONS,
    invoke,
    authenticate: ({ authorization, ip }) =>
      authenticate(bearerOf(authorization), { surface: 'management_mcp', ip, userAgent: null }),
    allowed: mayCall,
    reveals: (principal) => permits(principal, 'profiles:reveal', UNPLACED),
    sealKey: sessionKey,
    tombstones: createTombstones(options.tombstones),
    origin,
    version: VERSION,
    clock,
    fault,
  })
  return {
    listener: createControlListener({
      rest: getRequestListener(rest.fetch, { overrideGlobalObjects: false }),
      mcp,
      keep,
      fault,
    }),
    issueToken: createLocalTokens(tokens, clock),
    flush: (rest) => unknownCallers.flush(rest),
    checkpoint: () => trail.checkpoint(),
    retain: () => trail.retain(options.retention),
  }
}

/** Without a store nobody can be known and nothing can be changed: everything is refused with the reason. */
export function createClosedControlPlane(reason: string): ControlPlane {
  const refusal = refuse('store_unavailable', { detail: reason })
  return {
    listener: (request, response) => {
      const id = request.headers[PREAMBLE.requestId]
      response.writeHead(refusal.status, {
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
        connection: 'close',
      })
      // Callers of the control plane are not known here: where the files lie is for the log alone.
      const problem = toProblem(refuse('store_unavailable'), typeof id === 'string' ? id : '')
      response.end(JSON.stringify(problem))
    },
    issueToken: () => Promise.reject(refusal),
    flush: () => Promise.resolve(),
    checkpoint: () => Promise.resolve(),
    retain: () => Promise.resolve(),
  }
}
