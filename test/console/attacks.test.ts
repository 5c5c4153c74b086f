/** Scripts in everything that the console shows: no page of it runs one, and none breaks the policy of contents. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { Json, JsonObject } from '../../ui/build/document.ts'
import { startTestServer, type TestServer } from '../scenarios/server.ts'
import { startUpstream, type TestUpstream } from '../scenarios/upstream.ts'
import { startSdkServer } from '../support/mcp-server.ts'
import { KINDS, type Made, makeFull, plainValues } from '../support/sample/every-kind.ts'
import { assertFaultless, launch, SKIPPED, signIn, visitor } from './chromium.ts'
import { PAGES } from './pages.ts'
import { addPeople } from './start-console.ts'

/** Each sets `ran` where it runs; all begin with what ends an attribute and a text. */
const SCRIPTS = [
  `"'><img src=x onerror=ran=1><script>ran=1</script><svg onload=ran=1>[x](javascript:ran=1)<iframe srcdoc="<script>parent.ran=1</script>">`,
  `"><img src=x onerror=ran=1><script>ran=1</script>`,
  `<svg onload=ran=1>`,
  'javascript:ran=1',
  'https://x.example/"><svg onload=ran=1>',
]
const LISTS = PAGES.filter(({ path }) => /^\/[a-z_]*$/.test(path))

/** Scripts for members that hold any text; elsewhere what makes room for further members. */
function hostile(schema: JsonObject, path: readonly (string | number)[]): readonly Json[] {
  const [type] = [schema['type']].flat()
  const isFree = type === 'string' && schema['enum'] === undefined && schema['x-postern-ref'] === undefined
  if (isFree) return SCRIPTS
  const items = schema['items']
  const isTexts = typeof items === 'object' && items !== null && (items as JsonObject)['type'] === 'string'
  return isTexts ? SCRIPTS.map((script) => [script]) : plainValues(schema, path)
}

/** Descriptions in Markdown: each leads elsewhere, runs, loads something, or takes long where a reader is not bounded. */
const MARKDOWN = [
  '[a](javascript:ran=1) [b](JaVa\tScRiPt:ran=1) [c](data:text/html,<script>ran=1</script>) [d](&#106;avascript:ran=1) <javascript:ran=1>',
  '![a](https://x.example/a.png) ![b](javascript:ran=1) [![c](https://x.example/c.svg)](javascript:ran=1)',
  `<script>ran=1</script>\n\n<div onclick=ran=1>\n\n<iframe srcdoc="<script>parent.ran=1</script>"></iframe>\n\n<!-- ${SCRIPTS[1]} -->`,
  '[a]: javascript:ran=1\n\n[a] [b][a]\n\n`</code><img src=x onerror=ran=1>`\n\n```"><svg onload=ran=1>\n```',
  `${'>'.repeat(10_000)} deep`,
  `${'- '.repeat(9_990)}deep`,
  `${'*a '.repeat(3_300)}${'b* '.repeat(3_300)}`,
  `${'['.repeat(9_000)}${']('.repeat(5_000)}`,
  `${'|a'.repeat(2_500)}\n${'|-'.repeat(2_500)}\n${'|\n'.repeat(4_000)}`,
]

/** What a page must never have, wherever it came from. It runs in the page. */
const RAN = `(() => {
  const found = []
  if (globalThis.ran !== undefined) found.push('a script ran')
  for (const element of document.querySelectorAll('img[src=x], svg[onload], iframe, object, embed, script:not([src])')) found.push(element.outerHTML)
  for (const link of document.querySelectorAll('a[href], form[action], area[href]'))
    if (!/^https?:$/.test(new URL(link.getAttribute('href') ?? link.getAttribute('action'), location.href).protocol)) found.push(link.outerHTML)
  return found
})()`

