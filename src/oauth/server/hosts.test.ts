import assert from 'node:assert/strict'
import { test } from 'node:test'
import { arriveWith } from './hosts.ts'

type Arrival = Parameters<Parameters<typeof arriveWith>[1]['arrive']>[0]

async function arrivalOf(client: Parameters<typeof arriveWith>[0]): Promise<Arrival> {
  let came: Arrival | undefined
  const arrive = async (application: Arrival) => {
    came = application
    return { id: '', slug: '', active: true, isHeld: false }
  }
  await arriveWith(client, { arrive })
  return came!
}

test('a registered name with brackets is not taken for a registration with other redirects', async () => {
  const of = async (clientName: string, ...redirectUris: string[]): Promise<string> =>
    (await arrivalOf({ clientId: 'abc', clientName, redirectUris })).software
  const known = await of('Notes', 'https://notes.example/callback')
  assert.equal(known, 'registered:Notes (https://notes.example/callback)')
  for (const other of [
    await of('Notes (notes.example)', 'https://evil.example/'),
    await of('Notes (notes.example)'),
    await of('Notes (', 'https://notes.example/'),
    await of('Notes', 'https://notes.example/', 'https://evil.example/'),
    await of('Notes', 'https://notes.example.evil.example/'),
    await of('Notes', 'https://notes.example/'),
    await of('Notes', 'https://notes.example/callback?to=evil'),
    await of('Notes', 'https://notes.example:8443/callback'),
  ])
    assert.notEqual(other, known)
  assert.equal((await arrivalOf({ clientId: 'https://notes.example/a' })).software, 'https://notes.example/a')
})

test('an application without a name is called by the beginning of its id', async () => {
  const clientId = `https://notes.example/${'a'.repeat(500)}`
  const { name, software } = await arrivalOf({ clientId })
  assert.equal(name, clientId.slice(0, 100))
  assert.equal(software, clientId)
})

test('long lists of redirects that begin alike are told apart, and programs of a computer are known without port and path', async () => {
  const of = async (...redirectUris: string[]): Promise<string> =>
    (await arrivalOf({ clientId: 'abc', clientName: 'Notes', redirectUris })).software
  const long = Array.from({ length: 10 }, (_, n) => `https://notes.example/${n}${'a'.repeat(400)}`)
  const known = await of(...long)
  assert.ok(known.length <= 2048)
  assert.notEqual(await of(...long, 'https://x.evil.example/'), known)
  assert.equal(await of(...long.toReversed()), known)
  assert.equal(await of('http://127.0.0.1:33418/callback'), await of('http://127.0.0.1:5000/other'))
  assert.equal(await of('notes://sign-in/one'), await of('notes://sign-in/two'))
})
