/** The documentation in a real browser, from a disk: it renders in both themes, and its search works by keyboard. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Browser } from 'playwright-core'
import { buildSite } from '../../build/docs/site.ts'
import { assertFaultless, launch, SKIPPED, visitor } from './chromium.ts'
import { assertAccessible, SIZES } from './clean.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** What the origin of a file is called. */
const DISK = ['null']
const PAGES = [
  'index.html',
  'cli.html',
  'workflows.html',
  'profiles/jwt.html',
  'console.html',
  'settings.html',
]

suite('the documentation in a browser', { skip: SKIPPED }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-docs-'))
  const url = (page: string): string => `${pathToFileURL(join(directory, 'site'))}/${page}`
  let browser: Browser

  before(async () => {
    await buildSite(ROOT, join(directory, 'site'))
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    rmSync(directory, { recursive: true })
  })

  for (const { name, width, dark } of SIZES)
    test(`pages render ${name}: nothing is asked elsewhere, nothing is wider than the window, and axe finds nothing`, async () => {
      await using visit = await visitor(browser, DISK, { width, dark })
      for (const page of PAGES) {
        await visit.page.goto(url(page))
        await visit.page.locator('search').waitFor()
        const wide = await visit.page.evaluate<number>('document.documentElement.scrollWidth')
        assert.ok(wide <= width, `${page} is ${wide} pixels wide`)
        await assertAccessible(visit.page, page, { preload: false })
        assertFaultless(visit, page)
      }
    })

  test('the search is used by keyboard alone, from a page in a folder, and its results pass axe', async () => {
    await using visit = await visitor(browser, DISK)
    const { page } = visit
    await page.goto(url('profiles/jwt.html'))
    await page.keyboard.press('/')
    await page.keyboard.type('private_key_jwt')
    await page.locator('#results a').first().waitFor()
    assert.match((await page.locator('#count').textContent())!, /^\d+ sections$/)
    await assertAccessible(page, 'results', { preload: false })
    // The words of its heading choose one of the sections, however often others name the method
    await page.keyboard.type(' client authentication')
    await page.locator('#count', { hasText: /^1 section$/ }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.waitForURL(url('identity.html#client-authentication'))

    await page.locator('#search').fill('no-such-word-here')
    await page.locator('#count', { hasText: 'No section has these words' }).waitFor()
    await assertAccessible(page, 'no results', { preload: false })
    await page.keyboard.press('Escape')
    assert.equal(await page.locator('#search').inputValue(), '')
    assertFaultless(visit, 'search')
  })

  test('a print has the content alone, in light colours', async () => {
    await using visit = await visitor(browser, DISK, { dark: true })
    await visit.page.goto(url('tls.html'))
    await visit.page.emulateMedia({ media: 'print' })
    for (const part of ['header', '#pages', '.contents'])
      assert.equal(await visit.page.locator(part).isVisible(), false, part)
    assert.equal(await visit.page.locator('h1').isVisible(), true)
    assert.equal(
      await visit.page.evaluate('getComputedStyle(document.body).backgroundColor'),
      'rgb(255, 255, 255)',
    )
  })

  test('without its script a page keeps its content and its navigation', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto(url('tls.html'))
    assert.equal(await page.locator('search').isVisible(), false)
    await page.getByRole('link', { name: 'Hardening', exact: true }).first().click()
    await page.waitForURL(url('hardening.html'))
    await context.close()
  })
})
