/**
 * Authenticates local users by password. An unknown name, an inactive user and a wrong password get the same response after
 * the same time. The audit entry of a failed sign-in is therefore not awaited: the time would reveal whether the user exists.
 */

import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { Account, Accounts } from '../../access/accounts.ts'
import type { Sender } from '../../access/sender.ts'
import type { Clock } from '../../base/clock.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import { InLine } from '../../base/threads/in-line.ts'
import { type AuditEntry, newAuditEntry } from '../../model/access/audit.ts'
import type { Attempt, BackoffKey, Throttle } from '../../shared-state/ports/memory.ts'
import type { ConfigStore } from '../../store/ports/config.ts'

/** Takes an attempt of someone who is not known; many are one entry of the audit. */
export type NoteUnknown = (attempt: {
  readonly surface: 'oauth'
  readonly ip: string | null
  readonly userAgent: string | null
  readonly reason: string
}) => void

export interface LocalSignInParts {
  readonly store: ConfigStore
  readonly clock: Clock
  readonly accounts: Pick<Accounts, 'findLocal'>
  readonly passwords: Passwords
  readonly throttle: SignInThrottle
  readonly noteUnknown: NoteUnknown
  readonly fault: (error: unknown, at: string) => void
}

/** Someone who has proved their password. */
export interface Proved {
  readonly account: Account
  /** What was kept of it. */
  readonly hash: string
}

/**
 * Proves local users by their passwords. An unknown name, an inactive user, one without a password and a wrong password
 * are told apart in the audit alone, and take the same time.
 */
export function createLocalSignIn(
  parts: LocalSignInParts,
): (name: string, password: string, sender: Sender) => Promise<Proved> {
  const { store, clock, accounts, passwords, throttle, noteUnknown, fault } = parts

  return async (name, password, sender) => {
    const attempt = await take(name, sender)
    const account = await accounts.findLocal(name)
    const hash = account === undefined ? undefined : await store.read.password(account.id)
    let isRight: boolean
    try {
      isRight = await passwords.verify(password, hash)
    } catch (error) {
      attempt.withdraw()
      if (error instanceof Refusal) tellUnknown(error.facts.inner ?? error.code, sender)
      throw error
    }
    if (account === undefined) {
      tellUnknown('no such local user', sender)
      throw wrong('no such local user')
    }
    const inner = reasonOf(account, hash, isRight)
    const entry = toSignInEntry(account, null, sender, inner, clock)
    const written = store.write((writer) => writer.appendAudit(entry))
    if (inner !== null || hash === undefined) {
      // Not waited for: the time of a write would tell that there is such a user
      written.catch((error: unknown) => fault(error, 'the audit of a failed sign-in'))
      throw wrong(inner ?? '')
    }
    await written
    attempt.succeeded()
    return { account, hash }
  }

  async function take(name: string, sender: Sender): Promise<Attempt> {
    try {
      return await throttle.take(name, sender.ip)
    } catch (error) {
      if (error instanceof Refusal) tellUnknown(error.facts.inner ?? error.code, sender)
      throw error
    }
  }

  function tellUnknown(reason: string, { ip, userAgent }: Sender): void {
    noteUnknown({ surface: 'oauth', ip, userAgent, reason })
  }
}

function reasonOf({ active }: Account, hash: string | undefined, isRight: boolean): string | null {
  if (hash === undefined) return 'the user has no password'
  if (!isRight) return 'wrong password'
  return active ? null : 'the user is inactive'
}

function wrong(inner: string): Refusal {
  return refuse('credential_invalid', { detail: 'The name or the password is wrong.', inner })
}

/**
 * The entry of an attempt to sign in by a known user.
 * @param at the issuer at which the user signed in; null for a password
 * @param inner why it failed; null when it did not.
 */
export function toSignInEntry(
  { id, slug }: Account,
  at: string | null,
  { ip, userAgent }: Sender,
  inner: string | null,
  clock: Clock,
): AuditEntry {
  return newAuditEntry(clock, {
    actor: { id, type: 'user', name: slug, auth_method: at === null ? 'password' : 'oidc' },
    surface: 'oauth',
    operation: 'access.sign_in',
    action: 'READ',
    resource: { type: 'user', id, slug, collection: null },
    ip,
    user_agent: userAgent,
    outcome: inner === null ? 'ok' : 'denied',
    error: inner === null ? null : 'credential_invalid',
    detail: inner ?? (at === null ? null : `Signed in at ${at}.`),
  })
}

// Slows down failed sign-ins, by name and by source.

const FORGOTTEN_MS = 60 * 60_000
/**
 * A name waits for at most five minutes: whoever wants to keep its owner out by failing on purpose keeps having to, and
 * whoever guesses has 300 guesses a day. A success starts the name anew.
 */
const OF_A_NAME = {
  kind: 'sign_in_name',
  backoff: { free: 5, waitMsMax: 5 * 60_000, forgottenMs: FORGOTTEN_MS },
  isClearedBySuccess: true,
} as const satisfies Partial<BackoffKey>
/**
 * A source may be an office with many people. A success forgets this one attempt alone, so that nobody clears the way for
 * guesses by signing in as themselves.
 */
const OF_A_SOURCE = {
  kind: 'sign_in_source',
  backoff: { free: 30, waitMsMax: 15 * 60_000, forgottenMs: FORGOTTEN_MS },
  isClearedBySuccess: false,
} as const satisfies Partial<BackoffKey>

