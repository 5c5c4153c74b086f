/** Pages of resources of the sample instance, in a real browser: they render without a fault, and axe finds nothing in both themes. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { type Sample, startSample } from '../support/sample/instance.ts'
import { launch, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertClean } from './clean.ts'
import { drawnPages, PAGES } from './pages.ts'

suite('pages of the sample instance, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let sample: Sample

  before(async () => {
    sample = await startSample({ proxiesEach: 5, records: 5000 })
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await sample?.[Symbol.asyncDispose]()
  })

  for (const { name, width, themes } of [
    { name: 'at 1440 pixels, light and dark', width: 1440, themes: ['light', 'dark'] },
    { name: 'at 390 pixels, light', width: 390, themes: ['light'] },
  ] as const)
    test(`each page of a resource renders ${name} without a fault, and axe finds nothing`, async () => {
      const { controlUrl, origin } = sample.server.running
      await using visit = await visitor(browser, [controlUrl, origin], { width })
      await signIn(visit.page, controlUrl, sample.administrator)
      // All pages at fault are named at once
      const unclean: string[] = []
      const own = PAGES.filter(({ isOfSample }) => isOfSample === true)
      for (const { path } of [...own, ...(await drawnPages(visit.page))]) {
        await visit.page.emulateMedia({ colorScheme: themes[0] })
        await openPage(visit.page, controlUrl, path)
        for (const colorScheme of themes) {
          await visit.page.emulateMedia({ colorScheme })
          await assertClean(visit, width, `${path}, ${colorScheme}`).catch((error: Error) =>
            unclean.push(error.message),
          )
        }
      }
      assert.deepEqual(unclean, [])
    })
})
