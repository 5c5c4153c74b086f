/** What only a page has is not lost in silence: edits that are not saved, and secrets that are shown once. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { Fixture } from '../mcp/fixture/fixture.ts'
import { created, publishOrders, type TestServer } from '../scenarios/server.ts'
import { startUpstream, type TestUpstream } from '../scenarios/upstream.ts'
import { assertFaultless, openPage, SKIPPED, signIn, type Visitor, visitor } from './chromium.ts'
import { type Hand, keyboardOn, pointerOn } from './hands.ts'
import { startConsole, startDesk } from './start-console.ts'

/** What the pages of the console say of themselves. */
const OF_PAGE = { 'x-postern-console': '1', 'sec-fetch-site': 'same-origin' }

suite('leaving a page of the console, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let upstream: TestUpstream
  let desk: Fixture
  let origin: string
  let origins: readonly string[]
  const stack = new AsyncDisposableStack()

  before(async () => {
    upstream = stack.use(await startUpstream())
    desk = stack.use(await startDesk(['read_ticket']))
    ;({ browser, server, origin, origins } = stack.use(await startConsole()))
    await publishOrders(server, upstream.url)
    await created(server.manage('POST', '/origins', { name: 'Desk', slug: 'desk', url: desk.url }))
    for (const slug of ['pointer', 'keyboard']) {
      const profile = { client: 'acme', name: slug, slug, auth: { type: 'token' } }
      await created(server.manage('POST', '/profiles', profile))
    }
    await created(
      server.manage('POST', '/virtual_mcps', { name: 'Help', slug: 'help', members: [{ origin: 'desk' }] }),
    )
  })
  after(() => stack.disposeAsync())

  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)
  const question = (page: Page, title: string) => page.getByRole('dialog', { name: title })
  const answer = async (hand: Hand, page: Page, title: string, button: string): Promise<void> => {
    const dialog = question(page, title)
    await hand.press(dialog.getByRole('button', { name: button, exact: true }))
    await dialog.waitFor({ state: 'detached' })
  }
  const DISCARD = 'Discard your changes?'
  const SECRET = 'Close without storing the secret?'
  const keep = (hand: Hand, page: Page) => answer(hand, page, DISCARD, 'Keep editing')
  const discard = (hand: Hand, page: Page) => answer(hand, page, DISCARD, 'Discard')
  const sideBar = (page: Page, name: string) =>
    page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name, exact: true })
  const tab = (page: Page, name: string) =>
    page.getByRole('navigation', { name: 'Parts of the page' }).getByRole('link', { name, exact: true })
  const heading = (page: Page, name: string | RegExp) =>
    page.getByRole('heading', { name, level: 1 }).waitFor()
  /** Closes the tab of the browser as a person does. The visitor answers the question of the browser with no. */
  const closeTab = async ({ page, faults }: Visitor): Promise<void> => {
    const asked = page.waitForEvent('dialog')
    await page.close({ runBeforeUnload: true })
    assert.equal((await asked).type(), 'beforeunload')
    assert.match(faults.pop()!, /^dialog/)
    await page.getByRole('heading', { level: 1 }).waitFor()
  }

  for (const handOn of [pointerOn, keyboardOn]) {
    const { name } = handOn(null as never)

    test(`edits of a resource are asked for before links, tabs, Back and the end of the tab, with the ${name}`, async () => {
      await using visit = await visitor(browser, origins)
      const { page } = visit
      const hand = handOn(page)
      await signIn(page, origin, 'ann')
      await opened(page, '/policies/gold')
      await hand.press(tab(page, 'Edit'))
      const field = page.getByLabel('Description')
      const isKept = async (text: string): Promise<void> => {
        assert.equal(await field.inputValue(), text)
        await page.waitForURL(`${origin}/console/policies/gold?tab=edit`)
      }
      // Without edits, nothing is asked
      await hand.press(tab(page, 'History'))
      await page.getByText('CREATE').first().waitFor()
      await page.goBack()
      await hand.fill(field, `by ${name}`)
      for (const leave of [
        () => hand.press(sideBar(page, 'Clients')),
        () => hand.press(tab(page, 'History')),
        () => page.goBack(),
      ]) {
        await leave()
        await keep(hand, page)
        await isKept(`by ${name}`)
        await leave()
        await question(page, DISCARD).waitFor()
        await page.keyboard.press('Escape')
        await question(page, DISCARD).waitFor({ state: 'detached' })
        await isKept(`by ${name}`)
      }
      await closeTab(visit)
      await isKept(`by ${name}`)
      await page.goBack()
      await discard(hand, page)
      await page.waitForURL(`${origin}/console/policies/gold`)
      await hand.press(tab(page, 'Edit'))
      assert.notEqual(await field.inputValue(), `by ${name}`)
      // A text that is put back is no edit
      const stored = await field.inputValue()
      await hand.fill(field, 'for a moment')
      await page.getByText('Not saved').waitFor()
      await hand.fill(field, stored)
      await page.getByText('Not saved').waitFor({ state: 'detached' })
      await hand.press(sideBar(page, 'Clients'))
      await heading(page, 'Clients')
      assertFaultless(visit, name)
    })

    test(`a save lets go, and so does a new resource once it is created, with the ${name}`, async () => {
      await using visit = await visitor(browser, origins)
      const { page } = visit
      const hand = handOn(page)
      await signIn(page, origin, 'ann')
      await opened(page, '/policies/gold?tab=edit')
      await hand.fill(page.getByLabel('Description'), `saved by ${name}`)
      await hand.press(page.getByRole('button', { name: 'Review the change' }))
      await page.getByLabel('Reason').waitFor()
      await hand.press(sideBar(page, 'Clients'))
      await keep(hand, page)
      await hand.press(page.getByRole('button', { name: 'Save' }))
      await page.waitForURL(`${origin}/console/policies/gold`)
      await hand.press(sideBar(page, 'Clients'))
      await heading(page, 'Clients')
      await opened(page, '/policies')
      await hand.press(page.getByRole('link', { name: 'New policy' }))
      await hand.fill(page.getByLabel(/^Name/), `New by ${name}`)
      await hand.press(sideBar(page, 'Clients'))
      await keep(hand, page)
      await closeTab(visit)
      await page.goBack()
      await keep(hand, page)
      await hand.press(page.getByRole('button', { name: 'Review the change' }))
      await hand.press(page.getByRole('button', { name: 'Create' }))
      await heading(page, new RegExp(`^New by ${name}`))
      await hand.press(sideBar(page, 'Clients'))
      await heading(page, 'Clients')
      assertFaultless(visit, name)
    })

    test(`a secret that is shown once is asked for before a dialog closes and before a page is left, with the ${name}`, async () => {
      await using visit = await visitor(browser, origins)
      const { page } = visit
      const hand = handOn(page)
      await signIn(page, origin, 'ann')
      await opened(page, '/profiles')
      await hand.press(page.getByRole('table').getByRole('link', { name, exact: true }))
      await heading(page, new RegExp(`^${name}`))
      await hand.press(page.getByRole('button', { name: 'Rotate' }).first())
      const dialog = page.getByRole('dialog', { name: /^Rotate/ })
      await hand.press(dialog.getByRole('button', { name: 'Review the change' }))
      await hand.press(dialog.getByRole('button', { name: 'Rotate' }))
      const token = dialog.getByRole('region', { name: 'token' })
      await token.waitFor()
      const text = await token.innerText()
      await page.keyboard.press('Escape')
      await answer(hand, page, SECRET, 'Back to the secret')
      // Browsers let a page prevent one Escape, and not a second one in a row
      for (let time = 0; time < 3; time++) {
        await page.keyboard.press('Escape')
        await question(page, SECRET).waitFor()
        await page.keyboard.press('Escape')
        await question(page, SECRET).waitFor({ state: 'detached' })
      }
      await hand.press(dialog.getByRole('button', { name: 'Close' }).first())
      await answer(hand, page, SECRET, 'Back to the secret')
      await page.mouse.click(2, 2)
      await answer(hand, page, SECRET, 'Back to the secret')
      await page.goBack()
      await answer(hand, page, SECRET, 'Back to the secret')
      await closeTab(visit)
      assert.equal(await token.innerText(), text)
      await page.keyboard.press('Escape')
      await answer(hand, page, SECRET, 'Close without storing it')
      await dialog.waitFor({ state: 'detached' })

      await opened(page, '/profiles/new?client=acme')
      await hand.fill(page.getByLabel(/^Name/), `Key by ${name}`)
      await hand.choose(page.getByLabel('Type', { exact: true }), 'token')
      await hand.press(page.getByRole('button', { name: 'Review the change' }))
      await hand.press(page.getByRole('button', { name: 'Create' }))
      const shown = page.getByRole('region', { name: 'token' })
      await shown.waitFor()
      await hand.press(sideBar(page, 'Clients'))
      await answer(hand, page, SECRET, 'Back to the secret')
      await shown.waitFor()
      await hand.check(page.getByLabel('I have stored it'))
      await hand.press(sideBar(page, 'Clients'))
      await heading(page, 'Clients')
      assertFaultless(visit, name)
    })

    test(`what is entered for a new MCP server is asked for, until it is stored, with the ${name}`, async () => {
      await using visit = await visitor(browser, origins)
      const { page } = visit
      const hand = handOn(page)
      await signIn(page, origin, 'ann')
      await opened(page, `/origins/add?url=${encodeURIComponent(desk.url)}`)
      // The address filled the field, so nothing is lost
      await hand.press(sideBar(page, 'Clients'))
      await heading(page, 'Clients')
      await page.goBack()
      await hand.press(page.getByRole('button', { name: 'Ask the server' }))
      await hand.fill(page.getByLabel('Name'), `Desk by ${name}`)
      await hand.press(sideBar(page, 'Clients'))
      await keep(hand, page)
      await hand.press(sideBar(page, 'Origins'))
      await discard(hand, page)
      await hand.press(page.getByRole('link', { name: 'Add a server' }))
      await hand.fill(page.getByLabel('URL'), desk.url)
      for (const leave of [() => hand.press(sideBar(page, 'Clients')), () => page.goBack()]) {
        await leave()
        await keep(hand, page)
        assert.equal(await page.getByLabel('URL').inputValue(), desk.url)
      }
      await closeTab(visit)
      await hand.press(page.getByRole('button', { name: 'Ask the server' }))
      await hand.fill(page.getByLabel('Name'), `Desk by ${name}`)
      await page.goBack()
      await keep(hand, page)
      await hand.press(page.getByRole('button', { name: 'Create the origin' }))
      // Nothing is chosen yet
      await page.getByLabel('read_ticket').waitFor()
      await hand.press(sideBar(page, 'Clients'))
      await heading(page, 'Clients')
      await page.goBack()
      await hand.check(page.getByLabel('read_ticket'))
      await hand.press(sideBar(page, 'Clients'))
      await keep(hand, page)
      assert.equal(await page.getByLabel('read_ticket').isChecked(), true)
      await hand.fill(page.getByLabel('Name'), `Help by ${name}`)
      await hand.press(page.getByRole('button', { name: 'Create the virtual MCP' }))
      await heading(page, new RegExp(`^Help by ${name}`))
      assertFaultless(visit, name)
    })

    test(`documents are asked for until they are applied, in the plan as well, with the ${name}`, async () => {
      await using visit = await visitor(browser, origins)
      const { page } = visit
      const hand = handOn(page)
      await signIn(page, origin, 'ann')
      await opened(page, '/revisions')
      await hand.press(page.getByRole('link', { name: 'Apply a file' }))
      const text = page.getByLabel('Or paste the text')
      await text.waitFor()
      await page.goBack()
      await heading(page, 'Revisions')
      await hand.press(page.getByRole('link', { name: 'Apply a file' }))
      await hand.fill(text, JSON.stringify([{ kind: 'policy', slug: `by-${name}`, spec: { name } }]))
      const pasted = await text.inputValue()
      for (const leave of [() => hand.press(sideBar(page, 'Clients')), () => page.goBack()]) {
        await leave()
        await keep(hand, page)
        assert.equal(await text.inputValue(), pasted)
      }
      await closeTab(visit)
      await hand.press(page.getByRole('button', { name: 'Show the plan' }))
      await heading(page, 'Plan')
      await hand.press(sideBar(page, 'Clients'))
      await keep(hand, page)
      await hand.press(page.getByRole('button', { name: 'Apply' }))
      await page.getByText('Added 1, changed 0').waitFor()
      await hand.press(sideBar(page, 'Clients'))
      await heading(page, 'Clients')
      assertFaultless(visit, name)
    })

    test(`an export is asked for before its dialog closes, until the file is ordered, with the ${name}`, async () => {
      await using visit = await visitor(browser, origins)
      const { page } = visit
      const hand = handOn(page)
      await signIn(page, origin, 'ann')
      await hand.press(sideBar(page, 'Audit'))
      const dialog = page.getByRole('dialog', { name: 'Export audit entries' })
      const open = () => hand.press(page.getByRole('button', { name: 'Export', exact: true }))
      const closed = () => dialog.waitFor({ state: 'detached' })
      await open()
      await dialog.waitFor()
      await page.keyboard.press('Escape')
      await closed()
      await open()
      await hand.choose(dialog.getByLabel('Format'), 'NDJSON')
      await page.keyboard.press('Escape')
      await keep(hand, page)
      await hand.press(dialog.getByRole('button', { name: 'Review the export' }))
      await hand.fill(dialog.getByLabel('Reason'), 'for the auditor')
      await page.keyboard.press('Escape')
      await keep(hand, page)
      assert.equal(await dialog.getByLabel('Reason').inputValue(), 'for the auditor')
      // The form still asks once its review is left
      await hand.press(dialog.getByRole('button', { name: 'Back' }))
      await page.keyboard.press('Escape')
      await keep(hand, page)
      await hand.press(dialog.getByRole('button', { name: 'Review the export' }))
      await hand.fill(dialog.getByLabel('Reason'), 'for the auditor')
      // Two things would be lost, and one question is asked
      await page.goBack()
      await keep(hand, page)
      await hand.press(dialog.getByRole('button', { name: 'Create' }))
      await dialog.getByText('The file is ready').waitFor()
      await page.keyboard.press('Escape')
      await closed()
      assertFaultless(visit, name)
    })

    test(`chosen capabilities are asked for, but not before another type of them is shown, with the ${name}`, async () => {
      await using visit = await visitor(browser, origins)
      const { page } = visit
      const hand = handOn(page)
      await signIn(page, origin, 'ann')
      await opened(page, '/virtual_mcps/help?tab=capabilities')
      const box = page.getByRole('main').getByRole('checkbox').first()
      await hand.check(box, false)
      await page.getByText('Changed, not saved').waitFor()
      await hand.choose(page.getByLabel('Show'), 'Prompts')
      await page.waitForURL((url) => url.searchParams.get('type') === 'prompts')
      await hand.press(tab(page, 'Overview'))
      await keep(hand, page)
      await page.getByText('Changed, not saved').waitFor()
      await hand.press(tab(page, 'Overview'))
      await discard(hand, page)
      await page.waitForURL((url) => url.searchParams.get('tab') === null)
      assertFaultless(visit, name)
    })
  }

  test('edits in a dialog are asked for before it closes; a dialog without edits closes at once', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/proxies/orders:get-order')
    const dialog = page.getByRole('dialog', { name: 'Duplicate Get order' })
    await page.getByRole('button', { name: 'Duplicate' }).click()
    await dialog.waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Duplicate' }).click()
    await dialog.getByLabel(/^Name/).fill('Another')
    await page.keyboard.press('Escape')
    await keep(pointerOn(page), page)
    assert.equal(await dialog.getByLabel(/^Name/).inputValue(), 'Another')
    await page.keyboard.press('Escape')
    await discard(pointerOn(page), page)
    await dialog.waitFor({ state: 'detached' })
    assertFaultless(visit, 'a dialog')
  })

  test('a question goes once the change that it is about is stored', async () => {
    await created(server.manage('POST', '/policies', { name: 'Late', slug: 'late' }))
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/policies/late')
    let letGo = (): void => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    await page.route('**/management/v1/policies/**', async (route) => {
      const isWrite = route.request().method() !== 'GET' && !route.request().url().includes('dry_run')
      if (isWrite) await held
      await route.continue()
    })
    await page.getByRole('button', { name: 'Deactivate' }).click()
    const dialog = page.getByRole('dialog', { name: 'Deactivate Late', exact: true })
    await dialog.getByRole('button', { name: 'Review the change' }).click()
    await dialog.getByLabel('Reason').fill('no longer sold')
    await dialog.getByRole('button', { name: 'Deactivate', exact: true }).click()
    await dialog.getByRole('button', { name: 'Close' }).click()
    const asked = question(page, DISCARD)
    await asked.waitFor()
    letGo()
    await asked.waitFor({ state: 'detached' })
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('heading', { level: 1 }).getByText('inactive', { exact: true }).waitFor()
    assertFaultless(visit, 'late')
  })

  test('edits stay while another person saves, and giving them up shows what is stored', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/policies/gold?tab=edit')
    const field = page.getByLabel('Description')
    await field.fill('mine')
    const changed = await server.manage('PATCH', '/policies/gold', { description: 'theirs' })
    assert.equal(changed.status, 200, changed.text)
    // The page asks again when the person comes back to it
    const again = page.waitForResponse((response) => response.url().endsWith('/policies/gold'))
    await page.clock.install()
    await page.clock.fastForward(60_000)
    await page.evaluate(`dispatchEvent(new Event('visibilitychange'))`)
    await again
    assert.equal(await field.inputValue(), 'mine')
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Another person changed this after you opened it').waitFor()
    await page.getByRole('button', { name: 'Discard mine and load theirs' }).click()
    await page.getByText('Somebody else changed this').waitFor({ state: 'detached' })
    assert.equal(await field.inputValue(), 'theirs')
    await sideBar(page, 'Clients').click()
    await heading(page, 'Clients')
    assert.match(visit.faults.join(), /^Failed to load resource: .* 412 \(Precondition Failed\)$/)
  })

  test('a sign-out asks for edits and secrets before it ends the session, and once only', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    const hand = pointerOn(page)
    const signOut = () => page.getByRole('button', { name: 'Sign out' }).click()
    await signIn(page, origin, 'ann')
    await opened(page, '/personal_tokens/new')
    await page.getByLabel(/^Name/).click()
    await page.keyboard.type('script')
    await signOut()
    await keep(hand, page)
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByText('Copy this now').waitFor()
    await signOut()
    await answer(hand, page, SECRET, 'Back to the secret')
    // The session stands: pages are still answered
    assert.equal(
      (await page.request.get(`${origin}/management/v1/whoami`, { headers: OF_PAGE })).status(),
      200,
    )
    await signOut()
    await answer(hand, page, SECRET, 'Close without storing it')
    await page.getByRole('link', { name: 'Sign in' }).waitFor()
    assert.equal(await page.getByText('Copy this now').count(), 0)
    assertFaultless(visit, 'sign-out')
  })
})
