import assert from 'node:assert/strict'
import { test } from 'node:test'
import { arriveWith } from './hosts.ts'

type Arrival = Parameters<Parameters<typeof arriveWith>[1]['arrive']>[0]

async function arrivalOf(client: Parameters<typeof arriveWith>[0]): Promise<Arrival> {
  let came: Arrival | undefined
  const arrive = async (application: Arrival) => {
    came = application
    return { id: '', slug: '', active: true }
  }
  await arriveWith(client, { arrive })
  return came!
}

test('a registered name with brackets is not taken for a registration with other redirects', async () => {
  const of = async (clientName: string, ...redirectUris: string[]): Promise<string> =>
    (await arrivalOf({ clientId: 'abc', clientName, redirectUris })).software
  const known = await of('Notes', 'https://notes.example/callback')
  assert.equal(known, 'registered:Notes (notes.example)')
  for (const other of [
    await of('Notes (notes.example)', 'https://evil.example/'),
    await of('Notes (notes.example)'),
    await of('Notes (', 'https://notes.example/'),
    await of('Notes', 'https://notes.example/', 'https://evil.example/'),
    await of('Notes', 'https://notes.example.evil.example/'),
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
