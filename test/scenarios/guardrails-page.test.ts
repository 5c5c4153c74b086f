import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { INJECTION_KINDS, PII_KINDS, SECRET_KINDS } from '../../src/detectors/settings.ts'
import { runCommand } from './cli.ts'
import { startOrders } from './orders.ts'

const { server, ask, stop } = await startOrders()
after(stop)
const page = await readFile(resolve(import.meta.dirname, '../../docs/guardrails.md'), 'utf8')
const guardrails = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => text!)

test('the commands of the page about guardrails make and test its first guardrail', async () => {
  const file = join(server.data, 'guardrail.json')
  await writeFile(file, guardrails[0]!)
  const commands = [...page.matchAll(/\$ postern (.*)\n/g)].map(([, line]) => line!)
  assert.equal(commands.length, 2)
  const words = commands.map((line) =>
    [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!),
  )
  const made = await runCommand(
    server.data,
    words[0]!.map((word) => (word === 'guardrail.json' ? file : word)),
  )
  assert.equal(made.code, 0, made.err)
  const tested = await runCommand(server.data, words[1]!)
  assert.equal(tested.code, 0, tested.err)
  const answer = JSON.parse(tested.out) as Record<string, unknown>
  for (const member of ['outcome', 'result'])
    assert.ok(page.includes(`\`"${member}": ${JSON.stringify(answer[member])}\``), JSON.stringify(answer))
  assert.deepEqual(answer['found'], [{ detector: 'pii', kind: 'card', count: 1 }])
  const changed = await ask('POST', '/v1/orders', { card: '4111 1111 1111 1111' })
  assert.match(changed.text, /\*{8}1111/)
})

test('the other guardrails of the page can be made as they stand, and switched to enforce', async () => {
  assert.equal(guardrails.length, 6)
  for (const guardrail of guardrails.slice(1)) {
    const made = await server.manage('POST', '/guardrails', guardrail)
    assert.equal(made.status, 201, made.text)
  }
  const update = /`postern (guardrails update [^`]*)`/.exec(page)![1]!
  const updated = await runCommand(server.data, update.split(' '))
  assert.equal(updated.code, 0, updated.err)
})

test('the page lists the kinds of each detector', () => {
  for (const [type, kinds] of Object.entries({
    pii: PII_KINDS,
    secrets: SECRET_KINDS,
    injection: INJECTION_KINDS,
  })) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${type}\` | \`${kinds[0]}\``)) ?? ''
    const listed = [...row.replace(/\([^)]*\)/g, '').matchAll(/`(\w+)`/g)].map(([, kind]) => kind!)
    assert.deepEqual(listed, [type, ...kinds])
  }
})