/** Attempts to sign in, by the name that was given and by where they came from. */
export interface SignInThrottle {
  /**
   * Counts an attempt as failed before it is made, so that many at once are no way around. Rejects with auth_throttled while a
   * wait is on.
   */
  take(name: string, ip: string | null): Promise<Attempt>
}

/** @param networkOf whom an address stands for. */
export function createSignInThrottle(throttle: Throttle, networkOf: (ip: string) => string): SignInThrottle {
  return {
    async take(name, ip) {
      const attempted = await throttle.attempt([
        { ...OF_A_NAME, key: name.normalize('NFKC').trim().toLowerCase().slice(0, 320) },
        { ...OF_A_SOURCE, key: ip === null ? '' : networkOf(ip) },
      ])
      if (attempted.admitted) return attempted.attempt
      const [ofName = 0, ofSource = 0] = attempted.waitsMs
      throw refuse('auth_throttled', {
        detail: 'Too many attempts have failed. Wait before you try again.',
        members: { retry_after_ms: Math.ceil(Math.max(ofName, ofSource)) },
        inner: ofName > 0 ? 'too many failures for the name' : 'too many failures from the address',
      })
    },
  }
}

// Hashes and verifies passwords. One password is hashed at a time, so that sign-ins cannot use up the CPU.

const derive = promisify(argon2)

/** Argon2id as the OWASP Password Storage Cheat Sheet asks for: 19 MiB, two passes, one lane. */
const MEMORY_KIB = 19_456
const PASSES = 2
const LANES = 1
const SALT_BYTES = 16
const TAG_BYTES = 32

/** Characters of a password. NIST SP 800-63B section 3.1.1.2 asks for length and for no rules of composition. */
const LENGTH_MIN = 12
const LENGTH_MAX = 256

/** Those who wait for their turn; each waits for about 50 ms for each before them. */
const WAITING_MAX = 20

/** What is kept of a password: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`, the PHC string format. */
export interface Passwords {
  /** Refuses with auth_throttled when too many wait. */
  hash(password: string): Promise<string>
  /**
   * True for the password that was hashed. Without a hash it takes as long, and is false: how long an answer takes must
   * not tell which names there are. Refuses with auth_throttled when too many wait.
   */
  verify(password: string, hash: string | undefined): Promise<boolean>
}

/** Hashes one password at a time: each takes 19 MiB and a core, which nobody who guesses shall have several of. */
export function createPasswords(): Passwords {
  let waiting = 0
  const line = new InLine(1)
  const decoy = format(randomBytes(SALT_BYTES), randomBytes(TAG_BYTES))

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (waiting >= WAITING_MAX)
      throw refuse('auth_throttled', {
        detail: 'Too many sign-ins at the moment. Try again in a second.',
        members: { retry_after_ms: 1000 },
        inner: 'too many passwords are being checked',
      })
    waiting++
    return line.run('', work).finally(() => {
      waiting--
    })
  }

  return {
    async hash(password) {
      const salt = randomBytes(SALT_BYTES)
      return format(salt, await inTurn(() => tagOf(password, salt, TAG_BYTES, [MEMORY_KIB, PASSES, LANES])))
    },
    async verify(password, hash) {
      const { cost, salt, tag } = parse(hash ?? decoy)
      const found = await inTurn(() => tagOf(password, salt, tag.length, cost))
      return timingSafeEqual(found, tag) && hash !== undefined
    },
  }
}

/**
 * Why a password cannot be taken, as a sentence; null when it can.
 * @param names of whoever it is for, which others would try first.
 */
export function faultOfPassword(password: string, names: readonly string[]): string | null {
  const length = [...password.normalize('NFKC')].length
  if (length < LENGTH_MIN) return `A password has at least ${LENGTH_MIN} characters.`
  if (length > LENGTH_MAX) return `A password has at most ${LENGTH_MAX} characters.`
  const folded = fold(password)
  if (names.some((name) => fold(name) === folded)) return 'The password must not be the name or the email.'
  return null
}

const fold = (text: string): string => text.normalize('NFKC').trim().toLowerCase()

type Cost = readonly [memory: number, passes: number, lanes: number]

function tagOf(password: string, nonce: Buffer, tagLength: number, cost: Cost): Promise<Buffer> {
  const [memory, passes, parallelism] = cost
  // One text has several spellings in Unicode, and keyboards differ in which they send
  const message = password.normalize('NFKC')
  const parameters: Argon2Parameters = { message, nonce, tagLength, memory, passes, parallelism }
  return derive('argon2id', parameters)
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')

function format(salt: Buffer, tag: Buffer): string {
  const cost = `m=${MEMORY_KIB},t=${PASSES},p=${LANES}`
  return `$argon2id$v=19$${cost}$${unpadded(salt)}$${unpadded(tag)}`
}

/** Throws for a text that {@link format} did not make. */
function parse(text: string): { readonly cost: Cost; readonly salt: Buffer; readonly tag: Buffer } {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text)
  if (match === null) throw new Error('What is stored is no hash of a password.')
  const [, memory, passes, lanes, salt, tag] = match
  return {
    cost: [Number(memory), Number(passes), Number(lanes)],
    salt: Buffer.from(salt!, 'base64'),
    tag: Buffer.from(tag!, 'base64'),
  }
}
