/** Set-up links as they are printed. */
import { z } from 'zod'
import type { IssuedLink } from '../access/set-up-links.ts'
import { toTime } from '../base/clock.ts'
import { toInputInvalid } from '../base/json/field-errors.ts'
import { demandStorable } from '../base/json/storable.ts'
import { SET_UP_PATH } from '../oauth/sign-in/pages.ts'

/** A set-up link as it is printed. */
export interface SetUpLink {
  readonly url: string
  readonly expires_at: string
}

/** Where a person opens a set-up link. */
export function setUpUrl(origin: string, token: string): string {
  return `${origin}${SET_UP_PATH}?token=${token}`
}

/** A link that was issued, as it is shown once. */
export function toSetUpLink(origin: string, { token, expiresAt }: IssuedLink): SetUpLink {
  return { url: setUpUrl(origin, token), expires_at: toTime(expiresAt) }
}

const ResetRequest = z.strictObject({
  user: z.string().min(1).max(254).nullable().default(null).describe('Slug or email of a local user'),
})

/** For whom a link is asked; null for a new administrator. Refuses with input_invalid. */
export function parseReset(input: unknown): string | null {
  demandStorable(input)
  const parsed = ResetRequest.safeParse(input)
  if (!parsed.success) throw toInputInvalid(parsed.error)
  return parsed.data.user
}
