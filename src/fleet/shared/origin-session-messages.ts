/** Messages between a gateway thread and the main thread about sessions at origins; see shared-state/ports/origin-sessions. */
import type { PooledSession, SessionKey, TakenSession } from '../../shared-state/ports/origin-sessions.ts'

export type SessionSaid =
  /** The reply has the id. */
  | { readonly about: 'take'; readonly id: number; readonly key: SessionKey }
  | { readonly about: 'opened'; readonly serial: string; readonly session: string | null }
  | { readonly about: 'failed'; readonly serial: string; readonly reason: string }
  | { readonly about: 'used' | 'gone'; readonly serial: string }
  | { readonly about: 'task_began'; readonly serial: string; readonly task: string; readonly ms: number }
  | { readonly about: 'task_ended'; readonly origin: string; readonly session: string; readonly task: string }
  | { readonly about: 'client_left'; readonly client: string }
  /** The reply has the id. */
  | { readonly about: 'release'; readonly id: number; readonly serial: string }

export type SessionReply =
  | { readonly about: 'taken'; readonly id: number; readonly taken: TakenSession }
  /** @see isLast the thread ends the session at the origin */
  | { readonly about: 'released'; readonly id: number; readonly isLast: boolean }
  | { readonly about: 'retired'; readonly session: PooledSession }
