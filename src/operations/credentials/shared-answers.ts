import { refuse } from '../../base/refusal.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Self } from '../engine/kind.ts'
import { calledBy } from '../engine/refs.ts'

/**
 * An upstream that is called in the name of each caller gives each its own answers: where a credential of type
 * token_exchange is used, they cannot be kept for a client or for everyone. Judged from either end: the credential,
 * the collection that uses it, and the proxy.
 */

/** For a credential that is about to have these fields. */
export async function answersStayApart(fields: Fields, self: Self, context: OperationContext): Promise<void> {
  if (typeOf(fields) !== 'token_exchange') return
  const { whole } = context
  for (const user of await whole.usersOf(self.id)) {
    if (user.type === 'collections')
      await refuseSharing(context, await whole.all('proxies', user.id), 'inherit', '/auth/type')
    else if (user.type === 'proxies') await refuseSharing(context, [user], self.id, '/auth/type')
  }
}

/** For a collection. */
export async function collectionKeepsApart(
  { credential }: { readonly credential: string | null },
  self: Self,
  context: OperationContext,
): Promise<void> {
  if (credential !== null && (await exchanges(credential, context)))
    await refuseSharing(context, await context.whole.all('proxies', self.id), 'inherit', '/credential')
}

/** For a proxy. */
export async function proxyKeepsApart(
  spec: { readonly credential: string; readonly cache?: unknown },
  self: Self,
  context: OperationContext,
): Promise<void> {
  if (!isShared(spec.cache) || self.parent === null) return
  const collection = await context.whole.byId('collections', self.parent)
  const id = spec.credential === 'inherit' ? collection?.spec['credential'] : spec.credential
  if (typeof id === 'string' && id !== 'none' && (await exchanges(id, context)))
    throw refusal('this proxy', '/cache/scope')
}

async function exchanges(id: string, { whole }: OperationContext): Promise<boolean> {
  const credential = await whole.byId('credentials', id)
  return credential !== undefined && typeOf(credential.spec) === 'token_exchange'
}

function typeOf(spec: Fields): unknown {
  return (spec['auth'] as Fields)['type']
}

function isShared(cache: unknown): boolean {
  const scope = (cache as Fields | null | undefined)?.['scope']
  return scope === 'client' || scope === 'shared'
}

/** @param credential what a proxy has in its own `credential` when the rule is about it. */
async function refuseSharing(
  { reader }: OperationContext,
  proxies: readonly Resource[],
  credential: string,
  pointer: string,
): Promise<void> {
  const sharing = proxies.find(({ spec }) => spec['credential'] === credential && isShared(spec['cache']))
  if (sharing !== undefined) throw refusal(await calledBy(reader, sharing), pointer)
}

function refusal(proxy: string, pointer: string) {
  return refuse('configuration_invalid', {
    detail: `With a credential of type token_exchange each caller has answers of its own, and ${proxy} keeps them for others; set the scope of its cache to profile.`,
    errors: [{ pointer, reason: `${proxy} keeps answers for others than the caller` }],
  })
}
