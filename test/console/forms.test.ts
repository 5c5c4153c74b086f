/** Forms and their dialogs in a real browser: who may fill them in, what they name, and what they say. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { created, publishOrders, type TestServer, until } from '../scenarios/server.ts'
import { assertFaultless, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertClean } from './clean.ts'
import { keyboardOn, pointerOn } from './hands.ts'
import { startConsole } from './start-console.ts'

suite('forms of the console, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let origin: string
  let origins: readonly string[]
  const stack = new AsyncDisposableStack()

  before(async () => {
    ;({ browser, server, origin, origins } = stack.use(
      await startConsole({ ann: 'admin', bob: 'admin', viv: 'viewer', mia: 'viewer' }),
    ))
    await publishOrders(server, 'http://127.0.0.1:9')
    const scope = { collections: ['orders'] }
    await created(
      server.manage('POST', '/grants', { name: 'mia changes', user: 'mia', role: 'modifier', scope }),
    )
    await created(
      server.manage('POST', '/collections', {
        name: 'Stock',
        slug: 'stock',
        base_path: '/stock',
        upstream: { targets: [{ url: 'http://127.0.0.1:9' }] },
      }),
    )
    await created(server.manage('POST', '/clients', { name: 'Idle', slug: 'idle', collections: [] }))
  })
  after(() => stack.disposeAsync())

  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)
  const isInView = (part: Locator): Promise<boolean> =>
    part.evaluate((element) => {
      const { top, bottom } = element.getBoundingClientRect()
      return top >= 0 && bottom <= element.ownerDocument.defaultView!.innerHeight
    })
  const isFocused = (part: Locator): Promise<boolean> =>
    part.evaluate((element) => element === element.ownerDocument.activeElement)
  const colorOf = (part: Locator): Promise<string> =>
    part.evaluate((element) => element.ownerDocument.defaultView!.getComputedStyle(element).color)

  test('a viewer who opens the address of a form is told what is missing, and is shown no form', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'viv')
    await opened(page, '/policies/gold?tab=edit')
    await page.getByText('You may not change this').waitFor()
    await page.getByText('policies:update').waitFor()
    assert.equal(await page.getByRole('main').locator('form, textarea').count(), 0)
    await opened(page, '/policies/new')
    await page.getByText('You may not create policies').waitFor()
    await page.getByText('policies:create').waitFor()
    await assertClean(visit, 1440, 'for a viewer')
  })

  test('a refusal that names no field comes into view and into focus, however long the form is', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'mia')
    await opened(page, '/collections/stock?tab=edit')
    await page.getByLabel(/^Name/).fill('Not hers')
    const review = page.getByRole('button', { name: 'Review the change' })
    assert.equal(await isInView(review), true, 'the button is in view at the top of the form')
    await review.click()
    const alert = page.getByRole('main').getByRole('alert')
    await alert.waitFor()
    assert.equal(await isInView(alert), true)
    assert.equal(
      await alert.locator('xpath=..').evaluate((box) => box === box.ownerDocument.activeElement),
      true,
    )
  })

  test('a new resource can be sent from everywhere in its form', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/collections/new')
    assert.equal(await isInView(page.getByRole('button', { name: 'Review the change' })), true)
    await assertClean(visit, 1440, 'a new collection')
  })

  test('a new policy shows no limit until one is added by its kind; what it takes is shown, and a refusal opens what is folded', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/policies/new')
    const hand = keyboardOn(page)
    assert.equal(await page.getByLabel(/^(?:Max|Window|Burst|Rate|Quota)/).count(), 0)
    await hand.fill(page.getByLabel(/^Name/), 'Bursts')
    await hand.press(page.getByRole('button', { name: 'Add a rate limit' }))
    const limit = page.getByRole('group', { name: 'Rate limit 1' })
    assert.equal(await isFocused(limit.getByLabel(/^Name/)), true)
    assert.equal(await limit.getByLabel(/^Name/).inputValue(), 'rate')
    assert.equal(await limit.getByLabel('Burst').isVisible(), false)
    await hand.fill(limit.getByLabel(/^Max/), '3')
    await hand.fill(limit.getByLabel('Window'), '1m')
    await limit.getByText('3 requests in any minute, for each client or profile.').waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    assert.equal(await limit.getByLabel(/^(?:Rolling|Timezone|Wait)/).count(), 0)
    await hand.fill(limit.getByLabel('Burst'), '4')
    await hand.fill(limit.getByLabel('Cost'), '5')
    await limit.getByText('More settings of this limit: 2 set').click()
    assert.equal(await limit.getByLabel('Cost').isVisible(), false)
    const review = page.getByRole('button', { name: 'Review the change' })
    await review.click()
    await limit.getByText('the cost of one call exceeds the limit: at most 4').waitFor()
    assert.equal(await limit.getByLabel('Cost').getAttribute('aria-invalid'), 'true')
    await limit.getByLabel('Cost').fill('')
    // What the new kind does not take stays until it is cleared
    await limit.getByLabel(/^Kind/).selectOption('quota')
    const quota = page.getByRole('group', { name: 'Quota 1' })
    assert.equal(await quota.getByLabel('Burst').inputValue(), '4')
    await review.click()
    await quota.getByText('only a rate has burst').waitFor()
    await quota.getByText('the window of a quota is 1d, 7d or 30d, or set rolling').waitFor()
    await quota.getByLabel(/^Kind/).selectOption('rate')
    await hand.press(page.getByRole('button', { name: 'Add a concurrency limit' }))
    const second = page.getByRole('group', { name: 'Concurrency limit 2' })
    assert.equal(await second.getByLabel('Window').count(), 0)
    await hand.press(second.getByRole('button', { name: 'Remove limit 2' }))
    assert.equal(await isFocused(page.getByRole('button', { name: 'Add a rate limit' })), true)
    assert.match(
      visit.faults.splice(0).join(),
      /^(?:Failed to load resource: [^,]* 400 \(Bad Request\),?){2}$/,
    )
    await assertClean(visit, 1440, 'a new policy')
    await page.setViewportSize({ width: 390, height: 844 })
    await assertClean(visit, 390, 'a new policy at 390 pixels')
    await page.setViewportSize({ width: 1440, height: 900 })
    await review.click()
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('heading', { name: /^Bursts/ }).waitFor()
    assert.deepEqual((await server.manage('GET', '/policies/bursts')).json.limits, [
      { name: 'rate', kind: 'rate', max: 3, window: '1m', burst: 4 },
    ])
  })

  test('the form of a policy shows a short limit that is set, and leads to a folded setting by its address', async () => {
    const limits = [{ name: 'calls', kind: 'concurrency', max: 2 }]
    const rate = { max: 9, interval: '1m' }
    await created(server.manage('POST', '/policies', { name: 'Short', slug: 'short', limits, rate }))
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/policies/short?tab=edit#/limits/0/cost')
    assert.equal(await isFocused(page.getByLabel('Cost')), true)
    assert.equal(
      await page.getByRole('group', { name: 'Rate', exact: true }).getByLabel(/^Max/).inputValue(),
      '9',
    )
    assert.equal(await page.getByRole('group', { name: 'Quota', exact: true }).count(), 0)
    assertFaultless(visit, 'a short limit')
  })

  test('what cannot change is read-only in the form that edits, and can be chosen in the form that creates', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/proxies/new?collection=orders')
    assert.equal(await page.getByLabel(/^Collection/).isEnabled(), true)
    await opened(page, '/proxies/orders:get-order?tab=edit')
    assert.equal(await page.getByLabel(/^Collection/).inputValue(), 'orders')
    assert.equal(await page.getByLabel(/^Collection/).isDisabled(), true)
    assert.equal(await page.getByLabel(/^Name/).isEnabled(), true)
    assertFaultless(visit, 'read-only')
  })

  test('a dialog names what it is about; a deletion is red from the first button on and asks for the slug', async () => {
    await created(server.manage('POST', '/policies', { name: 'Silver', slug: 'silver' }))
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/policies/silver')
    const remove = page.getByRole('button', { name: 'Delete' })
    const danger = await colorOf(remove)
    await remove.click()
    const dialog = page.getByRole('dialog', { name: 'Delete Silver', exact: true })
    await dialog.getByText('Delete a policy.', { exact: true }).waitFor()
    const review = dialog.getByRole('button', { name: 'Review the change' })
    assert.equal(await colorOf(review), danger)
    await review.click()
    assert.equal(await dialog.getByRole('button', { name: 'Delete' }).isDisabled(), true)
    await dialog.getByLabel('Type silver to confirm').fill('silver')
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('heading', { name: 'Policies', level: 1 }).waitFor()
    assert.equal((await server.manage('GET', '/policies/silver')).status, 404)
    // Nothing asks for what is gone
    assertFaultless(visit, 'deleted')
  })

  test('the head of a page says whether the resource is active', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    for (const path of ['/policies/gold', '/clients/acme', '/users/viv']) {
      await opened(page, path)
      await page.getByRole('heading', { level: 1 }).getByText('active', { exact: true }).waitFor()
    }
    await page.getByRole('button', { name: 'Deactivate' }).click()
    const dialog = page.getByRole('dialog', { name: /^Deactivate/ })
    await dialog.getByRole('button', { name: 'Review the change' }).click()
    await dialog.getByRole('button', { name: 'Deactivate' }).click()
    await page.getByRole('heading', { level: 1 }).getByText('inactive', { exact: true }).waitFor()
    assertFaultless(visit, 'states')
  })

  test('a dialog of a state asks for nothing that its button has said, keeps its name, and ends with a note', async () => {
    await created(server.manage('POST', '/policies', { name: 'Bronze', slug: 'bronze' }))
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    const names: string[] = []
    for (const [path, word, next, asked] of [
      ['/policies/bronze', 'Deactivate', 'Activate', []],
      ['/policies/bronze', 'Activate', 'Deactivate', []],
      ['/collections/stock', 'Publish', 'Unpublish', [/^(?:Also publish its|It has no) .*draft prox/]],
      ['/collections/stock', 'Unpublish', 'Publish', [/^(?:Also unpublish its|It has no) .*published prox/]],
    ] as const) {
      await opened(page, path)
      await page.getByRole('button', { name: word, exact: true }).click()
      const name = `${word} ${path.includes('stock') ? 'Stock' : 'Bronze'}`
      const dialog = page.getByRole('dialog', { name, exact: true })
      const fields = dialog.locator('input, select, textarea')
      assert.equal(await fields.count(), asked.length, name)
      for (const label of asked) assert.equal(await dialog.getByLabel(label).count(), 1)
      if (word === 'Publish') await dialog.getByText('Callers can reach it at once.').waitFor()
      await dialog.getByRole('button', { name: 'Review the change' }).click()
      // From here on, each name that the dialog takes is written down
      await page.exposeFunction(`told${names.length}`, (title: string) => names.push(title))
      await page.getByRole('dialog').evaluate((element, told) => {
        const heading = element.querySelector('h2')!
        const tell = () =>
          (globalThis as never as Record<string, (text: string) => void>)[told]!(heading.textContent)
        tell()
        new element.ownerDocument.defaultView!.MutationObserver(tell).observe(heading, {
          characterData: true,
          childList: true,
          subtree: true,
        })
      }, `told${names.length}`)
      await dialog.getByRole('button', { name: word, exact: true }).click()
      await page
        .getByRole('status')
        .getByText(`Done: ${name.charAt(0).toLowerCase()}${name.slice(1)}`)
        .waitFor()
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      assert.equal(names.at(-1), name)
      await page.getByRole('button', { name: next, exact: true }).waitFor()
    }
    assert.equal(names.length, 4)
    assert.equal((await server.manage('GET', '/policies/bronze')).json.active, true)
    assert.equal((await server.manage('GET', '/collections/stock')).json.status, 'draft')
    assertFaultless(visit, 'states')
  })

  for (const handOn of [pointerOn, keyboardOn]) {
    const { name } = handOn(null as never)
    test(`a change that needs approval becomes a change request, which another person approves, with the ${name}`, async () => {
      const approvals = [{ name: 'Two people for policies', permissions: ['policies:update'] }]
      assert.equal((await server.manage('PATCH', '/settings/current', { approvals })).status, 200)
      const described = async () => (await server.manage('GET', '/policies/gold')).json.description
      const before = await described()
      {
        await using visit = await visitor(browser, origins)
        const { page } = visit
        const hand = handOn(page)
        await signIn(page, origin, 'ann')
        await opened(page, '/policies/gold?tab=edit')
        await hand.fill(page.getByLabel('Description'), `approved by ${name}`)
        await hand.press(page.getByRole('button', { name: 'Review the change' }))
        await page.getByText(`+ approved by ${name}`).waitFor()
        await page.getByText(/approve this change\. Approval rule: Two people for policies\./).waitFor()
        await hand.fill(page.getByLabel('Reason'), 'a better text')
        await hand.press(page.getByRole('button', { name: 'Ask for approval' }))
        await page.getByText('Waiting for approval').waitFor()
        await page.getByText('Nothing has changed yet.').waitFor()
        // What is requested is no longer lost by leaving
        await hand.press(page.getByRole('link', { name: 'Open the change request' }))
        await page.getByText(`+ approved by ${name}`).waitFor()
        await page.getByText('a better text').waitFor()
        assert.equal(await described(), before)
        assertFaultless(visit, 'the request')
      }
      const [request] = (await server.manage('GET', '/change_requests?state=open')).json.items
      await using visit = await visitor(browser, origins)
      const { page } = visit
      const hand = handOn(page)
      await signIn(page, origin, 'bob')
      await opened(page, `/change_requests/${request.id}`)
      await hand.press(page.getByRole('button', { name: 'Approve' }))
      await hand.press(page.getByRole('button', { name: 'Confirm: approve' }))
      await page.getByText(/bob approved it, which created revision \d/).waitFor()
      assert.equal(await described(), `approved by ${name}`)
      assertFaultless(visit, 'the approval')
    })

    test(`a list that is empty because of its filters says so, and clears them, with the ${name}`, async () => {
      await using visit = await visitor(browser, origins)
      const { page } = visit
      const hand = handOn(page)
      await signIn(page, origin, 'ann')
      await opened(page, '/policies?text=no-such-policy')
      await page.getByRole('heading', { name: 'No policy matches the filters' }).waitFor()
      assert.equal(await page.getByRole('main').getByText('No policies yet').count(), 0)
      await assertClean(visit, 1440, 'a filtered list')
      await hand.press(page.getByRole('button', { name: 'Clear the filters' }))
      await page.getByRole('link', { name: 'Gold' }).waitFor()
      assert.equal(new URL(page.url()).search, '')
      assert.equal(await page.getByRole('searchbox').inputValue(), '')
      assertFaultless(visit, 'cleared')
    })
  }

  for (const key of ['Enter', 'Tab'])
    test(`a slug that is typed to its end is added by ${key}, also while it is still looked up, and sends no form`, async () => {
      await using visit = await visitor(browser, origins)
      const { page } = visit
      await signIn(page, origin, 'ann')
      await opened(page, '/clients/new')
      await page.getByLabel(/^Name/).fill('Unsent')
      const search = page.getByLabel('Add to Collections')
      const added = page.getByRole('list', { name: 'Chosen collections' }).getByRole('listitem')
      await search.fill('orders')
      await page.getByRole('option', { name: 'orders' }).waitFor()
      await search.press(key)
      await until(
        () => added.allInnerTexts(),
        (texts) => texts.join() === 'orders',
      )
      assert.equal(await search.inputValue(), '')

      const gate = Promise.withResolvers<void>()
      await page.route(/text=stock/i, async (route) => {
        await gate.promise
        await route.continue()
      })
      await search.fill('Stock')
      await search.press(key)
      // What is entered meanwhile stays
      await page.getByLabel('Description').fill('meanwhile')
      gate.resolve()
      await until(
        () => added.allInnerTexts(),
        (texts) => texts.join() === 'orders,stock',
      )
      assert.equal(await page.getByLabel('Description').inputValue(), 'meanwhile')
      assert.equal((await server.manage('GET', '/clients/unsent')).status, 404)
      assertFaultless(visit, key)
    })

  test('a text that names nothing stays in the field with the reason, and its form is not sent', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/clients/idle')
    await page.getByRole('button', { name: 'Assign', exact: true }).click()
    const dialog = page.getByRole('dialog')
    const search = dialog.getByLabel('Add to Collections')
    const reason = dialog
      .getByRole('alert')
      .filter({ hasText: 'There is no collection nowhere. Select one from the list.' })
    const review = dialog.getByRole('button', { name: 'Review the change' })
    for (const leave of [() => search.press('Enter'), () => search.press('Tab'), () => review.click()]) {
      await search.fill('nowher')
      await search.fill('nowhere')
      await reason.waitFor({ state: 'detached' })
      await leave()
      await reason.waitFor()
      assert.equal(await search.inputValue(), 'nowhere')
      assert.equal(await review.count(), 1)
    }
    await search.fill('')
    await reason.waitFor({ state: 'detached' })
    await search.fill('stock')
    await search.press('Enter')
    await until(
      () => dialog.getByRole('list', { name: 'Chosen collections' }).getByRole('listitem').allInnerTexts(),
      (texts) => texts.join() === 'stock',
    )
    await review.click()
    await dialog.getByText('/collections').first().waitFor()
    await assertClean(visit, 1440, 'a search')
  })

  test('pickers of one value and of several open by a press and by the arrow key, and show what they are', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/clients/new')
    for (const [label, option] of [
      [/^Policy/, 'gold'],
      ['Add to Collections', 'orders'],
    ] as const) {
      const picker = page.getByRole('combobox', { name: label })
      const shown = page.getByRole('option', { name: option })
      assert.equal(await picker.locator('xpath=..').locator('svg').isVisible(), true)
      await picker.click()
      await shown.waitFor()
      await picker.press('Escape')
      await shown.waitFor({ state: 'detached' })
      await picker.press('ArrowDown')
      await shown.waitFor()
      await picker.press('Tab')
      await shown.waitFor({ state: 'detached' })
    }
    const policy = page.getByRole('combobox', { name: /^Policy/ })
    await policy.fill('platinum')
    await policy.press('Enter')
    await page
      .getByRole('alert')
      .filter({ hasText: 'There is no policy platinum. Select one from the list.' })
      .waitFor()
    await policy.fill('gold')
    await policy.press('Tab')
    await page.getByRole('alert').waitFor({ state: 'detached' })
    assert.equal(await policy.inputValue(), 'gold')
    assertFaultless(visit, 'pickers')
  })

  test('a default is the value of its field and is not sent, a time has a picker in UTC, and one press creates', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    const sent: unknown[] = []
    page.on('request', (request) => {
      if (request.method() === 'POST' && new URL(request.url()).pathname.endsWith('/clients'))
        sent.push(request.postDataJSON())
    })
    await opened(page, '/clients/new')
    assert.equal(await page.getByText(/default: /).count(), 0)
    const kind = page.getByLabel('Kind', { exact: true })
    assert.equal(await kind.inputValue(), 'partner')
    await page.getByLabel(/^Name/).fill('At once')
    const ends = page.getByLabel('Valid until')
    assert.equal(await ends.getAttribute('type'), 'datetime-local')
    await ends.fill('2030-01-02T03:04:05')
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByLabel('I have stored it').waitFor()
    assert.deepEqual(sent, [
      { name: 'At once', valid_until: '2030-01-02T03:04:05Z' },
      { name: 'At once', valid_until: '2030-01-02T03:04:05Z' },
    ])
    // The token with whose it is, and how it is used
    const token = (await page.getByRole('region', { name: 'Token of At once' }).innerText()).trim()
    const mcp = JSON.parse(await page.getByRole('region', { name: 'MCP', exact: true }).innerText())
    assert.equal(mcp.mcpServers.postern.headers.Authorization, `Bearer ${token}`)
    assert.equal(mcp.mcpServers.postern.url, `${server.running.origin}/mcp`)
    assert.equal(await page.getByText(/profiles\[/).count(), 0)
    await assertClean(visit, 1440, 'a token and its snippets')
  })

  test('the field that adds a filter shows its icon', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/policies')
    const icon = page.getByLabel('Add a filter').locator('xpath=ancestor::span[1]').locator('svg')
    assert.equal(
      // What takes no pointer is left out of the question what lies on top
      await icon.evaluate((element) => {
        element.style.pointerEvents = 'auto'
        const { left, top, width, height } = element.getBoundingClientRect()
        return element.contains(element.ownerDocument.elementFromPoint(left + width / 2, top + height / 2))
      }),
      true,
    )
    assertFaultless(visit, 'the icon')
  })
})
