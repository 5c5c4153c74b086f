/** What holds for the sizes of every page: nothing is wider than the window, and all targets are large enough for a finger. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { type Sample, startSample } from '../support/sample/instance.ts'
import { assertFaultless, launch, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { tooLarge } from './clean.ts'
import { PAGES } from './pages.ts'

/** Heights in CSS pixels of a target for a mouse (WCAG 2.2, 2.5.8) and for a finger. */
const MOUSE = 24
const FINGER = 44

/** Resources with a name that pages show. */
const NAMED = [
  'collections',
  'workflows',
  'policies',
  'credentials',
  'clients',
  'profiles',
  'origins',
  'virtual_mcps',
  'guardrails',
  'hosts',
  'teams',
]

/**
 * Targets of the page that are too small, as text. A box that is ticked is as large as its label. Links within a text, and the canvas of
 * workflows, which is zoomed, are left out. It runs in the page.
 */
const smallTargets = (least: number): string => `[...document.querySelectorAll(
  'button, select, summary, input, textarea, [role=option], nav a, tbody td:first-child > a, li[data-row] > div:first-child > a, a.target',
)].flatMap((element) => {
  const target = element.matches('[type=checkbox], [type=radio]') ? element.closest('label') ?? element : element
  const { width, height } = target.getBoundingClientRect()
  const isShown = target.checkVisibility({ visibilityProperty: true }) && width > 1
  if (!isShown || element.closest('.react-flow, .sr-only') || element.matches('[type=file]')) return []
  const isSmall = height < ${least} || width < ${MOUSE}
  return isSmall ? [Math.round(width) + 'x' + Math.round(height) + ' ' + element.outerHTML.slice(0, 120)] : []
})`

suite('sizes on all pages of the console, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let sample: Sample

  before(async () => {
    sample = await startSample({ proxiesEach: 5, records: 5000, workers: 1 })
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await sample?.[Symbol.asyncDispose]()
  })

  for (const { width, least } of [
    { width: 390, least: FINGER },
    { width: 1440, least: MOUSE },
  ])
    test(`at ${width} pixels no page is wider than the window, and targets are at least ${least} pixels high`, async () => {
      const { controlUrl, origin } = sample.server.running
      await using visit = await visitor(browser, [controlUrl, origin], { width })
      const { page } = visit
      await signIn(page, controlUrl, sample.administrator)
      const faults: string[] = []
      const [record] = (await sample.server.manage('GET', '/records?limit=1&status=5xx')).json.items
      for (const path of [
        ...PAGES.map(({ path }) => path),
        `/records/${record.id}`,
        `/records?record=${record.id}`,
      ]) {
        await openPage(page, controlUrl, path)
        const small = await page.evaluate<string[]>(smallTargets(least))
        for (const fault of [await tooLarge(page, width), ...small])
          if (fault !== null) faults.push(`${path}: ${fault}`)
        assertFaultless(visit, path)
      }
      assert.deepEqual(faults, [])
    })

  test('rows of a table are high enough for a finger on a wide screen, too', async () => {
    const { controlUrl, origin } = sample.server.running
    await using visit = await visitor(browser, [controlUrl, origin], { isTouch: true })
    const { page } = visit
    await signIn(page, controlUrl, sample.administrator, '/console/collections')
    await page.getByRole('table').waitFor()
    assert.deepEqual(await page.evaluate(smallTargets(FINGER)), [])
    assertFaultless(visit, 'touch')
  })

  test('names of 60 characters without a space make no page wider than the window', async () => {
    const { controlUrl, origin } = sample.server.running
    for (const resource of NAMED) {
      const { json } = await sample.server.manage('GET', `/${resource}?limit=100`)
      assert.ok(json.items.length > 0, resource)
      for (const { id, slug } of json.items) {
        const name = `${slug}-${'n'.repeat(60)}`.slice(0, 60)
        const renamed = resource === 'origins' ? { name, probe: false } : { name }
        const { status, text } = await sample.server.manage('PATCH', `/${resource}/${id}`, renamed)
        assert.ok(status === 200 || status === 202, `${resource} ${slug}: ${text}`)
      }
    }
    const faults: string[] = []
    for (const width of [390, 1440]) {
      await using visit = await visitor(browser, [controlUrl, origin], { width })
      const { page } = visit
      await signIn(page, controlUrl, sample.administrator)
      for (const { path } of PAGES) {
        await openPage(page, controlUrl, path)
        const fault = await tooLarge(page, width)
        if (fault !== null) faults.push(`${width} ${path}: ${fault}`)
      }
      assertFaultless(visit, `long names at ${width} pixels`)
    }
    assert.deepEqual(faults, [])
  })

  test('over a slow network a page comes without a fault', async () => {
    const { controlUrl, origin } = sample.server.running
    await using visit = await visitor(browser, [controlUrl, origin])
    const { page } = visit
    await signIn(page, controlUrl, sample.administrator)
    const session = await page.context().newCDPSession(page)
    await session.send('Network.enable')
    // As the slower of two mobile networks: 50 KB a second, 400 ms for each request
    await session.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 400,
      downloadThroughput: 50_000,
      uploadThroughput: 50_000,
    })
    await openPage(page, controlUrl, '/analytics')
    await page.getByRole('heading', { name: 'Analytics', level: 1 }).waitFor()
    await page.getByRole('link', { name: 'Collections' }).click()
    await page.getByRole('table').waitFor()
    assertFaultless(visit, 'slow network')
  })
})
