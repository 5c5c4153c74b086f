/** A guardrail in a real browser: what it would do is tried on a sample, and what it found in calls is counted, before it is enforced. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { type Orders, startOrders } from '../scenarios/orders.ts'
import { created } from '../scenarios/server.ts'
import { assertFaultless, launch, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertClean, SIZES } from './clean.ts'
import { addPeople } from './start-console.ts'

const CARD = '4111 1111 1111 1111'

suite('guardrails, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let orders: Orders
  let origin: string
  let origins: string[]

  before(async () => {
    orders = await startOrders({ workers: 1 })
    const { server } = orders
    origin = server.running.controlUrl
    origins = [origin, server.running.origin]
    await addPeople(server)
    for (const [slug, kinds] of [
      ['cards', ['card']],
      ['emails', ['email']],
    ])
      await created(
        server.manage('POST', '/guardrails', {
          name: slug,
          slug,
          scope: { everywhere: true },
          detector: { type: 'pii', kinds },
          action: 'mask',
          mode: 'observe',
        }),
      )
    for (const body of [{ card: CARD }, { cards: [CARD, '5500 0000 0000 0004'] }, { card: null }]) {
      const { headers } = await orders.ask('POST', '/v1/orders', body)
      await orders.record(headers.get('x-request-id')!)
    }
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await orders?.stop()
  })

  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)
  const tried = async (page: Page, content: string): Promise<void> => {
    await page.getByLabel('Content').fill(content)
    await page.getByRole('main').getByRole('button', { name: 'Test', exact: true }).click()
  }

  for (const { name, width, dark } of SIZES)
    test(`the findings, the tester and its answer render ${name} without a fault`, async () => {
      await using visit = await visitor(browser, origins, { width, dark })
      const { page } = visit
      await signIn(page, origin, 'ann')
      await opened(page, '/guardrails/cards')
      await page.getByRole('table', { name: 'Findings' }).waitFor()
      await assertClean(visit, width, 'the findings')
      await opened(page, '/guardrails/cards?tab=test')
      await assertClean(visit, width, 'the tester')
      await tried(page, `{"card":"${CARD}"}`)
      await page.getByText('Passes, changed').waitFor()
      await assertClean(visit, width, 'the answer')
    })

  test('while it observes, the calls and the values that it found are counted, and lead to their records', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/guardrails/emails')
    await page.getByText('No findings in this period. Observe mode: calls are not changed.').waitFor()
    await opened(page, '/guardrails/cards')
    await page.getByText('Findings in 2 calls. Observe mode: calls are not changed.').waitFor()
    const rows = await page.getByRole('table', { name: 'Findings' }).locator('tbody tr').allInnerTexts()
    assert.deepEqual(
      rows.map((row) => row.split(/\s+/)),
      [
        ['pii', 'request', 'mask', 'observed', '2', '3'],
        ['pii', 'response', 'mask', 'observed', '2', '3'],
      ],
    )
    await page.getByRole('link', { name: 'Records of these calls' }).click()
    await page.getByRole('button', { name: 'Remove the filter guardrail: cards' }).waitFor()
    await page.locator('[data-record]').nth(1).waitFor()
    await page.locator('table[aria-busy=false]').waitFor()
    assert.equal(await page.locator('[data-record]').count(), 2)
    assertFaultless(visit, 'findings')
  })

  test('a sample is shown as it would be passed on, and is neither in the address nor in a storage', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/guardrails/cards?tab=test')
    await tried(page, `{"card":"${CARD}","note":"tea"}`)
    await page.getByText('Passes, changed').waitFor()
    await page.getByText('pii: card, 1').waitFor()
    await page.getByText('The guardrail does not act on calls now').waitFor()
    const passed = await page.getByRole('region', { name: 'What is passed on' }).innerText()
    assert.deepEqual(JSON.parse(passed), { card: '********1111', note: 'tea' })
    assert.doesNotMatch(page.url(), /4111/)
    assert.equal(
      await page.evaluate('JSON.stringify([{...localStorage}, {...sessionStorage}]).includes("4111")'),
      false,
    )
    await tried(page, '{"note":"tea"}')
    await page.getByText('Passes unchanged').waitFor()
    await page.getByText('No findings.').waitFor()
    assertFaultless(visit, 'tester')
  })
})
