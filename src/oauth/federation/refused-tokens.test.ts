import assert from 'node:assert/strict'
import { test } from 'node:test'
import { beginAt } from '../../../test/support/connected.ts'
import { connectedOrigin, POSTERN, startFederation } from '../../../test/support/federation.ts'
import { ScriptedServer } from '../../../test/support/scripted-as.ts'
import type { ConnectionAnswer } from '../../model/access/caller.ts'

/** A federation with an account that Ada has connected. */
async function connected(server: ScriptedServer) {
  const all = startFederation()
  const origin = all.know(connectedOrigin(server.mcp))
  const { headers } = await fetch(await beginAt(all.federation, 'ada', origin, 'ada', '/connect'), {
    redirect: 'manual',
  })
  await all.federation.finish(new URL(headers.get('location')!), 'ada')
  const answer = (refused: Parameters<typeof all.federation.answer>[2]): Promise<ConnectionAnswer> =>
    all.federation.answer('ada', origin.id, refused)
  return { ...all, origin, answer }
}

function given(answer: ConnectionAnswer) {
  assert.ok(answer.ok, JSON.stringify(answer))
  return answer
}

test('a token that an origin refuses just after its refresh ends the connection, and the person gets the page', async () => {
  await using server = await new ScriptedServer().listen()
  const { answer, federation, origin, ended, happened } = await connected(server)
  const { connection, generation } = given(await answer(null))
  const next = given(await answer({ connection, generation }))
  const last = await answer({ connection, generation: next.generation, isAgain: true })
  assert.deepEqual(last, {
    ok: false,
    code: 'connect_required',
    reason: 'The connection to Desk has ended.',
    page: `${POSTERN}/connect/desk`,
  })
  assert.equal(server.refreshes(), 1)
  assert.deepEqual(ended, [connection])
  assert.equal((await federation.shown('ada', origin.id)).state, 'refresh_failed')
  const { issuer, ...told } = happened.at(-1)!
  assert.match(String(issuer), /^http:/)
  assert.deepEqual(told, {
    event: 'refresh_failed',
    user: 'ada',
    origin: origin.id,
    reason: 'Desk refuses a token that was just refreshed',
  })
})

test('what was refused before the last refresh says nothing against the token that came since', async () => {
  await using server = await new ScriptedServer().listen()
  const { answer, ended } = await connected(server)
  const { connection, generation } = given(await answer(null))
  const next = given(await answer({ connection, generation }))
  const late = given(await answer({ connection, generation, isAgain: true }))
  assert.equal(late.value, next.value)
  const other = given(await answer({ connection: 'con_before', generation: 9, isAgain: true }))
  assert.equal(other.value, next.value)
  assert.deepEqual(ended, [])
})

test('a token that another call has had refreshed long before is refreshed once more before the connection ends', async () => {
  await using server = await new ScriptedServer().listen()
  const { answer, ended, move } = await connected(server)
  const { connection, generation } = given(await answer(null))
  const next = given(await answer({ connection, generation }))
  move(60_000)
  const third = given(await answer({ connection, generation: next.generation, isAgain: true }))
  assert.ok(third.generation > next.generation)
  assert.equal(server.refreshes(), 2)
  assert.deepEqual(ended, [])
})
