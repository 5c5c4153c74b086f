import { AsyncLocalStorage } from 'node:async_hooks'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { OAuthWriter } from '../../store/ports/oauth.ts'

/**
 * Refuses a write for a sign-in that ended while the request was under way. It has the form of an error of the protocol engine
 * (RFC 6749 section 5.2), which this file does not load. A browser gets a page, never a redirect.
 */
export class SignInEnded extends Error {
  readonly error = 'invalid_grant'
  readonly error_description = 'This sign-in has ended. Sign in again.'
  readonly status = 400
  readonly statusCode = 400
  readonly expose = true
  readonly allow_redirect = false

  constructor() {
    super('invalid_grant')
    this.name = 'SignInEnded'
  }
}

export interface Endings {
  /**
   * The store: what a request writes for a person or a session refuses with {@link SignInEnded}, if all that was issued for the person, or
   * the session, has ended since the request began.
   */
  readonly store: ConfigStore
  /** Does the work of one request. */
  within<T>(work: () => Promise<T>): Promise<T>
}

/**
 * A request may be under way for seconds: its body comes slowly, or the document of a client or another server is asked for. It writes by
 * what it has read at its beginning, and a session that was ended meanwhile, by a new password or by a sign-out, would be there again.
 */
export function createEndings(store: ConfigStore): Endings {
  const began = new AsyncLocalStorage<number>()

  function guarded(oauth: OAuthWriter, since: number): OAuthWriter {
    const demandStill = async (what: string | null): Promise<void> => {
      if (what !== null && (await oauth.hasEnded(what, since))) throw new SignInEnded()
    }
    return {
      ...oauth,
      async put(artifact, max) {
        await demandStill(artifact.account_id)
        if (artifact.kind === 'Session') await demandStill(artifact.other_id)
        await oauth.put(artifact, max)
      },
      connections: {
        ...oauth.connections,
        async put(connection) {
          await demandStill(connection.user)
          await oauth.connections.put(connection)
        },
      },
    }
  }

  return {
    store: {
      ...store,
      get fault() {
        return store.fault
      },
      writeOAuth(work) {
        const since = began.getStore()
        return store.writeOAuth((oauth) => work(since === undefined ? oauth : guarded(oauth, since)))
      },
    },
    within: async (work) => began.run(await store.read.oauth.lastEnding(), work),
  }
}