suite('attacks on the console', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let upstream: TestUpstream
  let origin: string
  let made: Made[]
  const stack = new AsyncDisposableStack()

  before(async () => {
    upstream = await startUpstream()
    const tools = stack.use(await startSdkServer({ title: SCRIPTS[0]!, description: SCRIPTS[0]! }))
    server = await startTestServer({ workers: 1 })
    origin = server.running.controlUrl
    await addPeople(server)
    made = []
    for (const kind of KINDS) made.push(await makeFull(server, kind, hostile))
    for (const [path, body] of [
      ['/origins', { name: SCRIPTS[1], slug: 'tools', url: tools.url }],
      [
        '/virtual_mcps',
        { name: SCRIPTS[1], slug: 'tools', members: [{ origin: 'tools' }], status: 'published' },
      ],
      [
        '/collections',
        {
          name: SCRIPTS[1],
          slug: 'orders',
          base_path: '/orders',
          upstream: { targets: [{ url: upstream.url }] },
          status: 'published',
        },
      ],
      [
        '/proxies',
        { collection: 'orders', name: SCRIPTS[1], methods: ['GET'], path: '/a/{id}', status: 'published' },
      ],
      [
        '/clients',
        {
          name: 'All',
          slug: 'all',
          collections: ['orders'],
          profiles: [{ name: 'Open', auth: { type: 'none' } }],
        },
      ],
    ] as const) {
      const { status, text } = await server.manage('POST', path, body, {
        headers: { 'user-agent': SCRIPTS[1]! },
      })
      assert.equal(status, 201, text)
    }
    upstream.answer = (_seen, response) => {
      response.statusCode = 418
      response.setHeader('content-type', 'text/html')
      response.end(SCRIPTS[0])
    }
    const headers = {
      'user-agent': SCRIPTS[1]!,
      'x-client-id': 'all',
      'x-profile-id': 'open',
      traceparent: SCRIPTS[1]!,
    }
    const answer = await server.gateway('GET', `/orders/a/${encodeURIComponent(SCRIPTS[2]!)}`, { headers })
    assert.equal(answer.status, 418, answer.text)
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await server?.stop()
    await upstream?.[Symbol.asyncDispose]()
    await stack.disposeAsync()
  })

  const opened = async (page: Page, path: string): Promise<void> => {
    await page.goto(`${origin}/console${path}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.waitForLoadState('networkidle')
    assert.deepEqual(await page.evaluate(RAN), [], path)
  }

  test('each kind has scripts in its texts', () => {
    const without = made.filter(({ set }) => set.length === 0).map(({ kind }) => kind)
    assert.deepEqual(without, [])
    const count = made.reduce((sum, { set }) => sum + set.length, 0)
    assert.ok(count > 200, `${count}`)
  })

  test('no list and no page of a resource runs a script that is stored in it', async () => {
    await using visit = await visitor(browser, [origin, server.running.origin])
    await signIn(visit.page, origin, 'ann')
    const items = [
      ...made,
      ...['origins', 'virtual_mcps', 'collections'].map((kind) => ({
        kind,
        id: kind === 'collections' ? 'orders' : 'tools',
      })),
    ]
    const pages = [
      ...LISTS.map(({ path }) => path),
      ...items.flatMap(({ kind, id }) =>
        ['', '?tab=edit', '?tab=history'].map((tab) => `/${kind}/${id}${tab}`),
      ),
    ]
    for (const path of pages) {
      await opened(visit.page, path)
      assertFaultless(visit, path)
    }
    const shown = await visit.page.goto(`${origin}/console/collections`).then(async () => {
      await visit.page.getByText('<script>ran=1</script>').first().waitFor()
      return visit.page.getByText('<script>ran=1</script>').count()
    })
    assert.ok(shown > 0)
  })

  test('no record, answer of an upstream, tool or difference runs a script', async () => {
    await using visit = await visitor(browser, [origin, server.running.origin])
    const { page } = visit
    await signIn(page, origin, 'ann')
    const { json } = await server.manage('GET', '/records?limit=1')
    const entries = await server.manage('GET', '/audit?limit=5')
    for (const path of [
      '/records',
      `/records/${json.items[0].id}`,
      ...entries.json.items.map(({ id }: { readonly id: string }) => `/audit/${id}`),
      `/run/requests.replay?id=${json.items[0].id}`,
    ]) {
      await opened(page, path)
      assertFaultless(visit, path)
    }
    await opened(page, '/run/origins.catalog?id=tools')
    await page.locator('form button[type=submit]').first().click()
    await page.getByText('<script>ran=1</script>').first().waitFor()
    assert.deepEqual(await page.evaluate(RAN), [])
    assertFaultless(visit, 'catalogue')
    await opened(page, '/collections/orders?tab=edit')
    await page.getByLabel('Description').fill(SCRIPTS[0]!)
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByText('<script>ran=1</script>').first().waitFor()
    assert.deepEqual(await page.evaluate(RAN), [])
    assertFaultless(visit, 'difference')
  })

  test('no filter, tab or way back in an address runs a script, and no sign-in leads elsewhere', async () => {
    await using visit = await visitor(browser, [origin, server.running.origin])
    const { page } = visit
    await signIn(page, origin, 'ann')
    const script = encodeURIComponent(SCRIPTS[0]!)
    for (const path of [
      `/clients?text=${script}`,
      `/clients?tag=${script}&order=${script}`,
      `/collections/orders?tab=${script}`,
      `/${encodeURIComponent(SCRIPTS[2]!)}`,
      `/collections/new?name=${script}&description=${script}&base_path=${script}`,
      `/sign-in?return_to=javascript:ran=1`,
      `/sign-in?return_to=//evil.example/`,
    ]) {
      await opened(page, path)
      const links = await page
        .getByRole('link')
        .evaluateAll((all) => all.map((link) => String((link as unknown as { href: string }).href)))
      for (const link of links) assert.ok(link.startsWith(`${origin}/`), link)
    }
    const outside = visit.faults.filter((fault) => !fault.includes('status of 4'))
    assert.deepEqual(outside, [])
  })

  test('an address gives a form its values, and neither a reason nor another option that nobody has typed', async () => {
    await using visit = await visitor(browser, [origin, server.running.origin])
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/policies/new?name=From+a+link&slug=from-a-link&reason=forged&idempotency_key=forged')
    await page.getByRole('button', { name: 'Show as' }).click()
    await page.getByRole('dialog').getByText('From a link').first().waitFor()
    assert.equal(await page.getByText('forged').count(), 0)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByRole('button', { name: 'Create' }).click()
    await page.waitForURL(`${origin}/console/policies/*`)
    const { items } = (await server.manage('GET', '/audit?operation=policies.create&actor=ann')).json
    assert.deepEqual([items[0].resource.slug, items[0].reason], ['from-a-link', null])
    assertFaultless(visit, 'a form from a link')
  })

  test('no description in Markdown runs, loads or holds up anything, where it is shown and where it is written', async () => {
    await using visit = await visitor(browser, [origin, server.running.origin])
    const { page } = visit
    await signIn(page, origin, 'ann')
    for (const [index, text] of MARKDOWN.entries()) {
      const { status, text: answer } = await server.manage('PATCH', '/collections/orders', {
        description: text,
      })
      assert.equal(status, 200, answer)
      await opened(page, `/collections/orders?text=${index}`)
      await opened(page, `/collections/orders?tab=edit&text=${index}`)
      assert.equal(await page.locator('img, iframe').count(), 0, text.slice(0, 80))
      assertFaultless(visit, text.slice(0, 80))
    }
    // A megabyte that nobody could store
    const field = page.getByLabel('Description')
    await field.fill(MARKDOWN[0]!.repeat(8_000))
    await page.getByRole('button', { name: 'Undo all' }).click()
    assert.equal(await field.inputValue(), MARKDOWN.at(-1))
    assert.deepEqual(await page.evaluate(RAN), [])
    assertFaultless(visit, 'a megabyte')
  })

  test('a file whose name is markup is imported as a name', async () => {
    await using visit = await visitor(browser, [origin, server.running.origin])
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/collections/import')
    const document = {
      openapi: '3.1.0',
      info: { title: SCRIPTS[1], version: '1', description: SCRIPTS[0] },
      servers: [{ url: 'http://127.0.0.1:9' }],
      paths: { '/a': { get: { summary: SCRIPTS[1], description: SCRIPTS[0], responses: {} } } },
    }
    await page
      .locator('input[type=file]')
      .first()
      .setInputFiles({
        name: '<img src=x onerror=ran=1>.json',
        mimeType: 'application/json',
        buffer: Buffer.from(JSON.stringify(document)),
      })
    await page.waitForLoadState('networkidle')
    assert.deepEqual(await page.evaluate(RAN), [])
    assertFaultless(visit, 'import')
  })
})
