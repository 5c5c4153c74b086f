/**
 * Authenticates local users by password. An unknown name, an inactive user and a wrong password get the same response after
 * the same time. The audit entry of a failed sign-in is therefore not awaited: the time would reveal whether the user exists.
 */
import type { Account, Accounts } from '../../access/accounts.ts'
import type { Sender } from '../../access/sender.ts'
import type { Clock } from '../../base/clock.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import { newAuditEntry } from '../../model/access/new-audit-entry.ts'
import type { Attempt } from '../../shared-state/ports/throttle.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { Passwords } from './passwords.ts'
import type { SignInThrottle } from './throttle.ts'

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
