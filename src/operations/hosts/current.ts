import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { Time } from '../../model/members.ts'
import type { StoredToken } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { isLive, toState } from '../profiles/tokens.ts'

/** What get and list show of the token of a binding. */
export const currentBindingShape = {
  token_state: z
    .enum(['none', 'valid', 'expiring_soon', 'expired', 'revoked'])
    .optional()
    .describe('State of the token; none: no token was issued. Shown by get and list'),
  token_issued_at: Time.nullable()
    .optional()
    .describe('When the token was issued; null: no token. Shown by get and list'),
  token_expires_at: Time.nullable()
    .optional()
    .describe('When the token expires; null: never, or no token. Shown by get and list'),
}

/** What get and list show of the bindings of a host. */
export const currentHostShape = {
  bindings: z.int().optional().describe('Number of its bindings. Shown by get and list'),
  valid_tokens: z
    .int()
    .optional()
    .describe('Number of its bindings with a valid token. Shown by get and list'),
}

/** State and times of the token of each binding, by id of the binding. */
export async function currentBindings(
  bindings: readonly Resource[],
  { reader, clock }: OperationContext,
): Promise<ReadonlyMap<string, Fields>> {
  const now = clock.now()
  const tokens = await tokensBelow(bindings, reader)
  return new Map(bindings.map(({ id }) => [id, tokenOf(tokens.get(id) ?? [], now)]))
}

/** The numbers of bindings, and of bindings with a valid token, by id of the host. */
export async function currentHosts(
  hosts: readonly Resource[],
  { reader, clock }: OperationContext,
): Promise<ReadonlyMap<string, Fields>> {
  const now = clock.now()
  const bindings = await reader.below(
    'bindings',
    hosts.map(({ id }) => id),
  )
  const tokens = await tokensBelow(bindings, reader)
  const byHost = Map.groupBy(bindings, ({ parent }) => parent)
  return new Map(
    hosts.map(({ id }) => {
      const own = byHost.get(id) ?? []
      const withToken = own.filter((binding) => tokens.get(binding.id)?.some((token) => isLive(token, now)))
      return [id, { bindings: own.length, valid_tokens: withToken.length }]
    }),
  )
}

async function tokensBelow(bindings: readonly Resource[], reader: OperationContext['reader']) {
  return Map.groupBy(await reader.tokensOf(bindings.map(({ id }) => id)), ({ profile }) => profile)
}

/** The valid token, or else the one that was issued last: a revoked token is still told from none. */
function tokenOf(tokens: readonly StoredToken[], now: number): Fields {
  const token = tokens.find((one) => isLive(one, now)) ?? tokens.toSorted(byAge).at(-1)
  if (token === undefined) return { token_state: 'none', token_issued_at: null, token_expires_at: null }
  const { state, expires_at } = toState(token, now)
  return { token_state: state, token_issued_at: toTime(token.created_at), token_expires_at: expires_at }
}

function byAge(one: StoredToken, other: StoredToken): number {
  return one.created_at - other.created_at
}
