/** What holds for every page: no fault, no overflow, and nothing that axe finds (WCAG 2.2 AA). */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import { assertFaultless, type Visitor } from './chromium.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** A wide screen in the light theme, and a phone in the dark one. */
export const SIZES = [
  { name: 'at 1440 pixels, light', width: 1440, dark: false },
  { name: 'at 390 pixels, dark', width: 390, dark: true },
]

/**
 * Says what is larger than the window; null if nothing is. The content scrolls within `main`, so the document is never larger than the
 * window, also not by texts for screen readers alone.
 */
export async function tooLarge(page: Page, width: number): Promise<string | null> {
  const [document, height, window, main, room] = await page.evaluate<number[]>(
    `(({ scrollWidth, clientWidth }, page) => [page.scrollWidth, page.scrollHeight, innerHeight, scrollWidth, clientWidth])(document.getElementById('main'), document.documentElement)`,
  )
  if (document! > width) return `the page is ${document} pixels wide`
  if (height! > window!) return `the page is ${height} pixels high in ${window}`
  return main! > room! ? `the content is ${main} pixels wide in ${room}` : null
}

export async function assertClean(visit: Visitor, width: number, at: string): Promise<void> {
  assertFaultless(visit, at)
  assert.equal(await tooLarge(visit.page, width), null, at)
  // The inner form would send the outer one too
  assert.equal(await visit.page.locator('form form').count(), 0, `${at} has a form within a form`)
  await assertAccessible(visit.page, at)
}

/**
 * No finding of axe for WCAG 2.2 AA.
 * @param options further ones of axe. A page on a disk needs `preload: false`, since it cannot fetch its styles a second time.
 */
export async function assertAccessible(page: Page, at: string, options: object = {}): Promise<void> {
  await page.evaluate(AXE)
  const found = await page.evaluate(
    async (asked) => {
      const { axe } = globalThis as unknown as {
        axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
      }
      const { violations } = await axe.run(asked)
      return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`)
    },
    { runOnly: RULES, ...options },
  )
  assert.deepEqual(found, [], at)
}
