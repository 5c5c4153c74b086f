/**
 * Tickets for people who have just come back from an identity provider or from the set-up page. A ticket is valid for one
 * minute and one use.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { Sealed } from './adapter.ts'

const KIND = 'Arrival'
const KEPT_MS = 60_000

export interface ArrivalTicketParts {
  readonly store: ConfigStore
  readonly clock: Clock
  readonly sealed: Sealed
}

/** In the place of an interaction: the person has set up the first administrator, and no interaction has begun. */
export const SET_UP = 'set-up'

interface ArrivalTickets {
  issue(interaction: string, account: string): Promise<string>
  /** Id of the account; null for what is not known, is not of this interaction, is too old, or was used. */
  redeem(ticket: string, interaction: string): Promise<string | null>
}

/** People who have just come back from an identity provider, or from the set-up page: each has a ticket for one minute and one use. */
export function createArrivalTickets({ store, clock, sealed }: ArrivalTicketParts): ArrivalTickets {
  return {
    async issue(interaction, account) {
      const ticket = randomBytes(32).toString('base64url')
      const id = sealed.hash(ticket)
      await store.writeOAuth((oauth) =>
        oauth.put({
          kind: KIND,
          id,
          sealed: sealed.seal(JSON.stringify([interaction, account]), KIND, id),
          grant_id: null,
          other_id: null,
          account_id: account,
          created_at: clock.now(),
          expires_at: clock.now() + KEPT_MS,
          used_at: null,
        }),
      )
      return ticket
    },

    async redeem(ticket, interaction) {
      const id = sealed.hash(ticket)
      const found = await store.read.oauth.artifact(KIND, id)
      const isFirst =
        found !== undefined && (await store.writeOAuth((oauth) => oauth.use(KIND, id, clock.now())))
      if (!isFirst || (found.expires_at ?? 0) <= clock.now()) return null
      // Only issue seals these.
      const [of, account] = JSON.parse(sealed.open(found.sealed, KIND, id)) as [string, string]
      return of === interaction ? account : null
    },
  }
}
