import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import type { AuditEntry } from '../../src/model/access/audit.ts'
import { openTamper } from '../support/tamper.ts'
import { runCommand } from './cli.ts'
import { askMcp, call, startTestServer } from './server.ts'

test('the trail of a running gateway is verified over REST, MCP and the command line, and a planted change is found', async () => {
  await using server = await startTestServer()
  for (const name of ['A', 'B', 'C'])
    assert.equal((await server.manage('POST', '/policies', { name })).status, 201)

  const whole = await server.manage('GET', '/audit/verify')
  assert.equal(whole.status, 200, whole.text)
  assert.equal(whole.json.ok, true)
  assert.ok(whole.json.entries >= 4, whole.text)
  const { seq, hash } = whole.json.head
  const tool = await askMcp(server, '/management/mcp', server.adminToken, 'tools/call', {
    name: 'verify_audit_chain',
    arguments: {},
  })
  assert.match(tool.text, /"ok":true/)
  const said = await runCommand(server.data, ['audit', 'verify', '--seq', String(seq), '--hash', hash])
  assert.equal(said.code, 0, said.err)
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/audit.md'), 'utf8')
  const [, shown] = /\$ postern audit verify\n([\s\S]*?)```/.exec(page)!
  const names = (text: string): string[] =>
    text
      .trim()
      .split('\n')
      .map((line) => line.split(' ', 1)[0]!)
  assert.deepEqual(names(said.out), names(shown!), 'as docs/audit.md shows it')

  const half = await server.manage('GET', `/audit/verify?seq=${seq}`)
  assert.equal(half.status, 400, half.text)
  assert.equal(half.json.errors[0].pointer, '/hash')
  for (const [role, status] of [
    ['auditor', 200],
    ['viewer', 403],
    ['modifier', 403],
  ] as const) {
    const { token } = await server.running.issueToken({ role, ttl: '5m', name: role })
    const url = `${server.running.controlUrl}/management/v1/audit/verify`
    assert.equal((await call('GET', url, { token })).status, status, role)
  }

  {
    await using tamper = await openTamper(server.data)
    await tamper.unguardAudit()
    await tamper.execute("update audit set actor_name = 'nobody' where seq = 2")
  }
  const broken = await runCommand(server.data, ['audit', 'verify'])
  assert.equal(broken.code, 1)
  assert.match(broken.out, /break\.what +the entry does not follow/)
  assert.equal((await server.manage('GET', '/audit/verify')).json.break.seq, 2)
})

test('collection deletions of 30 days, and who changed Payments this week, are one call each on every surface', async () => {
  await using server = await startTestServer()
  const collection = (name: string) => ({
    name,
    slug: name.toLowerCase(),
    base_path: `/${name.toLowerCase()}`,
  })
  for (const name of ['Payments', 'Before', 'Lately'])
    await server.manage('POST', '/collections', collection(name))
  await server.manage('DELETE', '/collections/before?confirm=before')
  server.moveClock(31 * 86_400_000)
  const { token } = await server.running.issueToken({ role: 'admin', ttl: '1h', name: 'ann' })
  const manage = (method: string, path: string, body?: unknown) =>
    server.manage(method, path, body, { token })
  await manage('DELETE', '/collections/lately?confirm=lately')
  const proxy = { collection: 'payments', name: 'Pay', methods: ['POST'], path: '/pay' }
  await manage('POST', '/proxies', proxy)
  await manage('PATCH', '/collections/payments', { name: 'Payments 2' })

  for (const [question, answer] of [
    [
      { action: 'DELETE', resource_type: 'collection', from: '-30d' },
      [['ann', 'collections.delete', 'lately']],
    ],
    [
      { action: 'CHANGE', collection: 'payments', from: '-7d' },
      [
        ['ann', 'collections.update', 'payments'],
        ['ann', 'proxies.create', 'pay'],
      ],
    ],
  ] as const) {
    const said = (items: AuditEntry[]) =>
      items.map(({ actor, operation, resource }) => [actor.name, operation, resource.slug])
    const query = new URLSearchParams(question).toString()
    assert.deepEqual(said((await manage('GET', `/audit?${query}`)).json.items), answer)
    const params = {
      name: 'query_audit',
      arguments: { ...question, action: 'list', filter_action: question.action },
    }
    const { json } = await askMcp(server, '/management/mcp', token, 'tools/call', params)
    assert.deepEqual(said(json.result.structuredContent.items), answer)
    const flags = Object.entries(question).flatMap(([name, value]) => [`--${name.replace('_', '-')}`, value])
    const { code, out, err } = await runCommand(server.data, ['audit', 'list', ...flags, '-o', 'json'])
    assert.equal(code, 0, err)
    assert.deepEqual(said(JSON.parse(out).items), answer)
  }
})

test('what is written when the gateway stops is signed, and the next start verifies it', async () => {
  const first = await startTestServer()
  const { data } = first
  await first.manage('POST', '/policies', { name: 'A' })
  await first.running.stop()
  await using again = await startTestServer({ data })
  const { json } = await again.manage('GET', '/audit/verify')
  assert.equal(json.ok, true, JSON.stringify(json))
  assert.equal(json.checkpoints, 1)
  await again.manage('POST', '/keys/rotate', {})
  assert.equal((await again.manage('GET', '/audit/verify')).json.ok, true, 'also with a new key of the vault')
  await again.stop()
  // Removes the directory
  await first.stop()
})
