/** APIs and their callers in a real browser: an import and its plan, live counters of a policy, a credential that is tested and rotated, and what a profile may call. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { type Orders, startOrders } from '../scenarios/orders.ts'
import { created, type TestServer, until } from '../scenarios/server.ts'
import { assertFaultless, launch, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertClean } from './clean.ts'
import { addPeople } from './start-console.ts'

/** An API of a warehouse with so many paths. */
const description = (paths: readonly string[], url: string): string =>
  JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'Warehouse', version: '1' },
    servers: [{ url }],
    paths: Object.fromEntries(
      paths.map((path) => [
        path,
        { get: { operationId: path.slice(1), responses: { 200: { description: 'found' } } } },
      ]),
    ),
  })

suite('APIs and their callers, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let orders: Orders
  let server: TestServer
  let origin: string
  let origins: string[]

  before(async () => {
    orders = await startOrders({ workers: 1 })
    server = orders.server
    origin = server.running.controlUrl
    origins = [origin, server.running.origin]
    await addPeople(server)
    await created(
      server.manage('POST', '/credentials', {
        name: 'Backend',
        slug: 'backend',
        auth: { type: 'bearer', token: 'first-secret-91' },
      }),
    )
    assert.equal((await server.manage('PATCH', '/collections/orders', { credential: 'backend' })).status, 200)
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await orders?.stop()
  })

  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)

  test('a description is imported after its plan, and a newer one says what it adds, misses and leaves', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/collections')
    await page.getByRole('link', { name: 'Import' }).click()
    const chosen = (paths: readonly string[]) => ({
      name: 'warehouse.json',
      mimeType: 'application/json',
      buffer: Buffer.from(description(paths, orders.upstream.url)),
    })
    await page.locator('input[type=file]').setInputFiles(chosen(['/shelves', '/boxes']))
    await page.getByText(/^warehouse\.json, \d/).waitFor()
    await page.getByRole('button', { name: 'Show the plan' }).click()
    const plan = page.getByRole('region', { name: 'Proxies of the plan' })
    await plan.waitFor()
    assert.deepEqual(
      (await plan.locator('tr').allInnerTexts()).map((row) => row.split(/\s+/).slice(0, 2).join(' ')).sort(),
      ['added GET', 'added GET'],
    )
    assert.equal((await server.manage('GET', '/collections/warehouse')).status, 404, 'a plan stores nothing')
    await assertClean(visit, 1440, 'the plan')
    assert.equal(await page.getByText('All changes').count(), 1)
    assert.equal(await page.locator('details[open]').count(), 0, 'the difference is folded')
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    await page.getByRole('link', { name: 'Open the collection warehouse' }).waitFor()
    await page.getByText('The gateway returns 404 for this collection until it is published.').waitFor()
    assert.equal(await page.getByRole('heading', { name: 'Imported' }).count(), 0, 'no empty card')
    const slugs = async () =>
      (await server.manage('GET', '/proxies?collection=warehouse')).json.items.map(
        ({ path }: { path: string }) => path,
      )
    assert.deepEqual((await slugs()).sort(), ['/boxes', '/shelves'])

    await opened(page, '/collections/import?collection=warehouse')
    await page.locator('input[type=file]').setInputFiles(chosen(['/shelves', '/pallets']))
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await plan.waitFor()
    const rows = (await plan.locator('tr').allInnerTexts()).map((row) => row.replace(/\s+/g, ' '))
    assert.ok(
      rows.some((row) => row.startsWith('added') && row.includes('/pallets')),
      rows.join('; '),
    )
    assert.ok(
      rows.some((row) => row.startsWith('missing') && row.includes('/boxes')),
      rows.join('; '),
    )
    assertFaultless(visit, 'import')
  })

  test('a large import keeps its buttons in view, with the difference open too, and is published from its result', async () => {
    const paths = Array.from({ length: 120 }, (_, index) => `/part-${index}`)
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/collections/import')
    const text = description(paths, orders.upstream.url).replace('Warehouse', 'Parts')
    await page.getByLabel('Or paste the text').fill(text)
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByRole('region', { name: 'Proxies of the plan' }).waitFor()
    const button = page.getByRole('button', { name: 'Import', exact: true })
    const isInView = async (): Promise<boolean> => {
      const box = (await button.boundingBox())!
      return box.y >= 0 && box.y + box.height <= page.viewportSize()!.height
    }
    assert.equal(await isInView(), true)
    await page.getByText('All changes').click()
    await page.locator('details[open]').waitFor()
    assert.equal(await isInView(), true, 'with the difference')
    await button.click()
    await page.getByRole('button', { name: 'Publish', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'Publish Parts' })
    await dialog.getByRole('button', { name: 'Review the change' }).click()
    await dialog.getByRole('button', { name: 'Publish', exact: true }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.getByText('The gateway returns 404 for this collection').waitFor({ state: 'detached' })
    const { items } = (await server.manage('GET', '/proxies?collection=parts&status=draft')).json
    assert.equal(items.length, 0, 'its proxies are published with it')
    assertFaultless(visit, 'large import')
  })

  test('a draft collection is marked in what a client may call', async () => {
    const base = { name: 'Attic', slug: 'attic', base_path: '/attic' }
    await created(server.manage('POST', '/collections', base))
    await created(
      server.manage('POST', '/clients', {
        name: 'Loft',
        slug: 'loft',
        collections: ['attic', 'orders'],
        profiles: [{ name: 'Key', auth: { type: 'token' } }],
      }),
    )
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/clients/loft')
    const row = (slug: string) =>
      page.getByRole('region', { name: 'Collections it may call' }).getByRole('row').filter({ hasText: slug })
    await row('attic').getByText('draft, returns 404').waitFor()
    await row('orders').getByText('all endpoints').waitFor()
    assertFaultless(visit, 'may call')
  })

  test('what is no description is refused with its place, and the text stays', async () => {
    await using visit = await visitor(browser, origins, { width: 390 })
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/collections/import')
    await page.getByLabel('Or paste the text').fill('{"openapi":"3.1.0"')
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByRole('alert').first().waitFor()
    assert.equal(await page.getByLabel('Or paste the text').inputValue(), '{"openapi":"3.1.0"')
    visit.faults.length = 0
    await assertClean(visit, 390, 'a refused description')
  })

  test('calls move the counter of a policy on the open page', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await orders.ask('GET', '/v1/orders/7')
    await opened(page, '/policies/gold')
    await page.getByText('1,000 requests in any minute').first().waitFor()
    const used = page.getByText(/^\d[\d,]* of 1,000/).first()
    await used.waitFor()
    const count = async () => Number(/^[\d,]+/.exec(await used.innerText())![0].replace(',', ''))
    const before = await count()
    for (let calls = 0; calls < 5; calls++) await orders.ask('GET', '/v1/orders/7')
    await until(count, (now) => now >= before + 5)
    await assertClean(visit, 1440, 'policy')
  })

  test('a credential is tested step by step, rotated with an overlap, and the rotation undone; no secret is shown', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/credentials/backend')
    await page.getByRole('link', { name: 'collections/orders' }).waitFor()
    const tests = page.getByRole('main').getByRole('button', { name: 'Test', exact: true })
    await tests.click()
    await page.getByText('Call the upstream').waitFor()
    await page.getByText('answered 200', { exact: true }).waitFor()
    assert.equal(orders.upstream.seen.at(-1)!.headers['authorization'], 'Bearer first-secret-91')

    await page.getByRole('button', { name: 'Rotate' }).first().click()
    const dialog = page.getByRole('dialog')
    await dialog.locator('input[type=password]').first().fill('second-secret-92')
    assert.equal(await dialog.getByLabel('Password').count(), 0, 'members of other types')
    await dialog.getByRole('button', { name: 'Review the change' }).click()
    await dialog.getByRole('button', { name: 'Rotate', exact: true }).click()
    // The second one is that of the answer
    await dialog.getByRole('button', { name: 'Close' }).nth(1).click()
    await page.getByRole('button', { name: 'Undo the rotation' }).waitFor()
    await orders.ask('GET', '/v1/orders/7')
    assert.equal(orders.upstream.seen.at(-1)!.headers['authorization'], 'Bearer second-secret-92')
    assert.doesNotMatch(await page.content(), /(?:first|second)-secret/)

    const undo = page.getByRole('button', { name: 'Undo the rotation' })
    await undo.click()
    await dialog.getByRole('button', { name: 'Review the change' }).click()
    await dialog.getByRole('button', { name: 'Revert', exact: true }).click()
    await undo.waitFor({ state: 'detached' })
    await orders.ask('GET', '/v1/orders/7')
    assert.equal(orders.upstream.seen.at(-1)!.headers['authorization'], 'Bearer first-secret-91')
    assertFaultless(visit, 'credential')
  })

  test('a profile shows its headers, and whether it may call an endpoint and why not', async () => {
    await created(
      server.manage('POST', '/proxies', {
        collection: 'orders',
        name: 'Later',
        methods: ['GET'],
        path: '/later',
      }),
    )
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/clients/acme')
    await page.getByRole('link', { name: 'Sandbox' }).click()
    const headers = page.getByRole('region', { name: 'Headers of a request' })
    assert.match(await headers.innerText(), /^Authorization: Bearer /)
    const ask = async (endpoint: string): Promise<void> => {
      await page.getByLabel('Endpoint').fill(endpoint)
      await page.getByRole('option', { name: endpoint }).first().click()
      await page.getByRole('button', { name: 'Check' }).click()
    }
    await ask('orders:get-order')
    await page.getByText('Allowed', { exact: true }).waitFor()
    await ask('orders:later')
    await page.getByText('Refused', { exact: true }).waitFor()
    await assertClean(visit, 1440, 'profile')
  })

  test('the curl of a profile, with its token, is answered by the first endpoint that it may call; pages show public URLs', async () => {
    await created(
      server.manage('POST', '/proxies', {
        collection: 'orders',
        name: 'Open hours',
        methods: ['GET'],
        path: '/v1/hours',
        status: 'published',
      }),
    )
    const { json } = await created(
      server.manage('POST', '/profiles', {
        client: 'acme',
        name: 'First call',
        slug: 'first-call',
        auth: { type: 'token' },
      }),
    )
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/profiles/acme:first-call')
    const text = await page.getByRole('region', { name: 'curl', exact: true }).innerText()
    const gateway = server.running.origin
    assert.ok(text.startsWith(`curl ${gateway}/orders/v1/`), text)
    await page.getByText('Replace $TOKEN with the token of the profile.').waitFor()
    const path = /^curl (\S+)/.exec(text)![1]!.slice(gateway.length)
    assert.equal((await server.gateway('GET', path, { token: json.token })).status, 200)
    await assertClean(visit, 1440, 'how to call')

    const url = page.getByRole('region', { name: 'Public URL' })
    await opened(page, '/collections/orders')
    assert.equal((await url.innerText()).trim(), `${gateway}/orders`)
    await opened(page, '/proxies/orders:get-order')
    assert.match((await url.innerText()).trim(), /\/orders\/v1\/orders\/\{\w+\}$/)
    assert.equal(await page.getByText('The gateway returns 404 here').count(), 0)
    await server.manage('PATCH', '/proxies/orders:open-hours', { status: 'draft' })
    await opened(page, '/proxies/orders:open-hours')
    assert.equal((await url.innerText()).trim(), `${gateway}/orders/v1/hours`)
    await page.getByText('The gateway returns 404 here').waitFor()
    assertFaultless(visit, 'public URLs')
  })

  test('the form of a proxy has its steps as sections, shows where something is wrong, and what is created answers', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/proxies/new?collection=orders')
    const sections = page.getByRole('navigation', { name: 'Sections of the form' })
    const names = async () =>
      (await sections.getByRole('listitem').allInnerTexts()).map((one) => one.split('\n'))
    assert.deepEqual(await names(), [['Info'], ['Route'], ['Headers'], ['Parameters'], ['Schemas']])
    await page.getByLabel(/^Name/).first().fill('Book order')
    await page.getByLabel('Status').selectOption('published')
    await sections.getByRole('button', { name: 'Route' }).click()
    await page.getByLabel('POST', { exact: true }).check()
    await page.getByLabel('Path (required)').fill('v1/bookings')
    await sections.getByRole('button', { name: 'Headers' }).click()
    await page.getByRole('button', { name: 'Add to headers' }).click()
    await page.getByLabel(/^Name/).nth(1).fill('X-Channel')
    await page
      .getByLabel(/^Value/)
      .first()
      .fill('partner')
    await sections.getByRole('button', { name: 'Schemas' }).click()
    await page.getByLabel('Request schema', { exact: true }).fill('{"type":"object","required":["sku"]}')
    await page.getByLabel('Request validation').selectOption('enforce')
    await page.getByRole('button', { name: 'Review the change' }).click()
    await sections.getByText('wrong').waitFor()
    assert.deepEqual((await names())[1], ['Route', 'wrong'])
    visit.faults.length = 0
    await page.getByLabel('Path (required)').fill('/v1/bookings')
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByRole('heading', { name: /^Book order/, level: 1 }).waitFor()
    const booked = await orders.ask('POST', '/v1/bookings', { sku: 'TEA' })
    assert.notEqual(booked.status, 404, booked.text)
    assert.equal(orders.upstream.seen.at(-1)!.headers['x-channel'], 'partner')
    assert.equal((await orders.ask('POST', '/v1/bookings', {})).json.code, 'body_invalid')
    assertFaultless(visit, 'the form of a proxy')
  })

  test('a description in Markdown is shown as such, on the page and below its field', async () => {
    const text =
      'Places **orders**.\n\n- see [docs](https://docs.example/a)\n- ![chart](https://docs.example/c.png)'
    for (const [width, dark] of [
      [1440, false],
      [390, true],
    ] as const) {
      await using visit = await visitor(browser, origins, { width, dark })
      const { page } = visit
      await signIn(page, origin, 'ann')
      await opened(page, '/collections/orders?tab=edit')
      const field = page.getByLabel('Description')
      const preview = page.getByRole('group', { name: 'Preview' })
      await field.fill('Places orders.')
      await page.waitForLoadState('networkidle')
      assert.equal(await preview.count(), 0, 'a plain text has no preview')
      await field.fill(text)
      await preview.locator('strong', { hasText: 'orders' }).waitFor()
      await preview.locator('li a[href="https://docs.example/c.png"]', { hasText: 'chart' }).waitFor()
      await assertClean(visit, width, 'a preview')
      await page.getByRole('button', { name: 'Undo all' }).click()
      const stored = await server.manage('PATCH', '/collections/orders', { description: text })
      assert.equal(stored.status, 200, stored.text)
      await opened(page, '/collections/orders')
      const link = page.locator('dd a', { hasText: 'docs' })
      await link.waitFor()
      for (const [name, value] of [
        ['href', 'https://docs.example/a'],
        ['target', '_blank'],
        ['rel', 'noreferrer'],
      ] as const)
        assert.equal(await link.getAttribute(name), value)
      assert.equal(await page.locator('dd img').count(), 0)
      await assertClean(visit, width, 'a description')
      await server.manage('PATCH', '/collections/orders', { description: '' })
    }
  })
})
