/** The federation against an authorization server of another project. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Browser } from '../../../test/support/browser.ts'
import { beginAt, codeOf, given } from '../../../test/support/connected.ts'
import { connectedOrigin, type StartedFederation, startFederation } from '../../../test/support/federation.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../../../test/support/guarded-origin.ts'
import type { ConnectedOrigin } from './port.ts'

let real: GuardedOrigin
before(async () => {
  real = await startGuardedOrigin()
})
after(() => real[Symbol.asyncDispose]())

async function connect(
  { federation }: StartedFederation,
  origin: ConnectedOrigin,
  user: string,
): Promise<URL> {
  real.account = user
  const begun = await beginAt(federation, user, origin, user, '/connect')
  const { url: back } = await new Browser(real.issuer).open(begun)
  await federation.finish(back, user)
  return begun
}

/** As whom the MCP server sees a call with this header; null where it refuses the token. */
async function accountOf(authorization: string): Promise<string | null> {
  const answer = await fetch(real.url, {
    method: 'POST',
    headers: { authorization },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami' } }),
  })
  const { result } = (await answer.json()) as { result?: { content: { text: string }[] } }
  return answer.status === 401 ? null : result!.content[0]!.text
}

test('people connect, tokens are refreshed and rotated, and disconnecting revokes them', async () => {
  const all = startFederation()
  const origin = all.know(
    connectedOrigin(real.url, { oauth: { scopes: ['openid', 'offline_access', 'tools'] } }),
  )
  for (const user of ['ada', 'bob']) await connect(all, origin, user)
  const first = given(await all.federation.answer('ada', origin.id, null))
  assert.equal(await accountOf(first.value), 'ada')
  assert.equal((await all.federation.shown('ada', origin.id)).accountLabel, 'ada@origin.example')

  // Twice: the second proves that the rotated refresh token was stored
  for (const generation of [2, 3]) {
    all.move(3600_000)
    const answers = await Promise.all(
      ['ada', 'bob', 'ada', 'bob'].map((user) => all.federation.answer(user, origin.id, null)),
    )
    const persons = await Promise.all(answers.map((one) => accountOf(given(one).value)))
    assert.deepEqual(persons, ['ada', 'bob', 'ada', 'bob'])
    assert.equal(given(answers[0]!).generation, generation)
  }
  const last = given(await all.federation.answer('ada', origin.id, null))
  await all.federation.disconnect('ada', origin)
  assert.equal(await accountOf(last.value), null)
  assert.equal(codeOf(await all.federation.answer('ada', origin.id, null)), 'connect_required')
  given(await all.federation.answer('bob', origin.id, null))
})

test('a client that the server has forgotten is registered anew', async () => {
  const all = startFederation()
  const origin = all.know(connectedOrigin(real.url))
  const first = (await connect(all, origin, 'ada')).searchParams.get('client_id')!
  await real.evict(first)
  all.move(3600_000)
  assert.equal(codeOf(await all.federation.answer('ada', origin.id, null)), 'connect_required')
  const second = (await connect(all, origin, 'ada')).searchParams.get('client_id')!
  assert.notEqual(second, first)
  await real.evict(second)
  all.move(3600_000)
  const third = (await connect(all, origin, 'ada')).searchParams.get('client_id')!
  assert.notEqual(third, second)
  given(await all.federation.answer('ada', origin.id, null))
})
