import type { JsonObject } from '../../../build/document.ts'

/** The account that a row of `connections.list` is, as operations name it. */
export function placeOf({ origin, user }: JsonObject): JsonObject {
  return user === null || user === undefined
    ? { origin: String(origin), shared: true }
    : { origin: String(origin), user }
}

/** `the account of ada at tickets`, `the shared account at tickets`. */
export function accountWords({ origin, user }: JsonObject): string {
  return typeof user === 'string' ? `the account of ${user} at ${origin}` : `the shared account at ${origin}`
}
