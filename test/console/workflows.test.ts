/** Workflows as a list and as a canvas, in a real browser: built, run, saved and published, by keyboard alone. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { created, publishOrders, type TestServer } from '../scenarios/server.ts'
import { startUpstream, type TestUpstream } from '../scenarios/upstream.ts'
import { checkedWorkflow } from './checked-workflow.ts'
import { assertFaultless, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertClean, SIZES } from './clean.ts'
import { keyboardOn, pointerOn } from './hands.ts'
import { startConsole } from './start-console.ts'

const CHECKED = checkedWorkflow('{{ $.check.errors }}')

suite('workflows, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let upstream: TestUpstream
  let origin: string
  let origins: readonly string[]
  let token: string
  const stack = new AsyncDisposableStack()

  before(async () => {
    upstream = stack.use(await startUpstream())
    ;({ browser, server, origin, origins } = stack.use(await startConsole({ ann: 'admin', viv: 'viewer' })))
    token = await publishOrders(server, upstream.url)
  })
  after(() => stack.disposeAsync())

  const workflow = async (slug: string, definition: unknown): Promise<void> => {
    await created(server.manage('POST', '/workflows', { name: slug, slug, definition }))
  }
  const opened = async (page: Page, path: string): Promise<void> => {
    await page.goto(`${origin}/console${path}`)
    await page.getByRole('toolbar', { name: 'Workflow' }).waitFor()
    await page.waitForLoadState('networkidle')
  }
  const tabTo = async (page: Page, focused: string): Promise<void> => {
    for (let at = 0; at < 120 && (await page.locator(focused).count()) === 0; at++)
      await page.keyboard.press('Tab')
    assert.equal(await page.locator(focused).count(), 1, `${focused} has the focus`)
  }
  const focusOf = (view: string, id: string): string =>
    view === 'list' ? `li[data-node="${id}"] button:focus` : `.react-flow__node[data-id="${id}"]:focus`
  const definitionOf = async (slug: string) =>
    (await server.manage('GET', `/workflows/${slug}`)).json.definition

  for (const { name, width, dark } of SIZES)
    test(`both views, a node and each pane render ${name} without a fault`, async () => {
      await workflow(`shown-${width}`, CHECKED)
      await using visit = await visitor(browser, origins, { width, dark })
      await signIn(visit.page, origin, 'ann')
      const base = `/workflows/shown-${width}?tab=graph`
      for (const path of [
        base,
        `${base}&view=list`,
        `${base}&view=canvas`,
        `${base}&node=check`,
        `${base}&pane=problems`,
        `${base}&pane=captures`,
        `${base}&pane=calls`,
      ]) {
        await opened(visit.page, path)
        await assertClean(visit, width, path)
      }
      await visit.page.goto(`${origin}/console/proxies/orders:get-order?tab=workflow`)
      await visit.page.getByRole('button', { name: 'Add a workflow' }).waitFor()
      await assertClean(visit, width, 'a proxy without a workflow')
    })

  test('a narrow window begins with the list, a wide one with the canvas', async () => {
    await workflow('first-view', CHECKED)
    for (const [width, view] of [
      [390, 'List'],
      [1440, 'Canvas'],
    ] as const) {
      await using visit = await visitor(browser, origins, { width })
      await signIn(visit.page, origin, 'ann')
      await opened(visit.page, '/workflows/first-view?tab=graph')
      await visit.page.locator(`button[aria-pressed=true]:text-is("${view}")`).waitFor()
    }
  })

  for (const view of ['list', 'canvas'] as const)
    test(`by keyboard alone, in the ${view}: a node is added and set, the workflow is run, undone, saved and published`, async () => {
      const slug = `by-keyboard-${view}`
      await workflow(slug, { nodes: [{ id: 'http', type: 'http_trigger' }], edges: [] })
      const proxy = await created(
        server.manage('POST', '/proxies', {
          collection: 'orders',
          name: slug,
          slug,
          methods: ['POST'],
          path: `/v1/${slug}`,
        }),
      )
      await using visit = await visitor(browser, origins)
      const { page } = visit
      await signIn(page, origin, 'ann')
      await opened(page, `/workflows/${slug}?tab=graph&view=${view}`)

      await tabTo(page, focusOf(view, 'http'))
      await page.keyboard.press('n')
      await page.getByRole('dialog', { name: 'Add a node after http, at default' }).waitFor()
      await page.keyboard.type('response')
      await page.keyboard.press('Enter')
      await page.locator(focusOf(view, 'response')).waitFor()

      await page.keyboard.press('Enter')
      const panel = page.getByRole('dialog', { name: 'response: response' })
      await panel.waitFor()
      assert.equal(new URL(page.url()).searchParams.get('node'), 'response')
      await tabTo(page, 'dialog textarea[id]:focus')
      const body = panel.getByRole('textbox', { name: /^body/ })
      for (
        let at = 0;
        at < 20 &&
        (await panel.locator('label:text-is("body") >> xpath=../.. >> textarea:focus').count()) === 0;
        at++
      )
        await page.keyboard.press('Tab')
      await page.keyboard.type('{{ $.ht')
      await page.getByRole('option', { name: /http/ }).first().waitFor()
      await page.keyboard.press('Enter')
      await page.keyboard.type('.request.body.sku }}')
      assert.equal(await body.inputValue(), '{{ $.http.request.body.sku }}')
      await page.keyboard.press('Escape')
      await panel.waitFor({ state: 'detached' })
      await page.locator(focusOf(view, 'response')).waitFor()

      // Undone and done again, one gesture at a time
      await page.keyboard.press('Control+z')
      await page.keyboard.press('Control+z')
      await page.locator(`[data-graph] :text-is("response")`).first().waitFor({ state: 'detached' })
      await page.keyboard.press('Control+y')
      await page.keyboard.press('Control+y')

      await tabTo(page, 'section[aria-label="Run and problems"] textarea:focus')
      await page.keyboard.type('{"sku": "TEA-1"}')
      await page.keyboard.press('Control+Enter')
      await page.getByText('Answered 200').waitFor()
      await page
        .getByRole('region', { name: 'Body of the response' })
        .or(page.getByText('TEA-1').last())
        .first()
        .waitFor()

      await page.keyboard.press('Shift+Tab')
      for (
        let at = 0;
        at < 60 && (await page.locator('button:has-text("Review and save"):focus').count()) === 0;
        at++
      )
        await page.keyboard.press('Shift+Tab')
      await page.keyboard.press('Enter')
      const review = page.getByRole('dialog', { name: 'Review and save' })
      await review.getByText('/definition/nodes/response').waitFor()
      await tabTo(page, 'dialog button:has-text("Save"):focus')
      await page.keyboard.press('Enter')
      await review.waitFor({ state: 'detached' })
      await page.getByText('Saved, revision 2').waitFor()
      const { nodes, edges } = await definitionOf(slug)
      assert.deepEqual(
        nodes.map(({ id, inputs }: { id: string; inputs: unknown }) => [id, inputs]),
        [
          ['http', {}],
          ['response', { body: '{{ $.http.request.body.sku }}' }],
        ],
      )
      assert.deepEqual(edges, [{ from: 'http', handle: 'default', to: 'response' }])

      for (
        let at = 0;
        at < 60 && (await page.locator('button:has-text("Publish"):focus').count()) === 0;
        at++
      )
        await page.keyboard.press('Shift+Tab')
      await page.keyboard.press('Enter')
      const publish = page.getByRole('dialog', { name: 'Publish' })
      await publish.waitFor()
      await page.keyboard.type(`orders:${slug}`)
      await publish.getByRole('option', { name: `orders:${slug}` }).waitFor()
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('Enter')
      await tabTo(page, 'dialog button:has-text("Set the workflow"):focus')
      await page.keyboard.press('Enter')
      await tabTo(page, 'dialog button:has-text("Save"):focus')
      await page.keyboard.press('Enter')
      await tabTo(page, 'dialog button:has-text("Publish the proxy"):focus')
      await page.keyboard.press('Enter')
      await tabTo(page, 'dialog button:has-text("Publish"):not(:has-text("the proxy")):focus')
      await page.keyboard.press('Enter')
      await publish.getByText('Published', { exact: true }).waitFor()
      const answer = await server.gateway('POST', `/orders/v1/${slug}`, { token, body: { sku: 'TEA-2' } })
      assert.equal(answer.status, 200, answer.text)
      assert.equal(answer.json, 'TEA-2')
      assert.equal(proxy.json?.status ?? 'draft', 'draft')
      assertFaultless(visit, view)
    })

  for (const width of [1440, 390])
    test(`at ${width} pixels the dialog that publishes shows its list of proxies whole, and each of them is walked to`, async () => {
      const slug = `many-${width}`
      await workflow(slug, CHECKED)
      const name = `Customs declarations and tariff classification ${width}`
      for (let at = 1; at <= 12; at++)
        await created(
          server.manage('POST', '/proxies', {
            collection: 'orders',
            name: `${name} ${at}`,
            methods: ['GET'],
            path: `/v1/${slug}/${at}`,
          }),
        )
      await using visit = await visitor(browser, origins, { width })
      const { page } = visit
      await signIn(page, origin, 'ann')
      await opened(page, `/workflows/${slug}?tab=graph`)
      await page.getByRole('button', { name: 'Publish' }).click()
      const dialog = page.getByRole('dialog', { name: 'Publish' })
      await dialog.getByRole('combobox', { name: 'Proxy' }).fill(`classification-${width}`)
      const options = dialog.getByRole('listbox').getByRole('option')
      await options.nth(11).waitFor()
      await assertClean(visit, width, 'the list of proxies')
      for (let at = 0; at < 12; at++) {
        await page.keyboard.press('ArrowDown')
        const active = dialog.getByRole('option', { selected: true })
        await active.filter({ hasText: new RegExp(`-${at + 1}(?!\\d)`) }).waitFor()
        const isSeen = await active.evaluate((option) => {
          const { left, right, top, bottom } = option.getBoundingClientRect()
          const { ownerDocument: page } = option
          const code = option.querySelector('code')!
          return (
            [top + 2, bottom - 2].every((y) =>
              option.contains(page.elementFromPoint((left + right) / 2, y)),
            ) && code.scrollWidth <= code.clientWidth
          )
        })
        assert.ok(isSeen, `option ${at + 1} is seen`)
      }
      await page.keyboard.press('Enter')
      await dialog.getByText(/does not run this workflow/).waitFor()
      assertFaultless(visit, 'the dialog that publishes')
    })

  for (const { view, width, dark } of [
    { view: 'list', width: 390, dark: true },
    { view: 'canvas', width: 1440, dark: false },
  ])
    test(`in the ${view}, by pointer and by keyboard, a template is put into an empty workflow, undone, done again and saved; until then nothing is stored`, async () => {
      await using visit = await visitor(browser, origins, { width, dark })
      const { page } = visit
      await signIn(page, origin, 'ann')
      for (const hand of [pointerOn(page), keyboardOn(page)]) {
        const slug = `template-${view}-${hand.name}`
        await workflow(slug, { nodes: [], edges: [] })
        await opened(page, `/workflows/${slug}?tab=graph&view=${view}`)
        await assertClean(visit, width, 'a workflow without nodes')
        await hand.press(page.getByRole('button', { name: 'Start from a template' }))
        const templates = page.getByRole('dialog', { name: 'Start from a template' })
        const template = templates.getByRole('button', { name: /^canary-routing.*Callers with a header/ })
        await template.waitFor()
        assert.equal(await templates.getByRole('listitem').count(), 9)
        await assertClean(visit, width, 'the templates')
        await hand.press(template)
        const parameters = page.getByRole('dialog', { name: 'Template canary-routing' })
        await hand.press(parameters.getByRole('button', { name: 'Insert' }))
        const path = parameters.getByLabel(/^Path/)
        await parameters.locator('input[aria-invalid=true]').waitFor()
        visit.faults.length = 0
        await assertClean(visit, width, 'the parameters of a template')
        await hand.fill(path, '/v2/orders')
        await hand.press(parameters.getByRole('button', { name: 'Insert' }))
        await parameters.waitFor({ state: 'detached' })
        await page.locator(focusOf(view, 'http')).waitFor()
        const node = page.locator(
          view === 'list' ? 'li[data-node="which"]' : '.react-flow__node[data-id="which"]',
        )
        await node.waitFor()
        await page.getByText('Changed, not saved').waitFor()
        assert.deepEqual((await definitionOf(slug)).nodes, [])
        await page.keyboard.press('Control+z')
        await page.getByRole('heading', { name: 'No node yet' }).waitFor()
        await page.getByText('Saved, revision 1').waitFor()
        await page.keyboard.press('Control+y')
        await node.waitFor()
        await hand.press(page.getByRole('button', { name: 'Review and save' }))
        const review = page.getByRole('dialog', { name: 'Review and save' })
        await hand.press(review.getByRole('button', { name: 'Save' }))
        await page.getByText('Saved, revision 2').waitFor()
        const { nodes } = await definitionOf(slug)
        assert.deepEqual(
          nodes.map(({ id }: { id: string }) => id),
          ['http', 'which', 'new', 'call', 'from_new', 'ok'],
        )
        assert.deepEqual(nodes[2].inputs, { path: '/v2/orders' })
        assertFaultless(visit, slug)
      }
    })

  test('a new workflow opens at its graph, and it and a proxy without a workflow are offered templates', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await page.goto(`${origin}/console/workflows/new`)
    await page.getByLabel(/^Name/).fill('Fresh')
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByRole('button', { name: 'Start from a template' }).waitFor()
    assert.equal(new URL(page.url()).searchParams.get('tab'), 'graph')
    await page.goto(`${origin}/console/proxies/orders:get-order?tab=workflow`)
    await page.getByRole('button', { name: 'Add a workflow' }).click()
    await page.getByRole('button', { name: 'Start from a template' }).click()
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /^orchestration/ })
      .click()
    const first = page.getByRole('dialog').getByLabel(/^First/)
    const hint = page.locator(`[id="${await first.getAttribute('aria-describedby')}"]`)
    assert.match(await hint.innerText(), /^Path of the first call below the URL of the upstream, such as/)
    await page.getByRole('dialog').getByRole('button', { name: 'Back' }).click()
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /^cached-read/ })
      .click()
    await page.getByRole('dialog').getByRole('button', { name: 'Insert' }).click()
    await page.getByText('Changed, not saved').waitFor()
    const { json } = await server.manage('GET', '/proxies/orders:get-order/workflow')
    assert.equal(json.definition, null)
    assertFaultless(visit, 'templates')
  })

  test('a copied node is pasted with an id of its own, and one step back takes it away', async () => {
    await workflow('copied', CHECKED)
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/workflows/copied?tab=graph&view=canvas')
    await tabTo(page, focusOf('canvas', 'http'))
    await page.keyboard.press('ArrowRight')
    await page.locator(focusOf('canvas', 'check')).waitFor()
    await page.keyboard.press('Control+c')
    await page.keyboard.press('Control+v')
    await page.locator('.react-flow__node[data-id="check_2"]').waitFor()
    await page.keyboard.press('Control+z')
    await page.locator('.react-flow__node[data-id="check_2"]').waitFor({ state: 'detached' })
    await page.getByText('Saved, revision 1').waitFor()
    assertFaultless(visit, 'copy')
  })

  test('with the pointer, an edge is drawn from a handle to a node, and a node goes into an edge', async () => {
    await workflow('drawn', { ...CHECKED, edges: CHECKED.edges.slice(0, 2) })
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/workflows/drawn?tab=graph&view=canvas')
    const from = (await page.locator('[data-nodeid="check"][data-handleid="invalid"]').boundingBox())!
    const to = (await page.locator('[data-nodeid="bad"].target').boundingBox())!
    await page.mouse.move(from.x + 6, from.y + 6)
    await page.mouse.down()
    await page.mouse.move(to.x + 6, to.y + 6, { steps: 8 })
    await page.mouse.up()
    await page.getByRole('button', { name: 'Add a node between check and bad' }).click()
    await page.keyboard.type('log')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Add a node between log and bad' }).waitFor()
    await page.getByRole('button', { name: 'Add a node between check and log' }).waitFor()
    assertFaultless(visit, 'pointer')
  })

  test('a problem leads to its node, whose panel shows it at the field', async () => {
    await workflow('faulty', {
      ...CHECKED,
      nodes: CHECKED.nodes.map((node) =>
        node.id === 'ok' ? { ...node, inputs: { body: '{{ $.nobody.x }}' } } : node,
      ),
    })
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/workflows/faulty?tab=graph&view=list&pane=problems')
    await page.getByRole('list', { name: 'Problems' }).getByRole('button', { name: 'ok' }).first().click()
    const panel = page.getByRole('dialog', { name: 'ok: response' })
    await panel.locator('textarea[aria-invalid=true]').waitFor()
    await page.goBack()
    await panel.waitFor({ state: 'detached' })
    assertFaultless(visit, 'problems')
  })

  test('changes that were not saved are there again after the page is opened anew, and can be discarded', async () => {
    await workflow('kept', CHECKED)
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/workflows/kept?tab=graph&view=list')
    await page.getByRole('button', { name: 'Remove bad' }).click()
    await page.getByText('Changed, not saved').waitFor()
    await page.getByRole('navigation').getByRole('link', { name: 'Workflows' }).first().click()
    await page.getByRole('heading', { name: 'Workflows', level: 1 }).waitFor()
    await page.waitForLoadState('networkidle')
    await opened(page, '/workflows/kept?tab=graph&view=list')
    await page.getByText('Your unsaved changes were restored.').waitFor()
    assert.equal(await page.locator('li[data-node="bad"]').count(), 0)
    await page.getByRole('button', { name: 'Discard them' }).click()
    await page.locator('li[data-node="bad"]').waitFor()
    assertFaultless(visit, 'draft')
  })

  test('who was slower sees both differences, keeps the own changes, and nothing is overwritten', async () => {
    await workflow('raced', CHECKED)
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/workflows/raced?tab=graph&view=list')
    await page.getByRole('button', { name: 'Duplicate bad' }).click()
    const theirs = {
      ...CHECKED,
      nodes: CHECKED.nodes.filter(({ id }) => id !== 'bad'),
      edges: CHECKED.edges.slice(0, 2),
    }
    const other = await server.manage('PATCH', '/workflows/raced', { definition: theirs })
    assert.equal(other.status, 200, other.text)
    await page.getByRole('button', { name: 'Review and save' }).click()
    const review = page.getByRole('dialog', { name: 'Review and save' })
    await review.getByText('/definition/nodes/bad_2').waitFor()
    await review.getByRole('button', { name: 'Save' }).click()
    await review.getByText('Another person changed this after you opened it.').waitFor()
    await review.getByText('Their changes').waitFor()
    await review.getByRole('button', { name: 'Keep editing' }).click()
    await page.locator('li[data-node="bad_2"]').waitFor()
    assert.equal((await definitionOf('raced')).nodes.length, 3)
  })

  test('a run without effects asks for a mock of what it simulated, and publishing makes the proxy', async () => {
    await workflow('asks', {
      nodes: [
        { id: 'http', type: 'http_trigger' },
        { id: 'fetch', type: 'proxy_node', inputs: { path: '/v1/items/1' } },
        { id: 'ok', type: 'response_node', inputs: { body: { id: '{{ $.fetch.body.id }}' } } },
      ],
      edges: [
        { from: 'http', to: 'fetch' },
        { from: 'fetch', handle: 'success', to: 'ok' },
      ],
    })
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/workflows/asks?tab=graph&view=list&pane=run')
    await page.getByRole('tabpanel', { name: 'Run' }).getByRole('button', { name: 'Run' }).click()
    const missing = page.getByRole('region', { name: 'Missing mocks' })
    await missing.getByText('gave empty outputs').waitFor()
    await assertClean(visit, 1440, 'missing mocks')
    await missing.getByRole('button', { name: 'Mock fetch' }).click()
    await page
      .getByRole('region', { name: 'Mock', exact: true })
      .or(page.getByText('Used in place of fetch'))
      .first()
      .waitFor()

    await opened(page, '/workflows/asks?tab=graph&view=list')
    await page.getByRole('button', { name: 'Publish', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'Publish' })
    await dialog.getByRole('button', { name: 'New proxy for this workflow' }).click()
    const collection = dialog.getByLabel('Collection (required)')
    await collection.fill('orders')
    await dialog.getByRole('option', { name: 'orders' }).first().click()
    await dialog.getByLabel('Path (required)').fill('/v1/asked')
    await assertClean(visit, 1440, 'a new proxy')
    await dialog.getByRole('button', { name: 'Create the proxy' }).click()
    await dialog.getByText('orders:asks has this workflow').waitFor()
    await dialog.getByText('After you publish it, callers can reach it at once.').waitFor()
    await dialog.getByRole('button', { name: 'Publish the proxy' }).click()
    await dialog.getByRole('button', { name: 'Publish', exact: true }).click()
    await dialog.getByRole('link', { name: 'Open the proxy' }).waitFor()
    const { json } = await server.manage('GET', '/proxies/orders:asks')
    assert.deepEqual(
      [json.path, json.methods, json.workflow, json.status],
      ['/v1/asked', ['GET'], 'asks', 'published'],
    )
    assertFaultless(visit, 'asks')
  })

  test('a viewer sees the graph and is offered no change', async () => {
    await workflow('seen', CHECKED)
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'viv')
    await opened(page, '/workflows/seen?tab=graph&view=list')
    await page.getByText('Read-only').waitFor()
    await page.locator('li[data-node="bad"]').waitFor()
    for (const name of ['Add a node', 'Review and save', 'Remove bad', 'Publish'])
      assert.equal(await page.getByRole('button', { name }).count(), 0, name)
    await workflow('seen-empty', { nodes: [], edges: [] })
    await opened(page, '/workflows/seen-empty?tab=graph&view=list')
    await page.getByRole('heading', { name: 'No node yet' }).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Start from a template' }).count(), 0)
    assertFaultless(visit, 'viewer')
  })
})
