import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import type { Sealed } from './sealed.ts'
import { CONNECT } from './visit.ts'

/** Lifetime of a link in the response to a call, milliseconds. */
const LIFE_MS = 15 * 60_000

/**
 * Links by which a call asks its person to connect an account. A link holds no credential and nothing about the person: its mark is
 * a keyed hash of person, origin and end, which only the session of the same person can make again.
 */
export interface ConnectLinks {
  /** Absolute URL. @param slug of the origin @param user id of the person */
  make(slug: string, user: string): string
  /** @param mark as the link has it @param user id of the person whose browser it is */
  judge(mark: string, slug: string, user: string): 'right' | 'expired' | 'of_another'
}

export function createConnectLinks(issuer: string, sealed: Sealed, clock: Pick<Clock, 'now'>): ConnectLinks {
  const hashOf = (end: string, slug: string, user: string): string =>
    sealed.sign(`connect\n${end}\n${slug}\n${user}`)
  return {
    make(slug, user) {
      const end = (clock.now() + LIFE_MS).toString(36)
      return `${issuer}${CONNECT}/${encodeURIComponent(slug)}?for=${end}.${hashOf(end, slug, user)}`
    },
    judge(mark, slug, user) {
      const [end = '', given = ''] = mark.split('.')
      if (!(Number.parseInt(end, 36) > clock.now())) return 'expired'
      const [one, other] = [Buffer.from(given), Buffer.from(hashOf(end, slug, user))]
      return one.length === other.length && timingSafeEqual(one, other) ? 'right' : 'of_another'
    },
  }
}
