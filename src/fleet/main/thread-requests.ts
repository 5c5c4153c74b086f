/** Answers requests of gateway threads that the main thread handles once for all of them. */
import type { Protected } from '../../base/doors.ts'
import type { IdempotencyMemory } from '../../gateway/idempotency/keys.ts'
import type { LoadKeySet } from '../../gateway/identify/key-sets.ts'
import type {
  ConnectionAnswer,
  ConsoleCall,
  ConsoleCaller,
  RefusedConnection,
  SignInProof,
} from '../../model/access/caller.ts'
import type { FromGateway, ToGateway } from '../shared/messages.ts'

/** What gateway threads ask of the main thread, which does it once for all of them. */
export type ThreadRequest = Extract<
  FromGateway,
  {
    kind:
      | 'key_set'
      | 'prove'
      | 'sign_in'
      | 'connection'
      | 'console_caller'
      | 'claim'
      | 'settle'
      | 'release'
      | 'log'
  }
>

export interface ThreadRequestsOptions {
  /** Idempotency keys of all threads. */
  readonly keys: IdempotencyMemory
  /** Fetches the keys of issuers for all threads. */
  readonly keySets: LoadKeySet
  /** Id of the principal that an access token of management stands for; null for none. Never rejects. */
  readonly prove: (token: string, resource: Protected) => Promise<string | null>
  /** What an access token for an MCP endpoint proves. Never rejects. */
  readonly signIn: (token: string, resource: `/mcp${string}`) => Promise<SignInProof>
  /** The token or key that a person, or all callers, have connected at an origin. Never rejects. */
  readonly connection: (
    user: string,
    origin: string,
    refused: RefusedConnection | null,
  ) => Promise<ConnectionAnswer>
  /** For whom a request of the console calls a virtual MCP. Never rejects. */
  readonly consoleCaller: (call: ConsoleCall) => Promise<ConsoleCaller>
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** @param tell answers the thread in that slot that asked */
export function createThreadRequests({
  keys,
  keySets,
  prove,
  signIn,
  connection,
  consoleCaller,
  log,
}: ThreadRequestsOptions): (
  slot: number,
  request: ThreadRequest,
  tell: (message: ToGateway) => void,
) => void {
  return (slot, request, tell) => {
    switch (request.kind) {
      case 'key_set': {
        const { id, source, maxAgeMs } = request
        void keySets(source, maxAgeMs).then((answer) => tell({ kind: 'key_set', id, answer }))
        break
      }
      case 'prove': {
        const { id, token, resource } = request
        void prove(token, resource).then((principal) => tell({ kind: 'proved', id, principal }))
        break
      }
      case 'sign_in': {
        const { id, token, resource } = request
        void signIn(token, resource).then((proof) => tell({ kind: 'signed_in', id, proof }))
        break
      }
      case 'connection': {
        const { id, user, origin, refused } = request
        void connection(user, origin, refused).then((answer) => tell({ kind: 'connected', id, answer }))
        break
      }
      case 'console_caller': {
        const { kind, id, ...call } = request
        void consoleCaller(call).then((caller) => tell({ kind, id, caller }))
        break
      }
      case 'claim': {
        const claim = keys.claim(request.key, request.fingerprint, slot)
        tell({ kind: 'claimed', id: request.id, claim })
        break
      }
      case 'settle':
        keys.settle(request.key, request.answer, slot)
        break
      case 'release':
        keys.release(request.key, slot)
        break
      case 'log':
        log(request.level, `gateway thread ${slot}: ${request.message}`)
        break
    }
  }
}
