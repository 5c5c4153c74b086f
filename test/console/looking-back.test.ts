/**
 * Stories of people who look back: at a failing endpoint, at the calls of a client, at changes. Told three times: by an assistant over
 * Management MCP, in the console with the pointer, and there with the keyboard alone.
 */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { type Flows, flow, startFlows } from '../scenarios/flows.ts'
import { callAsAgent, created, type TestServer, until } from '../scenarios/server.ts'
import type { Door } from '../support/doors.ts'
import { atEachDoor, done, doorsOf, refusedWith } from '../support/stories.ts'
import { launch, SKIPPED } from './chromium.ts'
import type { Hand } from './hands.ts'
import { atConsole, consoleDoor, type Site } from './told.ts'

const HALF_MINUTE = 30_000

suite('looking back, with the pointer and with the keyboard alone', { skip: SKIPPED }, () => {
  let browser: Browser
  let flows: Flows
  let server: TestServer
  const closing: (() => Promise<void>)[] = []

  before(async () => {
    flows = await startFlows({ workers: 1 })
    server = flows.server
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    for (const close of closing) await close()
    await flows?.stop()
  })

  /** A person with a grant, as an assistant and twice at the console. */
  const person = async (name: string, grant: object): Promise<readonly [Site, readonly Door[]]> => {
    const { doors, close } = await doorsOf(server, name, grant)
    closing.push(close)
    const site = { browser, origin: server.running.controlUrl, origins: [server.running.origin], name }
    return [site, [doors[0]!, consoleDoor(), consoleDoor()]]
  }
  const filter = async (hand: Hand, page: Page, name: string, value: string, isChoice = false) => {
    await hand.pick(page.getByLabel('Add a filter'), name)
    const field = page
      .getByRole('main')
      .locator('form')
      .getByRole('textbox')
      .or(page.getByRole('main').locator('form').getByRole('combobox'))
    if (isChoice) await hand.pick(field, value)
    else {
      await hand.fill(field, value)
      await hand.press(page.getByRole('button', { name: 'Apply' }))
    }
    await page.getByRole('button', { name: `Remove the filter ${name}: ${value}` }).waitFor()
    await page.locator('table[aria-busy=false]').waitFor()
  }
  /** Texts of the rows of the table, once all fit. */
  const rowsOf = (page: Page, holds: (rows: readonly string[]) => boolean) =>
    until(() => page.locator('tbody tr').allInnerTexts(), holds)

  test('an auditor sees what was deleted in 30 days, who changed Payments this week and that the chain is whole; others are refused', async () => {
    await created(
      server.manage('POST', '/collections', { name: 'Payments', slug: 'payments', base_path: '/payments' }),
    )
    const [, [erin]] = await person('erin', { role: 'modifier' })
    for (const name of ['Gone', 'Old']) {
      await done(erin!, 'collections.create', { name, base_path: `/${name.toLowerCase()}` })
      await done(erin!, 'collections.delete', { id: name.toLowerCase() }, { confirm: name.toLowerCase() })
    }
    await done(
      erin!,
      'collections.update',
      { id: 'payments', description: 'Refunds too' },
      { reason: 'INC-7' },
    )
    const [site, doors] = await person('audrey', { role: 'auditor' })
    await atEachDoor(server, 'audrey', doors, async (door, suffix) => {
      if (door.name === 'management_mcp') {
        const asked = { resource_type: 'collection', action: 'DELETE', from: '-30d' }
        const { items } = await done(door, 'audit.list', asked)
        assert.deepEqual(
          items.map(({ resource, actor }: never) => [resource['slug'], actor['name']]),
          [
            ['old', 'erin'],
            ['gone', 'erin'],
          ],
        )
        const changes = await done(door, 'audit.list', {
          collection: 'payments',
          action: 'UPDATE',
          from: '-7d',
        })
        assert.deepEqual(
          changes.items.map(({ actor, reason }: never) => [actor['name'], reason]),
          [['erin', 'INC-7']],
        )
        assert.equal((await done(door, 'audit.verify')).ok, true)
        return
      }
      await atConsole(site, suffix, async ({ hand, page, go }) => {
        await go('Audit')
        await filter(hand, page, 'resource_type', 'collection')
        await filter(hand, page, 'action', 'DELETE', true)
        await filter(hand, page, 'from', '-30d')
        const [last, first] = await rowsOf(page, ({ length }) => length === 2)
        assert.match(last!, /erin.*collections\.delete.*old/s)
        assert.match(first!, /erin.*collections\.delete.*gone/s)
        await hand.press(page.getByRole('button', { name: 'Clear', exact: true }))
        await filter(hand, page, 'collection', 'payments')
        await filter(hand, page, 'action', 'UPDATE', true)
        await hand.choose(page.getByLabel('Time range'), 'Last 7 days')
        const [row] = await rowsOf(page, ({ length }) => length === 1)
        assert.match(row!, /erin.*collections\.update.*INC-7/s)
        await hand.press(page.getByRole('button', { name: 'Verify the chain' }))
        await page.getByText('The chain is intact').waitFor()
      })
    })

    const [other, others] = await person('nora', { role: 'viewer', scope: { resource_types: ['proxies'] } })
    const trail = await atEachDoor(server, 'nora', others, async (door, suffix) => {
      if (door.name === 'management_mcp')
        return void (await refusedWith('permission_denied', door, 'audit.list'))
      await atConsole(other, suffix, async ({ page, visit }) => {
        await page.goto(`${other.origin}/console/audit`)
        await page.getByText('audit:read').waitFor()
        // The page asks for nothing that is refused. A request that is forged from it is refused by the server
        const status = await page.evaluate(
          `fetch('/management/v1/audit', { headers: { 'x-postern-console': '1' } }).then(({ status }) => status)`,
        )
        assert.equal(status, 403)
        assert.match(
          visit.faults.splice(0).join(),
          /^Failed to load resource: the server responded with a status of 403 \(Forbidden\)$/,
        )
      })
    })
    assert.deepEqual(
      trail.map(({ operation, outcome }) => [operation, outcome]),
      [['audit.list', 'denied']],
    )
  })

  test('a failing endpoint is found, called again as an agent does, mended in the editor, and fails no more', async () => {
    const definition = (code: string) =>
      flow(
        [
          {
            id: 'price',
            type: 'code_node',
            config: { code },
            inputs: { input: '{{ $.http.request.query }}' },
          },
          { id: 'ok', type: 'response_node', inputs: { body: '{{ $.price.value }}' } },
        ],
        ['http price', 'price ok'],
      )
    const broken = '({ coupon }) => ({ price: 10 - coupon.length })'
    const mended = '({ coupon = "" }) => ({ price: 10 - coupon.length })'
    const [site, doors] = await person('olga', { role: 'modifier' })
    const trail = await atEachDoor(server, 'olga', doors, async (door, suffix) => {
      const slug = `price${suffix}`
      const shared = await flows.share(slug, definition(broken))
      assert.equal(shared.status, 201, shared.text)
      const path = await flows.endpoint(slug)
      for (const query of ['?coupon=a', '', '', '']) await flows.get(path + query)
      const endpoint = `GET ${path}`
      const reproduced = async () => {
        const { status, body } = await flows.executeCall({ endpoint })
        return [status, body.code ?? body.price]
      }
      const rate = async () =>
        (await server.manage('GET', '/metrics/error_endpoints?from=-1h&limit=100')).json.items.find(
          (one: { endpoint: string }) => one.endpoint === endpoint,
        )?.error_rate ?? 0
      const before = await until(rate, (now) => now >= 0.75)
      const mend = { id: slug, definition: definition(mended) }
      if (door.name === 'management_mcp') {
        const { items } = await done(door, 'metrics.error_endpoints', { from: '-24h' })
        assert.ok(items.some((one: { endpoint: string }) => one.endpoint === endpoint))
        const failed = await done(door, 'records.list', { code: 'workflow_failed', route: path, limit: 1 })
        assert.match(
          (await done(door, 'records.get', { id: failed.items[0].id })).reason,
          /^node "price": TypeError/,
        )
        assert.deepEqual(await reproduced(), [500, 'workflow_failed'])
        await done(door, 'workflows.update', mend, { reason: 'calls without a coupon' })
      } else
        await atConsole(site, suffix, async ({ hand, page, go }) => {
          await hand.press(page.getByRole('link', { name: endpoint }))
          await page.getByRole('heading', { name: 'Records', level: 1 }).waitFor()
          await hand.press(
            page
              .getByRole('link')
              .filter({ has: page.locator('[data-record]') })
              .first(),
          )
          await page.getByText('node "price": TypeError').first().waitFor()
          assert.deepEqual(await reproduced(), [500, 'workflow_failed'])
          await go('Workflows')
          await hand.press(page.getByRole('link').filter({ hasText: slug }).first())
          await hand.press(
            page.getByRole('tab', { name: 'Graph' }).or(page.getByRole('link', { name: 'Graph' })),
          )
          await hand.press(
            page
              .getByRole('button', { name: 'List', exact: true })
              .or(page.getByRole('radio', { name: 'List' })),
          )
          await hand.press(
            page.locator('li[data-node="price"]').getByRole('button', { name: 'price' }).first(),
          )
          const panel = page.getByRole('dialog', { name: 'price: code' })
          await hand.fill(panel.getByLabel(/^Code/), mended)
          await page.keyboard.press('Escape')
          await panel.waitFor({ state: 'detached' })
          await hand.press(page.getByRole('button', { name: 'Review and save' }))
          const review = page.getByRole('dialog', { name: 'Review and save' })
          await hand.fill(review.getByLabel('Reason'), 'calls without a coupon')
          await hand.press(review.getByRole('button', { name: 'Save' }))
          await review.waitFor({ state: 'detached' })
        })
      assert.deepEqual(await until(reproduced, ([status]) => status === 200), [200, 10])
      for (let calls = 0; calls < 3; calls++) assert.equal((await flows.get(path)).status, 200)
      await until(rate, (now) => now < before)
    })
    assert.deepEqual(
      trail.map(({ operation, outcome, reason }) => [operation, outcome, reason]),
      [['workflows.update', 'ok', 'calls without a coupon']],
    )
  })

  test('one list shows what agents and apps called with a client in a window of time, and its token is revoked for the next message', async () => {
    const [site, doors] = await person('ines', { role: 'admin' })
    const called = async (token: string, path: string): Promise<string> => {
      const { headers } = await server.gateway('GET', path, { token })
      const id = headers.get('x-request-id')!
      return (await flows.record(id)).time
    }
    const trail = await atEachDoor(server, 'ines', doors, async (door, suffix) => {
      const name = `Partner${suffix}`
      const { json } = await created(
        server.manage('POST', '/clients', {
          name,
          collections: ['orders'],
          profiles: [{ name: 'Key', auth: { type: 'token' } }],
        }),
      )
      const token = String(json.profiles[0].token)
      const client = `partner${suffix}`
      await called(token, '/orders/v1/orders/early')
      server.moveClock(2 * HALF_MINUTE)
      const start = await called(token, '/orders/v1/orders/app')
      const agent = () => callAsAgent(server, token, { endpoint: 'GET /orders/v1/orders/agent' })
      assert.equal((await agent()).status, 200)
      server.moveClock(2 * HALF_MINUTE)
      const end = await called(token, '/orders/v1/orders/late')
      const around = (time: string) => new Date(Date.parse(time) - HALF_MINUTE).toISOString()
      const window = { from: around(start), to: around(end) }
      if (door.name === 'management_mcp') {
        const { items } = await done(door, 'records.list', { client, ...window })
        assert.deepEqual(
          items.map(({ surface, path }: never) => [surface, path]),
          [
            ['gateway_mcp', '/orders/v1/orders/agent'],
            ['gateway', '/orders/v1/orders/app'],
          ],
        )
        await done(door, 'profiles.revoke', { id: `${client}:key` }, { reason: 'SEC-2' })
      } else
        await atConsole(site, suffix, async ({ hand, page, go }) => {
          await go('Records')
          await filter(hand, page, 'client', client)
          await filter(hand, page, 'from', window.from)
          await filter(hand, page, 'to', window.to)
          const rows = await rowsOf(page, ({ length }) => length === 2)
          assert.match(rows[0]!, /orders\/agent/)
          assert.match(rows[1]!, /orders\/app/)
          await go('Clients')
          await hand.press(page.getByRole('main').getByRole('link').filter({ hasText: name }).first())
          await page.getByRole('heading', { name: new RegExp(`^${name}`), level: 1 }).waitFor()
          await hand.press(page.getByRole('main').getByRole('link', { name: /^Key/ }).first())
          await hand.press(page.getByRole('button', { name: 'Revoke' }))
          const dialog = page.getByRole('dialog')
          await hand.press(dialog.getByRole('button', { name: 'Review the change' }))
          await hand.fill(dialog.getByLabel('Reason'), 'SEC-2')
          await hand.press(dialog.getByRole('button', { name: 'Revoke' }).last())
          // The button below the answer
          await dialog.getByRole('button', { name: 'Close' }).nth(1).waitFor()
        })
      await assert.rejects(agent(), /^Error: 401/)
    })
    assert.deepEqual(
      trail.map(({ operation, outcome, reason }) => [operation, outcome, reason]),
      [['profiles.revoke', 'ok', 'SEC-2']],
    )
  })
})
