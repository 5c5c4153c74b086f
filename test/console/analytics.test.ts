/** Charts, the period before and what requests are made of, in a real browser over real records. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { publishOrders, type TestServer, until } from '../scenarios/server.ts'
import { startUpstream, type TestUpstream } from '../scenarios/upstream.ts'
import { assertFaultless, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertClean, SIZES } from './clean.ts'
import { startConsole } from './start-console.ts'

const CALLS = 12

suite('analytics, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let upstream: TestUpstream
  let origin: string
  let origins: readonly string[]
  const stack = new AsyncDisposableStack()

  before(async () => {
    upstream = stack.use(await startUpstream())
    ;({ browser, server, origin, origins } = stack.use(
      await startConsole({ ann: 'admin', noa: null }, { workers: 2 }),
    ))
    const token = await publishOrders(server, upstream.url)
    for (let at = 0; at < CALLS; at++) await server.gateway('GET', `/orders/v1/orders/${at}`, { token })
    await server.gateway('GET', '/orders/v1/orders/none', {})
    await until(
      () => server.manage('GET', '/metrics/overview?collection=orders'),
      ({ json }) => json.requests === CALLS + 1,
    )
  })
  after(() => stack.disposeAsync())

  const opened = async (page: Page, path: string): Promise<void> => {
    await page.goto(`${origin}/console${path}`)
    await page.getByRole('heading', { name: 'Analytics', level: 1 }).waitFor()
    await page.waitForLoadState('networkidle')
  }

  const tabTo = async (page: Page, focused: string): Promise<void> => {
    for (let at = 0; at < 80 && (await page.locator(focused).count()) === 0; at++)
      await page.keyboard.press('Tab')
  }

  for (const { name, width, dark } of SIZES)
    test(`charts, their table and the breakdown render ${name} without a fault`, async () => {
      await using visit = await visitor(browser, origins, { width, dark })
      await signIn(visit.page, origin, 'ann')
      for (const path of [
        '/analytics',
        '/analytics?compare=true&by=status',
        '/analytics?client=nobody',
        '/analytics?from=2020-01-01&to=2020-01-02&by=endpoint&order=error_rate',
        '/analytics?from=tomorrow-ish',
      ]) {
        await opened(visit.page, path)
        const table = visit.page.getByText('The charts as a table')
        if ((await table.count()) > 0) await table.click()
        if (path.includes('tomorrow')) await visit.page.getByRole('alert').waitFor()
        else await assertClean(visit, width, path)
      }
    })

  test('each chart is told in a sentence, and a point that the pointer is at is shown', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/analytics?collection=orders&from=-1h')
    const chart = page.getByRole('img', {
      name: /Requests over time, \d+ points of 1m: 13 requests, 1 with 4xx, 0 with 5xx/,
    })
    await chart.waitFor()
    const box = (await chart.boundingBox())!
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
    await page
      .getByText(/^[A-Z][a-z]{2} \d+, \d\d:\d\d$/)
      .first()
      .waitFor()
    assertFaultless(visit, 'pointer')
  })

  test('a part of a chart that is chosen with the pointer is the time of the page, and Back shows the time before', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/analytics?collection=orders&from=-1h')
    const box = (await page.getByRole('img', { name: /^Requests over time/ }).boundingBox())!
    await page.mouse.move(box.x + box.width / 2, box.y + 50)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width / 2 + 80, box.y + 50, { steps: 4 })
    await page.mouse.up()
    await page.waitForURL((url) => url.searchParams.has('to'))
    const { searchParams } = new URL(page.url())
    const [from, to] = [Date.parse(searchParams.get('from')!), Date.parse(searchParams.get('to')!)]
    assert.ok(to > from && to - from < 3_600_000, page.url())
    assert.equal(from % 10_000, 0)
    await page.getByRole('button', { name: 'Remove the filter to:' }).waitFor()
    await page.goBack()
    await page.waitForURL((url) => url.searchParams.get('from') === '-1h')
    assertFaultless(visit, 'brush')
  })

  test('the period before is the same question, moved by whole points to where this one begins', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    const asked: URL[] = []
    page.on('request', (request) => {
      const url = new URL(request.url())
      if (url.pathname === '/management/v1/metrics/over_time') asked.push(url)
    })
    await opened(page, '/analytics?collection=orders&from=-24h')
    assert.equal(asked.length, 1)
    await page.getByRole('button', { name: 'Compare with the period before' }).click()
    await page.getByText('Requests before', { exact: true }).waitFor()
    await page.getByText('no requests before', { exact: true }).nth(5).waitFor()
    await page.waitForLoadState('networkidle')
    const before = asked.at(-1)!.searchParams
    assert.equal(before.get('collection'), 'orders')
    assert.equal(before.get('bucket'), '15m')
    const [from, to] = [Date.parse(before.get('from')!), Date.parse(before.get('to')!)]
    assert.equal(from % 900_000, 0)
    assert.ok(Math.abs(to - from - 86_400_000) <= 900_000, `${to - from} ms`)
    assertFaultless(visit, 'compare')
  })

  test('a row narrows the page to it, and its number leads to its records', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/analytics?by=client')
    const row = page.getByRole('row').filter({ hasText: 'acme' })
    await row.getByRole('button', { name: 'acme' }).click()
    await page.waitForURL((url) => url.searchParams.get('client') === 'acme')
    await row.getByRole('link', { name: String(CALLS) }).click()
    await page.getByRole('heading', { name: 'Records', level: 1 }).waitFor()
    await page.locator('table[aria-busy=false]').waitFor()
    assert.equal(await page.locator('[data-record]').count(), CALLS)
    assertFaultless(visit, 'breakdown')
  })

  test('by keyboard alone: the page is opened, grouped by status, and the records of a status are shown', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await page.keyboard.press('g')
    await page.keyboard.press('y')
    await page.getByRole('heading', { name: 'Analytics', level: 1 }).waitFor()
    await tabTo(page, '[aria-label="Break down by"]:focus')
    await page.keyboard.press('End')
    await page.waitForURL((url) => url.searchParams.get('by') === 'status')
    await page.getByRole('button', { name: '401' }).waitFor()
    await tabTo(page, 'tr:has-text("401") a:focus')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Records', level: 1 }).waitFor()
    assert.equal(new URL(page.url()).searchParams.get('status'), '401')
    assertFaultless(visit, 'keyboard')
  })

  test('a person without the permission is told which one is missing', async () => {
    await using visit = await visitor(browser, origins)
    await signIn(visit.page, origin, 'noa')
    await opened(visit.page, '/analytics')
    await visit.page.getByText('metrics:read').waitFor()
  })
})
