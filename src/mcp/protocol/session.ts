/** Sessions of clients of earlier revisions. The id contains the session, sealed; nothing is stored. */
import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { Tombstones } from '../../shared-state/ports/tombstones.ts'
import type { DeclaredAgent } from './declared-agent.ts'
import type { Members } from './message.ts'
import { createSealer } from './sealed.ts'

/**
 * Sessions of legacy clients without stored state: the id is what we must remember, sealed.
 *
 * Invariants:
 * 1. A session proves nothing. Whoever sends it is identified anew; the id only has to fit that identity.
 * 2. Broken, foreign, expired and ended ids are told apart by nobody: all are unknown.
 * 3. Any thread or node with the key continues a session.
 */
export interface Session {
  /** SHA-256 of the id's nonce: names the session in records without being usable as one. */
  readonly hashedId: string
  readonly identity: string
  readonly agent: DeclaredAgent
  readonly version: string
  /** The client shows forms to a person, as it said at `initialize`. */
  readonly takesForms: boolean
  /** What servers may ask the client, as it said at `initialize`; see `askableOf`. */
  readonly askable: Members
  readonly createdAt: number
}

export interface Sessions {
  seal(session: Pick<Session, 'identity' | 'agent' | 'version' | 'takesForms' | 'askable'>): string
  /** The session when the id is whole, in time, not ended, and of this identity; else null. */
  open(id: string, identity: string): Session | null
  /** Ends a session everywhere; false when it was not one. */
  end(id: string, identity: string): boolean
}

const NOTHING: Members = Object.freeze({})

/** Life of a session, milliseconds. Afterwards a client gets 404 and starts again. */
export const SESSION_MS_MAX = 7 * 86_400_000
/** Opened ids kept per door and thread, to spare the cipher on every message. */
const OPENED_MAX = 4096

/** @param keyBytes 32 bytes for AES-256-GCM. @param door bound into every id. */
export function createSessions(
  keyBytes: Uint8Array,
  door: string,
  clock: Clock,
  tombstones: Tombstones,
): Sessions {
  const sealer = createSealer(keyBytes, `mcp-session:1:${door}`)
  const opened = new Lru<string, Session>(OPENED_MAX)

  function unseal(id: string): Session | null {
    const found = sealer.open(id)
    if (found === null) return null
    // Sealed by us alone, so the tuple is what `seal` wrote.
    const [identity, name, agentVersion, version, createdAt, takesForms, askable] = JSON.parse(
      found.text,
    ) as [string, string, string, string, number, boolean?, Members?]
    return {
      hashedId: found.name,
      identity,
      agent: { name, version: agentVersion },
      version,
      takesForms: takesForms === true,
      askable: askable ?? NOTHING,
      createdAt,
    }
  }

  function open(id: string, identity: string): Session | null {
    const kept = opened.get(id)
    const session = kept ?? unseal(id)
    if (session === null) return null
    if (kept === undefined) opened.set(id, session)
    if (session.identity !== identity || clock.now() - session.createdAt > SESSION_MS_MAX) return null
    return tombstones.has(session.hashedId) ? null : session
  }

  return {
    seal: ({ identity, agent, version, takesForms, askable }) =>
      sealer.seal(
        JSON.stringify([identity, agent.name, agent.version, version, clock.now(), takesForms, askable]),
      ),
    open,
    end(id, identity) {
      const session = open(id, identity)
      if (session === null) return false
      tombstones.add(session.hashedId)
      return true
    },
  }
}
