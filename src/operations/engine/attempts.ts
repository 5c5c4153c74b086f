/** Idempotency keys of management: a repeated write gets the answer of the first one. */
import type { Grant, Principal } from '../../access/principal.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import { refuse } from '../../base/refusal.ts'
import type { ConfigReader, ConfigWriter } from '../../store/ports/config.ts'
import type { Vault } from '../../vault/vault.ts'
import type { Invoked } from './call.ts'
import type { Operation } from './define.ts'
import { fingerprinted } from './unread.ts'
import type { WriteOptions } from './write-options.ts'

const KEPT_MS = 24 * 3_600_000

/** What makes two calls the same call. */
export interface Attempt {
  readonly scope: string
  readonly fingerprint: string
}

/**
 * The attempt that a key names, or null without a key. The fingerprint is keyed: inputs hold secrets. It has the grants
 * of the caller too: whoever may do less than then is not given the answer again.
 */
export function attemptOf(
  operation: Operation,
  input: unknown,
  options: WriteOptions,
  principal: Principal,
  vault: Vault,
): Attempt | null {
  const { idempotencyKey: key, mode, confirm, expectedRevision, reason } = options
  if (key === undefined) return null
  return {
    scope: canonicalJson([principal.id, operation.resource, operation.action, key]),
    fingerprint: vault.fingerprint(
      canonicalJson({
        input: fingerprinted(input),
        mode,
        confirm,
        expectedRevision,
        reason,
        grants: principal.grants.map(toPlain),
      }),
    ),
  }
}

function toPlain({ role, scope }: Grant): unknown {
  return { role: typeof role === 'object' ? [...role.permissions].sort() : role, scope }
}

/**
 * The first answer to the same attempt, or undefined. Refuses with idempotency_conflict when the key was used for
 * something else, and with secret_already_shown when the answer had a secret.
 */
export async function replay(
  reader: ConfigReader,
  attempt: Attempt,
  now: number,
): Promise<Invoked | undefined> {
  const stored = await reader.answer(attempt.scope)
  if (stored === undefined || stored.expires_at <= now) return undefined
  if (stored.fingerprint !== attempt.fingerprint) throw refuse('idempotency_conflict')
  if (stored.answer === null) throw refuse('secret_already_shown')
  // Only remember writes these, from an Invoked.
  return stored.answer as unknown as Invoked
}

/** Keeps an answer for a day; one with a secret only as the fact that it was given. */
export async function remember(
  writer: ConfigWriter,
  attempt: Attempt,
  answer: Invoked,
  revealed: boolean,
  now: number,
): Promise<void> {
  await writer.putAnswer(
    { ...attempt, answer: revealed ? null : { ...answer }, expires_at: now + KEPT_MS },
    now,
  )
}
