import { createCipheriv, createDecipheriv, createSecretKey, hash, randomBytes } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/lru.ts'
import type { DeclaredAgent } from './door.ts'
import type { Tombstones } from './tombstones.ts'

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
  readonly createdAt: number
}

export interface Sessions {
  seal(session: { identity: string; agent: DeclaredAgent; version: string }): string
  /** The session when the id is whole, in time, not ended, and of this identity; else null. */
  open(id: string, identity: string): Session | null
  /** Ends a session everywhere; false when it was not one. */
  end(id: string, identity: string): boolean
}

/** Life of a session, milliseconds. Afterwards a client gets 404 and starts again. */
export const SESSION_MS_MAX = 7 * 86_400_000
/** Opened ids kept per door and thread, to spare the cipher on every message. */
const OPENED_MAX = 4096
const ID_CHARS_MAX = 1024
const FORM = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** @param keyBytes 32 bytes for AES-256-GCM, used for nothing else. @param door bound into every id. */
export function createSessions(
  keyBytes: Uint8Array,
  door: string,
  clock: Clock,
  tombstones: Tombstones,
): Sessions {
  const key = createSecretKey(keyBytes)
  const opened = new Lru<string, Session>(OPENED_MAX)
  const aad = Buffer.from(`mcp-session:${FORM}:${door}`)

  function unseal(id: string): Session | null {
    if (id.length > ID_CHARS_MAX || !/^[A-Za-z0-9_-]+$/.test(id)) return null
    const bytes = Buffer.from(id, 'base64url')
    if (bytes.length < 1 + NONCE_BYTES + TAG_BYTES || bytes[0] !== FORM) return null
    const nonce = bytes.subarray(1, 1 + NONCE_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(aad)
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    try {
      const text = decipher.update(bytes.subarray(1 + NONCE_BYTES, -TAG_BYTES), undefined, 'utf8')
      // Sealed by us alone: the tag was right, so the tuple is what `seal` wrote.
      const [identity, name, agentVersion, version, createdAt] = JSON.parse(
        text + decipher.final('utf8'),
      ) as [string, string, string, string, number]
      const hashedId = hash('sha256', nonce, 'base64url').slice(0, 22)
      return { hashedId, identity, agent: { name, version: agentVersion }, version, createdAt }
    } catch {
      return null
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
    seal({ identity, agent, version }) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(aad)
      const text = JSON.stringify([identity, agent.name, agent.version, version, clock.now()])
      const sealed = [cipher.update(text, 'utf8'), cipher.final()]
      return Buffer.concat([Buffer.of(FORM), nonce, ...sealed, cipher.getAuthTag()]).toString('base64url')
    },
    open,
    end(id, identity) {
      const session = open(id, identity)
      if (session === null) return false
      tombstones.add(session.hashedId)
      return true
    },
  }
}
