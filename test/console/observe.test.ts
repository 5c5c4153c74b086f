/** Records, explanations and replays in a real browser, over the production bundle and a real gateway. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { PROBLEMS } from '../../src/base/refusal.ts'
import { created, publishOrders, type TestServer, until } from '../scenarios/server.ts'
import { startUpstream, type TestUpstream } from '../scenarios/upstream.ts'
import { assertFaultless, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertClean, SIZES } from './clean.ts'
import { startConsole } from './start-console.ts'

const SCRIPT = '<img src=x onerror="alert(1)"><script>alert(2)</script>'

suite('the screens for looking, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let upstream: TestUpstream
  let origin: string
  let origins: readonly string[]
  let token: string
  const stack = new AsyncDisposableStack()

  before(async () => {
    upstream = stack.use(await startUpstream())
    ;({ browser, server, origin, origins } = stack.use(
      await startConsole({ ann: 'admin', bob: 'admin', viv: 'viewer', noa: null }, { workers: 2 }),
    ))
    token = await publishOrders(server, upstream.url)
  })
  after(() => stack.disposeAsync())

  /** Makes a call, waits for its record, and gives the id of it. */
  const called = async (
    method: string,
    path: string,
    options: { token?: string; headers?: Record<string, string>; body?: unknown } = { token },
  ): Promise<string> => {
    const id = (await server.gateway(method, path, options)).headers.get('x-request-id')!
    await until(
      () => server.manage('GET', `/records/${id}`),
      ({ status }) => status === 200,
    )
    return id
  }
  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)
  for (const { name, width, dark } of SIZES)
    test(`records, an open record and an explanation render ${name} without a fault`, async () => {
      const good = await called('GET', '/orders/v1/orders/7')
      const bad = await called('GET', '/orders/v1/orders/8', {})
      await using visit = await visitor(browser, origins, { width, dark })
      await signIn(visit.page, origin, 'ann')
      for (const path of [
        '/records',
        `/records?record=${good}`,
        `/records/${bad}`,
        `/run/requests.explain?request_id=${bad}`,
        '/run/requests.explain',
        '/records?client=nobody',
        '/records/none',
      ]) {
        await opened(visit.page, path)
        if (path !== '/records/none') await assertClean(visit, width, path)
      }
    })

  test('a page of records is one request, and an open record one more', async () => {
    for (let at = 0; at < 30; at++) await server.gateway('GET', `/orders/v1/orders/${at}`, { token })
    const id = await called('GET', '/orders/v1/orders/last')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    // The home page asks for records too
    await page.waitForLoadState('networkidle')
    const asked: string[] = []
    page.on('request', (request) => {
      const { pathname } = new URL(request.url())
      if (pathname.startsWith('/management/v1/records')) asked.push(pathname.slice('/management/v1'.length))
    })
    await opened(page, '/records')
    await page
      .getByRole('link')
      .filter({ has: page.locator(`[data-record="${id}"]`) })
      .waitFor()
    assert.deepEqual(asked, ['/records'])
    await page.locator(`[data-record="${id}"]`).click()
    await page
      .getByText('GET /orders/v1/orders/last by client acme (profile sandbox) was answered 200')
      .waitFor()
    await page.waitForLoadState('networkidle')
    assert.deepEqual(asked, ['/records', `/records/${id}`])
    assertFaultless(visit, 'records')
  })

  test('by keyboard alone: records are filtered by a cell, one is opened, and its refusal is explained down to the field', async () => {
    const off = await server.manage('POST', '/profiles', {
      client: 'acme',
      name: 'Far',
      slug: 'far',
      auth: { type: 'token' },
      ip_allowlist: ['192.0.2.0/24'],
    })
    assert.equal(off.status, 201, off.text)
    await called('GET', '/orders/v1/orders/keyboard-good')
    const id = await called('GET', '/orders/v1/orders/keyboard', { token: off.json.token })
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await page.keyboard.press('g')
    await page.keyboard.press('r')
    await page.locator(`[data-record="${id}"]`).waitFor()
    await page.keyboard.press('j')
    await page.locator(`a:focus:has([data-record="${id}"])`).waitFor()
    for (let step = 0; step < 5; step++) await page.keyboard.press('ArrowRight')
    await page.keyboard.press('f')
    await page.waitForURL((url) => url.searchParams.get('code') === 'ip_not_allowed')
    await page.getByRole('button', { name: 'Remove the filter code: ip_not_allowed' }).waitFor()
    await page.locator('table[aria-busy=false]').waitFor()
    assert.equal(await page.locator('[data-record]').count(), 1)
    await page.keyboard.press('j')
    await page.locator(`a:focus:has([data-record="${id}"])`).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'Why denied' }).waitFor()
    assert.equal(new URL(page.url()).searchParams.get('record'), id)
    await page.getByRole('link', { name: 'Why denied' }).focus()
    await page.keyboard.press('Enter')
    await page.getByText('refused with 403 ip_not_allowed').waitFor()
    const setting = page.getByRole('link', { name: 'profiles/acme:far ip_allowlist' })
    await setting.focus()
    await page.keyboard.press('Enter')
    await page.locator('[id$="/ip_allowlist"]:focus').waitFor()
    assert.match(decodeURIComponent(page.url()), /\/profiles\/acme:far\?tab=edit#\/ip_allowlist$/)
    assert.equal(await page.evaluate('document.activeElement.value'), '192.0.2.0/24')
    assertFaultless(visit, 'explain')
  })

  test('the code of a call leads to its page: from the table by keyboard, from the open record, and from the explanation', async () => {
    const id = await called('GET', '/orders/v1/nowhere')
    await using visit = await visitor(browser, origins)
    const { page, context } = visit
    await signIn(page, origin, 'ann')
    const title = page.getByRole('heading', { name: PROBLEMS.route_not_found.title, level: 1 })
    await opened(page, '/records?path_exact=/orders/v1/nowhere')
    await page.keyboard.press('j')
    await page.locator(`a:focus:has([data-record="${id}"])`).waitFor()
    for (let step = 0; step < 5; step++) await page.keyboard.press('ArrowRight')
    await page.locator('a:focus', { hasText: 'route_not_found' }).waitFor()
    await page.keyboard.press('Enter')
    await title.waitFor()
    await page.goBack()
    await opened(page, `/records/${id}`)
    await page.getByRole('main').getByRole('link', { name: 'route_not_found', exact: true }).click()
    await title.waitFor()
    await page.getByRole('link', { name: 'Calls with this code' }).click()
    await page.waitForURL((url) => url.searchParams.get('code') === 'route_not_found')
    await page.locator(`[data-record="${id}"]`).waitFor()
    await opened(page, `/run/requests.explain?request_id=${id}`)
    const other = context.waitForEvent('page')
    await page
      .getByRole('main')
      .getByRole('link', { name: /^route_not_found/ })
      .click()
    const tab = await other
    await tab.getByRole('heading', { name: PROBLEMS.route_not_found.title, level: 1 }).waitFor()
    assertFaultless(visit, 'codes')
  })

  test('the request of an explanation is changed and asked about again; the address holds it', async () => {
    const id = await called('GET', '/orders/v1/none')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, `/run/requests.explain?request_id=${id}`)
    await page.getByText('refused with 404 route_not_found').waitFor()
    await page.getByLabel('Path and query').fill('/orders/v1/orders/7')
    await page.getByRole('button', { name: 'Ask', exact: true }).click()
    await page.getByText('selected', { exact: true }).waitFor()
    assert.equal(new URL(page.url()).searchParams.get('target'), '/orders/v1/orders/7')
    await page.goBack()
    await page.getByText('refused with 404 route_not_found').waitFor()
    assertFaultless(visit, 'explain')
  })

  test('the path tester of a proxy tells whether a request reaches it, and keeps the request in the address', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    const [first] = (await server.manage('GET', '/proxies?collection=orders&limit=1')).json.items
    await opened(page, `/proxies/orders:${first.slug}`)
    await page.getByRole('link', { name: 'Test a path' }).click()
    const path = page.getByLabel('Path and query')
    assert.match(await path.inputValue(), /^\/orders\//)
    await page.getByLabel('Client').fill('acme')
    await page.getByRole('button', { name: 'Ask', exact: true }).click()
    await page.getByText('Checks, in order').waitFor()
    assert.equal(new URL(page.url()).searchParams.get('tab'), 'path')
    await assertClean(visit, 1440, 'the path tester')
    await path.fill('/nowhere')
    await page.getByRole('button', { name: 'Ask', exact: true }).click()
    await page.getByText('No published route is selected').waitFor()
    await page.reload()
    await page.getByText('No published route is selected').waitFor()
    assertFaultless(visit, 'the path tester')
  })

  test('new calls come in while the list is live; they wait while it is paused', async () => {
    await called('GET', '/orders/v1/orders/before')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/records')
    const first = page.waitForResponse((response) => response.url().includes('/records/follow?'))
    await page.getByRole('button', { name: 'Live' }).click()
    await first
    const id = await called('GET', '/orders/v1/orders/while-live')
    await page.locator(`[data-record="${id}"]`).waitFor()
    await page.locator(`[data-record="${id}"]`).click()
    await page.getByRole('button', { name: 'Paused, 0 new' }).waitFor()
    const later = await called('GET', '/orders/v1/orders/while-paused')
    await page.getByRole('button', { name: 'Paused, 1 new' }).waitFor()
    assert.equal(await page.locator(`[data-record="${later}"]`).count(), 0)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Paused, 1 new' }).click()
    await page.locator(`[data-record="${later}"]`).waitFor()
    await page.getByRole('button', { name: 'Live', pressed: true }).waitFor()
    assertFaultless(visit, 'live')
  })

  test('scripts in a path, an agent name, a refusal and an answer are shown as text', async () => {
    const body = `<title>x</title>${SCRIPT}`
    upstream.answer = (_seen, response) => response.setHeader('x-note', SCRIPT).end(body)
    const path = `/orders/v1/orders/${encodeURIComponent(SCRIPT.slice(0, SCRIPT.indexOf('>') + 1))}`
    const id = await called('GET', path, { token, headers: { 'user-agent': SCRIPT } })
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, `/records?record=${id}`)
    await page.getByRole('button', { name: 'Replay' }).click()
    await page.getByRole('dialog').getByLabel('Headers', { exact: true }).fill(`X-Note: ${SCRIPT}`)
    await page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click()
    await page.getByText('The outcome is the same as the first time').waitFor()
    assert.equal(await page.getByRole('region', { name: 'Body of the response' }).textContent(), body)
    assert.equal(await page.locator('img').count(), 0)
    await opened(
      page,
      `/run/requests.explain?method=GET&target=${encodeURIComponent(path)}&headers=${encodeURIComponent(`X: ${SCRIPT}`)}`,
    )
    assert.equal(await page.getByLabel('Headers', { exact: true }).inputValue(), `X: ${SCRIPT}`)
    assert.equal(await page.locator('img').count(), 0)
    assertFaultless(visit, 'scripts')
    upstream.answer = (_seen, response) => void response.end('{}')
  })

  test('a replay of a write asks first, and shows what differs', async () => {
    const id = await called('POST', '/orders/v1/orders', { token, body: { a: 1 } })
    upstream.answer = (_seen, response) => {
      response.statusCode = 409
      response.end('{}')
    }
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, `/records/${id}`)
    await page.getByRole('button', { name: 'Replay' }).click()
    const dialog = page.getByRole('dialog')
    const seen = upstream.seen.length
    assert.equal(await dialog.getByRole('button', { name: 'Replay' }).isDisabled(), true)
    await dialog.getByLabel('Body', { exact: true }).fill('{"a":1}')
    await dialog.getByLabel('Send this POST again').check()
    await dialog.getByRole('button', { name: 'Replay' }).click()
    await dialog.getByText('The outcome differs').waitFor()
    assert.equal(upstream.seen.length, seen + 1)
    const rows = await dialog.getByRole('row').allTextContents()
    assert.ok(rows.includes('status200409'), rows.join(' | '))
    upstream.answer = (_seen, response) => void response.end('{}')
    assertFaultless(visit, 'replay')
  })

  test('a replay that a check ends names the check', async () => {
    const other = await called('GET', '/orders/v1/orders/5', { token })
    await created(
      server.manage('POST', '/policies', {
        name: 'One',
        slug: 'one',
        limits: [{ name: 'hour', kind: 'rate', max: 1, window: '1h', key: 'global' }],
      }),
    )
    assert.equal((await server.manage('PATCH', '/collections/orders', { policy: 'one' })).status, 200)
    await server.gateway('GET', '/orders/v1/orders/5', { token })
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, `/records/${other}`)
    await page.getByRole('button', { name: 'Replay' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Replay' }).click()
    await dialog.getByText(/^The call ended at the check limits/).waitFor()
    const rows = await dialog.getByRole('row').allTextContents()
    assert.ok(rows.includes('checknonethe check limits'), rows.join(' | '))
    assert.ok(!rows.some((row) => row.includes('stopped_at')))
    assert.equal((await server.manage('PATCH', '/collections/orders', { policy: null })).status, 200)
    assertFaultless(visit, 'a replay that is refused')
  })

  test('a shared link has absolute times, and an export takes the filters of the list', async () => {
    await called('GET', '/orders/v1/orders/exported')
    await using visit = await visitor(browser, origins)
    const { page, context } = visit
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin })
    await signIn(page, origin, 'ann')
    await opened(page, '/records?from=-1h&path_exact=/orders/v1/orders/exported')
    await page.getByRole('button', { name: 'Share' }).click()
    await page.getByText('The link is copied').waitFor()
    const link = new URL(String(await page.evaluate('navigator.clipboard.readText()')))
    const [from, to] = [link.searchParams.get('from'), link.searchParams.get('to')]
    assert.equal(Date.parse(to!) - Date.parse(from!), 3_600_000)
    assert.equal(link.searchParams.get('path_exact'), '/orders/v1/orders/exported')
    await page.goto(link.href)
    await page.getByText('/orders/v1/orders/exported', { exact: true }).first().waitFor()
    await page.getByRole('button', { name: 'Export', exact: true }).click()
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /^(?:Export|Review the export)$/ })
      .click()
    const review = page.getByRole('dialog').getByRole('form', { name: 'Review' })
    await review.getByRole('term').getByText('Filters', { exact: true }).waitFor()
    await review.getByRole('definition').getByText('/orders/v1/orders/exported', { exact: true }).waitFor()
    await review.getByRole('button', { name: 'Create' }).click()
    const downloaded = page.waitForEvent('download')
    await page.getByText('The file is ready: 1 entry').waitFor()
    await page.getByRole('button', { name: 'Download' }).click()
    const path = await (await downloaded).path()
    assert.match(readFileSync(path, 'utf8'), /exported/)
    assertFaultless(visit, 'export')
  })

  test('a viewer has a refusal explained and is offered no replay; without records:read a person is told which permission is missing', async () => {
    const id = await called('GET', '/orders/v1/none')
    assert.equal((await server.manage('GET', `/records/${id}`)).json.client_slug, 'acme')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'viv')
    await opened(page, `/records?record=${id}`)
    assert.equal(await page.getByRole('button', { name: 'Replay' }).count(), 0)
    await page.getByRole('link', { name: 'Why denied' }).click()
    await page.getByText('refused with 404 route_not_found').waitFor()
    assertFaultless(visit, 'viewer')
    await using other = await visitor(browser, origins)
    await signIn(other.page, origin, 'noa')
    for (const path of ['/records', `/records/${id}`, '/run/requests.explain']) {
      await opened(other.page, path)
      await other.page.getByText('records:read').waitFor()
    }
    assertFaultless(other, 'nobody')
  })
})
