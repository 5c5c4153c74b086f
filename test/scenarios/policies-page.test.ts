import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { runCommand } from './cli.ts'
import { publishOrders, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let upstream: TestUpstream
let server: TestServer
let token: string
let page: string

before(async () => {
  upstream = await startUpstream()
  server = await startTestServer()
  token = await publishOrders(server, upstream.url)
  await server.manage('PATCH', '/clients/acme', { policy: null })
  await server.manage('DELETE', '/policies/gold?confirm=gold')
  page = await readFile(resolve(import.meta.dirname, '../../docs/policies.md'), 'utf8')
})
after(async () => {
  await server.stop()
  await upstream.close()
})

function blocks(language: string): string[] {
  return [...page.matchAll(/```(\w*)\n([\s\S]*?)```/g)]
    .filter((one) => one[1] === language)
    .map((one) => one[2]!)
}

const postern = (...args: string[]) => runCommand(server.data, args)

test('every policy of the page about policies can be made as it stands', async () => {
  const policies = blocks('json')
  assert.equal(policies.length, 4)
  for (const policy of policies) {
    const answer = await server.manage('POST', '/policies', policy)
    assert.equal(answer.status, 201, answer.text)
  }
})

test('a call answers with the fields of the page, and usage prints what the page says', async () => {
  const attach = /`postern (clients update [^`]*)`/.exec(page)![1]!
  const attached = await postern(...attach.split(' '))
  assert.equal(attached.code, 0, attached.err)
  const answer = await server.gateway('GET', '/orders/v1/orders/7', { token })
  assert.equal(answer.status, 200, answer.text)
  for (const line of blocks('http')[0]!.trim().split('\n')) {
    const [name, value] = line.split(/: (.*)/)
    const pattern = value!.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace('…', '\\d+')
    assert.match(answer.headers.get(name!) ?? '', new RegExp(`^${pattern}$`))
  }
  const [, command, expected] = /\$ postern (.*)\n([\s\S]*?)```/.exec(page)!
  // The place of the call is free a moment after its answer.
  await until(
    () => server.manage('GET', '/policies/gold/usage'),
    (reply) => reply.json.items[2].used === 0,
  )
  assert.equal((await postern(...command!.split(' '))).out, expected)
})
