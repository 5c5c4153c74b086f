/** The look of all parts of the console, as text: their heights, distances and colours in both themes. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { golden } from '../golden/golden.ts'
import type { TestServer } from '../scenarios/server.ts'
import { assertFaultless, SKIPPED, signIn, visitor } from './chromium.ts'
import { startConsole } from './start-console.ts'

/**
 * Of each part, and of what is in it, what the theme decides. Widths follow from the fonts of a machine, so they are left out, and so are
 * heights of what holds several lines. It runs in the page.
 */
const LOOKS = `[...document.querySelectorAll('[data-part]')].flatMap((part) => {
  const inner = [...part.querySelectorAll('*')].filter((element) => !element.closest('svg *'))
  const looks = inner.map((element) => {
    const style = getComputedStyle(element)
    const height = Math.round(element.getBoundingClientRect().height)
    const border = style.borderTopWidth === '0px' ? 'no border' : style.borderTopColor
    const values = [style.color, style.backgroundColor, border, style.fontSize, style.borderRadius, style.padding]
    return '  ' + element.tagName.toLowerCase() + (height > 0 && height <= 44 ? ' ' + height + 'px: ' : ': ') + values.join(', ')
  })
  return [part.dataset.part, ...new Set(looks)]
})`

suite('the kit of the console in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  const stack = new AsyncDisposableStack()
  before(async () => {
    ;({ browser, server } = stack.use(await startConsole()))
  })
  after(() => stack.disposeAsync())

  test('all parts look as they did, in both themes', async () => {
    const origin = server.running.controlUrl
    const lines: string[] = []
    for (const dark of [false, true]) {
      await using visit = await visitor(browser, [origin, server.running.origin], { dark })
      await signIn(visit.page, origin, 'ann', '/console/kit')
      await visit.page.waitForLoadState('networkidle')
      const parts = await visit.page.evaluate<string[]>(LOOKS)
      assert.ok(parts.length > 100, `${parts.length} lines`)
      lines.push(dark ? '# dark' : '# light', ...parts)
      assertFaultless(visit, 'kit')
    }
    golden('test/golden/kit.txt', `${lines.join('\n')}\n`)
  })

  test('the palette finds the kit, and each dialog of it opens and closes by keyboard', async () => {
    const origin = server.running.controlUrl
    await using visit = await visitor(browser, [origin, server.running.origin])
    const { page } = visit
    await signIn(page, origin, 'ann')
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Search or run' }).waitFor()
    await page.keyboard.type('kit all parts')
    await page.getByRole('option', { name: /^Kit/ }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Kit' }).waitFor()
    for (const shape of ['middle', 'wide', 'side']) {
      const button = page.getByRole('button', { name: `Dialog, ${shape}` }).first()
      await button.focus()
      await page.keyboard.press('Enter')
      const dialog = page.getByRole('dialog', { name: `Dialog, ${shape}` })
      await dialog.waitFor()
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })
      assert.ok(
        await button.evaluate((element) => element.matches(':focus')),
        `${shape}: the focus is elsewhere`,
      )
    }
    assertFaultless(visit, 'kit')
  })
})
