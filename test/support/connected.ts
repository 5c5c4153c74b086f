import assert from 'node:assert/strict'
import type { ConnectionAnswer } from '../../src/model/access/caller.ts'
import type { ConnectedOrigin, Federation } from '../../src/oauth/federation/port.ts'

/** A browser goes there and comes back. */
export async function visit(begun: URL): Promise<URL> {
  const { status, headers } = await fetch(begun, { redirect: 'manual' })
  assert.equal(status, 302)
  return new URL(headers.get('location')!)
}

/** A person begins to connect an account, and agrees to what the origin asks for. */
export async function beginAt(
  federation: Federation,
  user: string,
  origin: ConnectedOrigin,
  by: string,
  returnTo: string,
): Promise<URL> {
  const offer = await federation.offer(user, origin)
  const to = await federation.begin(user, origin, by, returnTo, offer?.digest ?? '')
  assert.ok(to instanceof URL, 'the offer has changed')
  return to
}

/** A person connects an account where the authorization server asks nothing. */
export async function connect(
  { federation }: { readonly federation: Federation },
  origin: ConnectedOrigin,
  user = 'ada',
): Promise<void> {
  const by = user === '' ? 'admin' : user
  await federation.finish(await visit(await beginAt(federation, user, origin, by, '/connect')), by)
}

/** The answer, which gives a header. */
export function given(answer: ConnectionAnswer): Extract<ConnectionAnswer, { ok: true }> {
  assert.ok(answer.ok, JSON.stringify(answer))
  return answer
}

/** The code of an answer that gives none. */
export function codeOf(answer: ConnectionAnswer): string {
  assert.ok(!answer.ok, 'a header is given')
  return answer.code
}
