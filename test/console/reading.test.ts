/** What pages say: lists, histories, and the figures of the home page, in a real browser over a real gateway. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { textTool } from '../mcp/fixture/catalogue.ts'
import type { Fixture } from '../mcp/fixture/fixture.ts'
import { callAsAgent, created, publishOrders, type TestServer, until } from '../scenarios/server.ts'
import { startUpstream, type TestUpstream } from '../scenarios/upstream.ts'
import { assertFaultless, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { startConsole, startDesk } from './start-console.ts'

const DAY_MS = 86_400_000
const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/

suite('what pages say, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let upstream: TestUpstream
  let desk: Fixture
  let origin: string
  let origins: readonly string[]
  let token: string
  const stack = new AsyncDisposableStack()

  before(async () => {
    upstream = stack.use(await startUpstream())
    desk = stack.use(await startDesk(['read_ticket']))
    ;({ browser, server, origin, origins } = stack.use(await startConsole({ ann: 'admin', bob: 'admin' })))
    token = await publishOrders(server, upstream.url)
  })
  after(() => stack.disposeAsync())

  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)
  const rowsOf = (page: Page) => page.locator('tbody tr').allInnerTexts()

  test('the endpoint with the most errors comes first, also where another one fails more often', async () => {
    const isFailing = (path: string): boolean => path.includes('refund') || /busy\/[0-5]$/.test(path)
    upstream.answer = ({ url }, response) => {
      response.statusCode = isFailing(url) ? 500 : 200
      response.end('{}')
    }
    const route = { collection: 'orders', methods: ['GET'], status: 'published' }
    for (const part of ['busy', 'refund'])
      await created(
        server.manage('POST', '/proxies', { ...route, name: part, slug: part, path: `/v1/${part}/{id}` }),
      )
    for (let at = 0; at < 30; at++) await server.gateway('GET', `/orders/v1/busy/${at}`, { token })
    for (let at = 0; at < 2; at++) await server.gateway('GET', `/orders/v1/refund/${at}`, { token })
    await callAsAgent(server, token, { endpoint: 'GET /orders/v1/orders/agent' })
    await until(
      () => server.manage('GET', '/metrics/overview?collection=orders'),
      ({ json }) => json.errors === 8 && json.from_agents > 0,
    )
    await using visit = await visitor(browser, origins)
    await signIn(visit.page, origin, 'ann')
    const card = visit.page.locator('section').filter({
      has: visit.page.getByRole('heading', { name: 'Refusals and errors' }),
    })
    const items = card.getByRole('listitem')
    await items.first().waitFor()
    const [first, second] = await items.allInnerTexts()
    assert.match(first!, /GET \/orders\/v1\/busy\/\{id\}\s*6 errors, 20\.0 %/)
    assert.match(second!, /GET \/orders\/v1\/refund\/\{id\}\s*2 errors, 100\.0 %/)
    await visit.page.getByText('no requests before').first().waitFor()
    // The traffic of the last hour is drawn, and told in a sentence
    const traffic = visit.page.getByRole('img', {
      name: /^Traffic, 60 bars of 1m: \d+ requests, .* 8 failed with 5xx/,
    })
    await traffic.waitFor()
    assertFaultless(visit, 'failing endpoints')
  })

  test('home names what waits with its collection, drift, and when credentials end; each leads to its page', async () => {
    await created(server.manage('POST', '/origins', { name: 'Desk', slug: 'desk', url: desk.url }))
    const virtual = { name: 'Support', slug: 'support', status: 'published', members: [{ origin: 'desk' }] }
    await created(server.manage('POST', '/virtual_mcps', virtual))
    desk.catalogue.putTool(textTool('delete_ticket'))
    await server.manage('POST', '/origins/desk/refresh_catalog', {})
    for (const [slug, days] of [
      ['ending', 3],
      ['ended', -2],
    ] as const)
      await created(
        server.manage('POST', '/credentials', {
          name: slug,
          slug,
          auth: { type: 'bearer', token: 'x' },
          expires_at: new Date(Date.now() + days * DAY_MS + 60_000).toISOString(),
        }),
      )
    await created(
      server.manage('POST', '/collections', {
        name: 'Stock',
        slug: 'stock',
        base_path: '/stock',
        requestable: true,
        status: 'published',
        upstream: { targets: [{ url: upstream.url }] },
      }),
    )
    const request = { client: 'acme', collections: ['stock'], message: 'For the shop' }
    await created(server.manage('POST', '/access_requests', request))
    const approvals = [{ name: 'Two of us', permissions: ['proxies:update'] }]
    assert.equal((await server.manage('PATCH', '/settings/current', { approvals })).status, 200)
    await using other = await visitor(browser, origins)
    await signIn(other.page, origin, 'bob')
    const status = await other.page.evaluate(async () => {
      const answer = await fetch('/management/v1/proxies/orders:busy', {
        method: 'PATCH',
        headers: { 'content-type': 'application/json', 'x-postern-console': '1' },
        body: JSON.stringify({ description: 'Asked for' }),
      })
      return answer.status
    })
    assert.equal(status, 202)
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    const waiting = page.locator('section').filter({
      has: page.getByRole('heading', { name: 'Approvals' }),
    })
    await waiting
      .getByRole('listitem')
      .filter({ hasText: 'update the proxy orders:busy' })
      .getByText(/^bob/)
      .waitFor()
    await waiting.getByRole('listitem').filter({ hasText: 'acme to stock' }).waitFor()
    await waiting.getByRole('listitem').filter({ hasText: 'Drift' }).getByText('1 item to decide').waitFor()
    const expiring = page.locator('section').filter({
      has: page.getByRole('heading', { name: 'Credentials to renew' }),
    })
    await expiring
      .getByRole('listitem')
      .filter({ hasText: 'Expired' })
      .getByText(/expired 2 days ago/)
      .waitFor()
    await expiring
      .getByRole('listitem')
      .filter({ hasText: 'Expires soon' })
      .getByText(/expires in 3 days/)
      .waitFor()
    await expiring.getByRole('link', { name: 'ending' }).click()
    await page.getByRole('heading', { name: /^ending/, level: 1 }).waitFor()
    await page.goBack()
    await waiting.getByRole('link', { name: 'update the proxy orders:busy' }).click()
    await page.getByText('bob asked to update the proxy orders:busy. Nothing has changed yet.').waitFor()
    await page.getByRole('link', { name: 'proxy orders:busy' }).click()
    await page.getByRole('heading', { name: /^busy/, level: 1 }).waitFor()
    await page.goBack()
    await page.goBack()
    await waiting.getByRole('link', { name: 'Support' }).click()
    await page.getByRole('listitem').filter({ hasText: 'delete_ticket' }).first().waitFor()
    assert.equal(new URL(page.url()).searchParams.get('tab'), 'drift')
    assertFaultless(visit, 'waiting')
    await server.manage('PATCH', '/settings/current', { approvals: [] })
  })

  test('the history of a resource says why and over which interface it was changed, shows the difference, and leads to the entry', async () => {
    await server.manage('PATCH', '/collections/orders', { description: 'Told', reason: 'INC-42' })
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/collections/orders?tab=history')
    const entry = page.getByRole('list', { name: 'History' }).locator(':scope > li').first()
    await entry.getByText('INC-42', { exact: true }).waitFor()
    await entry.getByText('Management REST', { exact: true }).waitFor()
    assert.match((await entry.locator('time').first().textContent())!, TIME)
    await entry.getByText('1 change', { exact: true }).click()
    await entry.getByText('/description', { exact: true }).waitFor()
    await entry.getByRole('link', { name: 'collections.update' }).click()
    await page.getByText(/ran collections\.update on collection orders over Management REST\./).waitFor()
    assertFaultless(visit, 'history')
  })

  test('audit and revisions have exact times, interfaces as words, and the names of what changed', async () => {
    await server.manage('PATCH', '/proxies/orders:refund', { description: 'Told', reason: 'INC-43' })
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/audit?operation=proxies.update&outcome=ok')
    const [time, , , resource, surface] = await page.locator('tbody tr').first().locator('td').allInnerTexts()
    assert.match(time!, TIME)
    assert.deepEqual([resource, surface], ['proxy refund', 'Management REST'])
    await opened(page, '/audit?operation=oauth.sign_in')
    assert.match((await rowsOf(page))[0]!, /OAuth client/)
    await opened(page, '/revisions')
    const row = page.getByRole('row').filter({ hasText: 'INC-43' })
    const cells = await row.locator('td').allInnerTexts()
    assert.match(cells[1]!, TIME)
    assert.equal(cells[4], 'proxies/orders:refund')
    assertFaultless(visit, 'times')
  })

  test('lists say what rows do: grants as sentences, limits of policies, types, members and names', async () => {
    const scope = { collections: ['orders'] }
    await created(
      server.manage('POST', '/teams', {
        name: 'Shop',
        slug: 'shop',
        members: [{ user: 'bob', role: 'admin' }],
      }),
    )
    await created(
      server.manage('POST', '/grants', { name: 'Shop', slug: 'shop', team: 'shop', role: 'modifier', scope }),
    )
    const limits = [{ name: 'minute', kind: 'rate', max: 6000, window: '1m' }]
    await created(server.manage('POST', '/policies', { name: 'Plan', slug: 'plan', limits }))
    await created(
      server.manage('POST', '/guardrails', {
        name: 'Cards',
        slug: 'cards',
        scope,
        detector: { type: 'pii', kinds: ['card'] },
        action: 'mask',
      }),
    )
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    for (const [path, row, texts] of [
      [
        '/grants',
        'shop',
        ['Members of the team shop may read and change everything in the collection orders.'],
      ],
      ['/policies', 'Plan', ['6,000 requests in any minute']],
      ['/guardrails', 'Cards', ['collection orders', 'pii']],
      ['/credentials', 'ending', ['bearer', 'expiring']],
      ['/profiles', 'acme', ['token']],
      ['/teams', 'Shop', ['bob']],
      ['/proxies', 'busy', ['orders', '/v1/busy/{id}']],
    ] as const) {
      await opened(page, path)
      const found = page.getByRole('row').filter({ hasText: row }).first()
      for (const text of texts)
        assert.ok((await found.innerText()).includes(text), `${path}: ${await found.innerText()}`)
    }
    await opened(page, '/proxies')
    const heads = await page.getByRole('columnheader').allInnerTexts()
    assert.deepEqual([heads.includes('Name'), heads.includes('Revision')], [true, false])
    assertFaultless(visit, 'lists')
  })

  test('a list of a filter that nothing fits offers to clear it, and then shows all', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/policies?text=nothing-has-this-name')
    await page.getByText('No policy matches the filters').waitFor()
    await page.getByRole('button', { name: 'Clear the filters' }).click()
    await page.getByRole('row').filter({ hasText: 'Plan' }).waitFor()
    assert.equal(new URL(page.url()).search, '')
    assertFaultless(visit, 'clear')
  })

  test('requests, revisions and the audit log are searched and ordered, and their address keeps both', async () => {
    for (const slug of ['parts', 'tools']) {
      const target = { url: upstream.url }
      await created(
        server.manage('POST', '/collections', {
          name: slug,
          slug,
          base_path: `/${slug}`,
          requestable: true,
          status: 'published',
          upstream: { targets: [target] },
        }),
      )
      const message = `Needed for ${slug}`
      await created(
        server.manage('POST', '/access_requests', { client: 'acme', collections: [slug], message }),
      )
    }
    await server.manage('PATCH', '/collections/parts', { description: 'Found', reason: 'INC-44' })
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    const address = (): string => new URL(page.url()).search
    const first = page.locator('tbody tr').first()
    const isFirst = (text: string): Promise<void> => first.filter({ hasText: text }).waitFor()
    const order = async (name: string): Promise<void> => {
      await page.getByLabel('Order').selectOption(name)
      await page.waitForURL((url) => url.searchParams.get('order') === name)
    }
    const search = async (label: string, text: string): Promise<void> => {
      await page.getByRole('searchbox', { name: label }).fill(text)
      await page.waitForURL((url) => url.searchParams.get('text') === text)
    }

    await opened(page, '/access_requests')
    await order('newest')
    await isFirst('Needed for tools')
    await search('Search access requests', 'FOR PARTS')
    await isFirst('Needed for parts')
    assert.equal((await rowsOf(page)).length, 1)
    await page.reload()
    await isFirst('Needed for parts')
    assert.equal(address(), '?order=newest&text=FOR+PARTS')
    await search('Search access requests', 'nothing has this text')
    await page.getByText('No requests match the filters').waitFor()
    await page.getByRole('button', { name: 'Clear the filters' }).click()
    await page.getByRole('row').filter({ hasText: 'Needed for tools' }).waitFor()
    assert.equal(address(), '')

    await opened(page, '/change_requests')
    await page.getByRole('button', { name: 'All' }).click()
    await search('Search change requests', 'nothing has this text')
    await page.getByText('No requests match the filters').waitFor()

    await opened(page, '/revisions')
    await search('Search revisions', 'inc-44')
    await isFirst('collections/parts')
    assert.equal((await rowsOf(page)).length, 1)
    await page.getByRole('button', { name: /^Compare from revision/ }).click()
    await page.getByText(/^From revision/).waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await isFirst('INC-44')
    assert.equal(address(), '?text=inc-44')
    await search('Search revisions', 'nothing has this text')
    await page.getByText('No revisions match the search').waitFor()
    await page.getByRole('button', { name: 'Clear the search' }).click()
    await order('oldest')
    const [oldest] = (await server.manage('GET', '/revisions?order=oldest&limit=1')).json.items
    await first
      .getByRole('cell', { name: String(oldest.revision), exact: true })
      .first()
      .waitFor()

    await opened(page, '/audit?outcome=ok')
    await order('oldest')
    const [entry] = (await server.manage('GET', '/audit?order=oldest&outcome=ok&limit=1')).json.items
    await isFirst(entry.operation)
    assert.equal(address(), '?outcome=ok&order=oldest')
    assertFaultless(visit, 'search and order')
  })

  test('a press anywhere in a row opens it, but not on a link of its own, with Ctrl, or at the end of a selection', async () => {
    const { headers } = await server.gateway('GET', '/orders/v1/orders/1')
    await until(
      () => server.manage('GET', `/records/${headers.get('x-request-id')}`),
      ({ status }) => status === 200,
    )
    await using visit = await visitor(browser, origins)
    const { page, context } = visit
    await signIn(page, origin, 'ann')
    await created(server.manage('POST', '/policies', { name: 'Silver', slug: 'silver' }))
    await opened(page, '/policies')
    const path = (): string => new URL(page.url()).pathname
    const row = page.getByRole('row').filter({ hasText: 'Silver' })
    assert.equal(
      await row.locator('a, button, [tabindex="0"]').count(),
      1,
      'one thing in the row takes the focus',
    )
    const cell = row.getByText('silver', { exact: true })
    await cell.click({ modifiers: ['Control'] })
    await cell.click({ button: 'middle' })
    assert.equal(path(), '/console/policies')
    for (const options of [{ modifiers: ['Control' as const] }, { button: 'middle' as const }]) {
      const [other] = await Promise.all([
        context.waitForEvent('page'),
        row.getByRole('link', { name: 'Silver' }).click(options),
      ])
      await other.waitForURL(/\/console\/policies\/[^/]+$/)
      await other.close()
      assert.equal(path(), '/console/policies')
    }
    const box = (await cell.boundingBox())!
    await page.mouse.move(box.x + 1, box.y + box.height / 2)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width - 1, box.y + box.height / 2)
    await page.mouse.up()
    assert.notEqual(await page.evaluate('String(getSelection())'), '')
    assert.equal(path(), '/console/policies')
    await row.locator('td').last().click()
    await page.getByRole('heading', { name: 'Silver', level: 1 }).waitFor()
    await page.goBack()
    await row.waitFor()
    await opened(page, '/records?status=401')
    const call = page.getByRole('row').filter({ hasText: '/orders/v1/orders/1' })
    await call.getByText('GET', { exact: true }).click()
    await page.getByRole('complementary', { name: 'Record' }).waitFor()
    await call.first().getByRole('link').last().click()
    await page.waitForURL(/\/problems\//)
    assertFaultless(visit, 'presses in rows')
  })

  test('at 390 pixels a press anywhere in a card opens it', async () => {
    await using visit = await visitor(browser, origins, { width: 390, isTouch: true })
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/collections')
    await page.getByRole('listitem').filter({ hasText: 'orders' }).getByText('/orders', { exact: true }).tap()
    await page.getByRole('heading', { level: 1, name: 'Orders' }).waitFor()
    assertFaultless(visit, 'presses in cards')
  })

  test('a user opens with their access in sentences, and what they lack is one line', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/users/bob')
    await page.getByText('May read and change everything in the collection orders.').waitFor()
    await page.getByText('May read, change and grant everything.').waitFor()
    await page.getByText(/^None: .*virtual MCPs.*\.$/).waitFor()
    assert.equal(await page.getByText('None', { exact: true }).count(), 0)
    await page.getByRole('link', { name: 'Overview' }).click()
    assert.equal(new URL(page.url()).searchParams.get('tab'), 'overview')
    assertFaultless(visit, 'user')
  })

  test('the usage of a policy is gathered by limit, and counters at zero are folded', async () => {
    const limits = [
      { name: 'minute', kind: 'rate', max: 100, window: '1m' },
      { name: 'month', kind: 'quota', max: 1000, window: '30d' },
    ]
    await created(server.manage('POST', '/policies', { name: 'Used', slug: 'used', limits }))
    await server.manage('PATCH', '/clients/acme', { policy: 'used' })
    await created(server.manage('POST', '/clients', { name: 'Idle', slug: 'idle', policy: 'used' }))
    assert.equal((await server.gateway('GET', '/orders/v1/orders/1', { token })).status, 200)
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/policies/used')
    const month = page.getByRole('region', { name: 'Usage of month' })
    await month.getByRole('meter').first().waitFor()
    assert.equal(await month.getByRole('meter').count(), 1)
    await month.getByRole('link', { name: 'acme' }).waitFor()
    assert.equal(await month.getByRole('link', { name: 'idle' }).isVisible(), false)
    await month.getByText('1 counter is at zero').click()
    await month.getByRole('link', { name: 'idle' }).waitFor()
    const names = await page
      .getByRole('region', { name: /^Usage of/ })
      .evaluateAll((found) => found.map((one) => one.getAttribute('aria-label')))
    assert.deepEqual(names, ['Usage of minute', 'Usage of month'])
    assertFaultless(visit, 'usage')
  })

  test('a collection shows its upstream first and ten proxies, and all of them are one link away', async () => {
    for (let at = 0; at < 12; at++)
      await created(
        server.manage('POST', '/proxies', {
          collection: 'orders',
          name: `Part ${at}`,
          methods: ['GET'],
          path: `/v1/parts/${at}`,
        }),
      )
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/collections/orders')
    const titles = await page.getByRole('heading', { level: 2 }).allInnerTexts()
    assert.ok(titles.indexOf('Upstream') < titles.indexOf('Proxies'), titles.join())
    const card = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Proxies' }) })
    assert.equal(await card.getByRole('listitem').count(), 10)
    await card.getByRole('link', { name: 'All proxies of this collection' }).click()
    await page.getByRole('heading', { name: 'Proxies', level: 1 }).waitFor()
    assertFaultless(visit, 'collection')
  })

  test('a client is assigned a collection at the matrix of what it may call', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/clients/idle')
    const card = page
      .locator('section')
      .filter({ has: page.getByRole('heading', { name: 'Collections it may call' }) })
    await card.getByRole('button', { name: 'Assign', exact: true }).click()
    assert.equal(await page.getByRole('button', { name: 'Assign', exact: true }).count(), 1)
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('combobox').first().click()
    await dialog.getByRole('combobox').first().fill('stock')
    await dialog.getByRole('option', { name: 'stock' }).first().click()
    await dialog.locator('button[type=submit]').click()
    await dialog.getByText('/collections', { exact: false }).first().waitFor()
    await dialog.locator('button[type=submit]').click()
    await until(
      () => server.manage('GET', '/clients/idle'),
      ({ json }) => json.collections.includes('stock'),
    )
    assertFaultless(visit, 'assign')
  })

  test('a workflow opens with its graph in text that can be read, and overview and form leave the definition to it', async () => {
    const ids = Array.from({ length: 9 }, (_, index) => `step${index}`)
    const definition = {
      nodes: [
        { id: 'http', type: 'http_trigger' },
        ...ids.map((id) => ({ id, type: 'code_node', config: { code: '() => 1' } })),
        { id: 'ok', type: 'response_node', inputs: { body: 'fine' } },
      ],
      edges: ['http', ...ids].map((from, index) => ({ from, to: [...ids, 'ok'][index]! })),
    }
    await created(server.manage('POST', '/workflows', { name: 'Long', slug: 'long', definition }))
    await using visit = await visitor(browser, origins, { width: 390 })
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/workflows/long?view=canvas')
    const canvas = page.getByRole('application', { name: 'Canvas of the workflow' })
    await canvas.getByText('http', { exact: true }).waitFor()
    const box = (await canvas.locator('.react-flow__node[data-id=http]').boundingBox())!
    assert.ok(box.width >= 0.6 * 208 - 1 && box.x >= 0 && box.x + box.width <= 390, JSON.stringify(box))
    const shown = page.getByRole('main')
    await page.getByRole('link', { name: 'Overview' }).click()
    await page.getByRole('heading', { name: 'Settings' }).waitFor()
    assert.equal(await shown.getByText('http_trigger').count(), 0)
    await page.getByRole('link', { name: 'Edit', exact: true }).click()
    await page.getByLabel('Description').fill('Nine steps')
    assert.equal(await shown.getByText('Definition').count(), 0)
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByRole('button', { name: 'Save' }).click()
    await until(
      () => server.manage('GET', '/workflows/long'),
      ({ json }) => json.description === 'Nine steps' && json.definition.nodes.length === 11,
    )
    assertFaultless(visit, 'workflow')
  })

  test('the palette names the operation and the collection of a proxy', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Search or run' }).fill('refund')
    await page.getByRole('option', { name: 'refund proxy of orders' }).waitFor()
    await page.getByRole('combobox', { name: 'Search or run' }).fill('keys.rotate')
    await page.getByRole('option', { name: /^Rotate the keys keys\.rotate/ }).waitFor()
    const search = page.getByRole('combobox', { name: 'Search or run' })
    await search.fill('new client')
    await page.getByRole('option', { name: /^New client/ }).waitFor()
    await search.fill('no such thing at all')
    await page.getByRole('dialog').getByText('Nothing found').waitFor()
    assertFaultless(visit, 'palette')
  })

  test('the chart of durations leaves p99 out until it is asked for, and the address keeps it', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/analytics')
    const card = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Duration' }) })
    await card.getByText('p95', { exact: true }).waitFor()
    const switched = card.getByRole('button', { name: 'p99' })
    assert.equal(await switched.getAttribute('aria-pressed'), 'false')
    await switched.click()
    await page.waitForURL((url) => url.searchParams.get('p99') === 'true')
    await page.reload()
    await card.getByRole('button', { name: 'p99', pressed: true }).waitFor()
    assertFaultless(visit, 'p99')
  })
})
