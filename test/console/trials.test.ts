/** Trials of workflows in a real browser: with a request that was captured, with a mock, and a node behind an edge that ends in the void. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { created, publishOrders, type TestServer } from '../scenarios/server.ts'
import { startUpstream, type TestUpstream } from '../scenarios/upstream.ts'
import { checkedWorkflow } from './checked-workflow.ts'
import { assertFaultless, SKIPPED, signIn, visitor } from './chromium.ts'
import { startConsole } from './start-console.ts'

const CHECKED = checkedWorkflow('refused')

suite('trials of workflows, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let upstream: TestUpstream
  let origin: string
  let origins: readonly string[]
  let token: string
  const stack = new AsyncDisposableStack()

  before(async () => {
    upstream = stack.use(await startUpstream())
    ;({ browser, server, origin, origins } = stack.use(await startConsole()))
    token = await publishOrders(server, upstream.url)
  })
  after(() => stack.disposeAsync())

  const opened = async (page: Page, path: string): Promise<void> => {
    await page.goto(`${origin}/console${path}`)
    await page.getByRole('toolbar', { name: 'Workflow' }).waitFor()
    await page.waitForLoadState('networkidle')
  }
  const workflow = (slug: string, definition: unknown = CHECKED) =>
    created(server.manage('POST', '/workflows', { name: slug, slug, definition }))
  /** Presses Run, and gives what the server answers. */
  const ran = async (page: Page) => {
    const answer = page.waitForResponse((response) => response.url().endsWith('/workflows/test'))
    await page.getByRole('button', { name: 'Run', exact: true }).first().click()
    return (await answer).json() as Promise<{ status: number; body: unknown; nodes: { source: string }[] }>
  }

  test('a node is chosen behind an edge that is dropped in the void', async () => {
    await workflow('dropped')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/workflows/dropped?view=canvas')
    const from = (await page.locator('[data-nodeid="check"][data-handleid="invalid"]').boundingBox())!
    const canvas = (await page.getByRole('application', { name: 'Canvas of the workflow' }).boundingBox())!
    await page.mouse.move(from.x + 6, from.y + 6)
    await page.mouse.down()
    await page.mouse.move(canvas.x + canvas.width / 2, canvas.y + canvas.height - 20, { steps: 8 })
    await page.mouse.up()
    await page.getByRole('dialog').getByRole('combobox').waitFor()
    await page.keyboard.type('log')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Add a node between check and log' }).waitFor()
    await page.getByText('Changed, not saved').waitFor()
    assertFaultless(visit, 'void')
  })

  test('the next request of a caller is captured, and the workflow is run with it', async () => {
    await workflow('captured')
    await created(
      server.manage('POST', '/proxies', {
        collection: 'orders',
        name: 'Captured',
        slug: 'captured',
        methods: ['POST'],
        path: '/v1/captured',
        workflow: 'captured',
        status: 'published',
      }),
    )
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/workflows/captured?view=list&pane=captures')
    await page.getByRole('button', { name: 'Start a capture' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.locator('button[type=submit]').click()
    const captures = page.getByRole('list', { name: 'Captures' })
    await captures.getByText('orders:captured').first().waitFor()
    await captures.getByText('waiting', { exact: true }).waitFor()
    const body = { sku: 'TEA-9' }
    assert.equal((await server.gateway('POST', '/orders/v1/captured', { token, body })).status, 200)
    await captures.getByRole('button', { name: 'Use the request' }).click()
    const answer = await ran(page)
    assert.deepEqual([answer.status, answer.body], [200, { sku: 'TEA-9' }])
    assertFaultless(visit, 'capture')
  })

  test('a mock stands in the place of its node in a run, and is not saved', async () => {
    await workflow('mocked')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/workflows/mocked?view=list')
    const request = page.getByRole('region', { name: 'Run and problems' }).locator('textarea').first()
    await request.fill('{"sku": "TEA-1"}')
    assert.equal((await ran(page)).status, 200)
    await page.locator('li[data-node="check"]').getByRole('button', { name: 'check' }).first().click()
    const panel = page.getByRole('dialog', { name: /^check: / })
    await panel.getByRole('button', { name: 'Keep this as a mock' }).click()
    await panel.getByLabel('Handle', { exact: true }).selectOption('invalid')
    await page.keyboard.press('Escape')
    await panel.waitFor({ state: 'detached' })
    const answer = await ran(page)
    assert.deepEqual([answer.status, answer.body], [422, 'refused'])
    assert.ok(answer.nodes.some(({ source }) => source === 'mock'))
    await page.getByText('Saved, revision 1').waitFor()
    assertFaultless(visit, 'mock')
  })
})
