/** Each operation of Management REST in a real browser: the console has a page that runs it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, suite, test } from 'node:test'
import type { Browser } from 'playwright-core'
import type { TestServer } from '../scenarios/server.ts'
import { assertFaultless, SKIPPED, signIn, visitor } from './chromium.ts'
import { startConsole } from './start-console.ts'

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId?: string }>>>>
}

suite('operations of the console, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  const stack = new AsyncDisposableStack()

  before(async () => {
    ;({ browser, server } = stack.use(await startConsole()))
  })
  after(() => stack.disposeAsync())

  test('an administrator finds a page with a form or a button for each operation of the OpenAPI document', async () => {
    const document: Document = JSON.parse(
      readFileSync(new URL('../golden/openapi.json', import.meta.url), 'utf8'),
    )
    const operations = Object.values(document.paths)
      .flatMap((methods) => Object.values(methods))
      .flatMap(({ operationId }) => (operationId === undefined ? [] : [operationId]))
    assert.ok(operations.length > 200)
    const { controlUrl, origin } = server.running
    await using visit = await visitor(browser, [controlUrl, origin])
    const { page } = visit
    await signIn(page, controlUrl, 'ann')
    const missing: string[] = []
    for (const operation of operations) {
      await page.goto(`${controlUrl}/console/run/${operation}`)
      await page.getByRole('heading', { level: 1 }).waitFor()
      const ways = page.getByRole('main').locator('form, button, a[download], table').first()
      await ways.waitFor({ timeout: 5000 }).catch(() => missing.push(operation))
      const heading = await page.getByRole('heading', { level: 1 }).innerText()
      if (/not found|may not|no such/i.test(heading)) missing.push(operation)
    }
    assert.deepEqual(missing, [])
    assertFaultless(visit, 'operations')
  })
})
