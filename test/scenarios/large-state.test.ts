/** How long operations hold the main thread by what is stored: the long form measures those that walk over thousands of things. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collectGarbage } from '../../src/base/threads/process.ts'
import type { Catalogue } from '../../src/model/mcp/capability-drift.ts'
import type { WriteOptions } from '../../src/operations/engine/write-options.ts'
import type { AuditTrail } from '../../src/record/audit-chain.ts'
import type { Resource } from '../../src/store/ports/resource.ts'
import { type Control, EMPTY_FOUND, example, startControl, trailIn } from '../control.ts'
import { IS_LONG } from '../support/long.ts'
import { longestBlock } from '../support/main-thread.ts'

/** Far above what a shared machine measures, and far below the seconds that these operations took. */
const BLOCK_MS_MAX = 1000
const DOCUMENTS = 5000
const HELD = 2000
const ITEMS = 2000
const skip = IS_LONG ? false : 'in the long form'

type Measure = (name: string, input: object, options?: WriteOptions) => Promise<Record<string, unknown>>

/** Measures operations, reports the longest blocks, and judges the longest. */
async function measuring(
  control: Control,
  say: (text: string) => void,
  work: (run: Measure) => Promise<void>,
): Promise<void> {
  let longest = 0
  await work(async (name, input, options = {}) => {
    let output: Record<string, unknown> = {}
    await collectGarbage()
    const ms = await longestBlock(async () => {
      ;({ output } = await control.run(name, input, options))
    })
    longest = Math.max(longest, ms)
    say(`${ms.toFixed(0)} ms: ${name} ${JSON.stringify(input).slice(0, 80)}`)
    return output
  })
  assert.ok(longest < BLOCK_MS_MAX, `${longest} ms`)
}

const list = <T>(length: number, item: (at: number) => T): T[] => Array.from({ length }, (_, at) => item(at))

test('revisions, a trail and lists of thousands hold the main thread for a short time', {
  skip,
}, async (t) => {
  let trail: AuditTrail | undefined
  const control = await startControl({ deps: { trail: { verify: (anchor) => trail!.verify(anchor) } } })
  trail = trailIn(control)
  const clients = (name: string): object[] =>
    list(DOCUMENTS, (at) => ({ kind: 'client', slug: `c${at}`, spec: { name: `${name} ${at}` } }))
  await control.run('config.apply', { documents: clients('Client') })
  const made = String(await control.store.read.revision())
  await control.run('config.apply', { documents: clients('Other') })
  await measuring(
    control,
    (text) => t.diagnostic(text),
    async (run) => {
      await run('revisions.list', {})
      await run('revisions.get', { id: made })
      const { more } = await run('revisions.diff', { from: made })
      assert.equal(more, DOCUMENTS - 1000)
      await run('revisions.rollback', { id: made }, { dryRun: true })
      const { changed } = await run('revisions.rollback', { id: made }, { confirm: made })
      assert.equal((changed as unknown[]).length, DOCUMENTS)
      assert.equal((await run('audit.verify', {}))['ok'], true)
      for (const input of [{ text: 'no such text' }, { detail: 'no such text' }, { actor: 'nobody' }])
        await run('audit.list', input)
      for (const input of [{ text: 'no such text' }, { active: true, order: 'updated' }, { tag: 'none' }])
        await run('clients.list', input)
      await run('config.export', {})
    },
  )
  await control.close()
})

test('a user who holds thousands of things is offboarded without holding the main thread', {
  skip,
}, async (t) => {
  const control = await startControl()
  await example(control)
  const { store } = control
  await control.run('users.create', { name: 'Ann', slug: 'ann' })
  await control.run('teams.create', { name: 'Team', members: [{ user: 'ann' }] })
  const user = (await store.read.bySlug('users', 'ann'))[0]!
  const team = (await store.read.bySlug('teams', 'team'))[0]!
  const now = Date.now()
  const number = (at: number): string => String(at).padStart(26, '0')
  await store.write(async (writer) => {
    const { connections, put } = await writer.joinOAuth()
    for (const at of list(HELD, (one) => one)) {
      const one: Resource = { ...team, id: `tea_${number(at)}`, slug: `t${at}` }
      await writer.insert(one)
      await writer.link(one.id, [user.id])
      const ids = {
        id: `pat_${number(at)}`,
        lookup: `l${at}`,
        hash: `h${at}`,
        name: `n${at}`,
        owner: user.id,
      }
      const rest = { grants: [], audience: 'a', method: 'personal_token', last_used_at: null }
      await writer.putAccessToken({
        ...{ ...ids, ...rest },
        ...{ created_at: now, expires_at: now + 1e9, revoked_at: null },
      })
      await connections.put({
        ...{ user: user.id, origin: `org_${number(at)}`, id: `con_${number(at)}`, kind: 'key', scope: '' },
        ...{ state: 'connected', active: true, account_label: '', issuer: '', sealed: 'x' },
        ...{ expires_at: null, created_at: now, updated_at: now },
      })
      await put({
        ...{ kind: 'Grant', id: `g${at}`, sealed: 'x', grant_id: null, other_id: null },
        ...{ account_id: user.id, created_at: now, expires_at: null, used_at: null },
      })
    }
  })
  await measuring(
    control,
    (text) => t.diagnostic(text),
    async (run) => {
      await run('users.reach', { id: 'ann' })
      await run('mcp_endpoints.list', { user: 'ann' })
      await run('users.delete', { id: 'ann' }, { dryRun: true, confirm: 'ann' })
      const { ended } = await run('users.offboard', { id: 'ann' }, { confirm: 'ann' })
      assert.ok((ended as unknown[]).length > 3 * HELD)
    },
  )
  // The teams were written past the operations
  await control.close(true)
})

test('thousands of capabilities that have drifted are compared and decided without holding the main thread', {
  skip,
}, async (t) => {
  let version = 1
  const catalogue = (): Catalogue => ({
    ...EMPTY_FOUND.catalogue,
    tools: list(ITEMS, (at) => ({
      name: `tool${at}`,
      description: `${version}`,
      inputSchema: { type: 'object' },
    })),
    prompts: list(ITEMS, (at) => ({ name: `prompt${at}`, description: `${version}` })),
  })
  const probe = async () => ({ steps: [], found: { ...EMPTY_FOUND, catalogue: catalogue() } })
  const control = await startControl({ deps: { origins: { probe } } })
  await control.run('origins.create', { name: 'One', url: 'https://one.example.com/mcp' })
  await control.run('virtual_mcps.create', {
    name: 'Desk',
    members: [{ origin: 'one' }],
    status: 'published',
  })
  version++
  await measuring(
    control,
    (text) => t.diagnostic(text),
    async (run) => {
      await run('origins.refresh_catalog', { id: 'one' })
      await run('virtual_mcps.preview', { id: 'desk' })
      await run('virtual_mcps.token_cost', { id: 'desk' })
      await run('virtual_mcps.list_drift', { id: 'desk' })
      await run('virtual_mcps.drifted', {})
      const { resolved } = await run('virtual_mcps.resolve_drift', {
        id: 'desk',
        decision: 'approve',
        all: true,
      })
      assert.equal(resolved, 2 * ITEMS)
    },
  )
  await control.close()
})
