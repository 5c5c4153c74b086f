/** Bounds that schemas enforce, and that threads without schemas keep. */

export const MAX_MAX = 1_000_000_000
export const BURST_MAX = 1_000_000
/** Bounds of windows, milliseconds. */
export const RATE_WINDOW = { min: 1000, max: 86_400_000 } as const
export const ROLLING_WINDOW = { min: 3_600_000, max: 30 * 86_400_000 } as const
export const WAIT_MS_MAX = 1000
/** Limits of one policy, the two of the short form included. */
export const LIMITS_MAX = 8

/** True for a name that this system knows as a time zone. */
export function isTimeZone(name: string): boolean {
  // A number of hours has no summer time, and some systems do not know it.
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/**
 * What ends within this time is said to end soon: tokens, secrets, certificates, authorities and revocation lists alike.
 * A week holds working days to replace it in, and a warning that stands for longer is no longer read.
 */
export const EXPIRES_SOON_MS = 7 * 86_400_000

/** Workflows that run within one another, below the one that answers a request. */
export const WORKFLOW_LEVELS_MAX = 5
