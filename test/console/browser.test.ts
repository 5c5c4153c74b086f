/** The console in a real browser, over the production bundle and a real gateway. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { startTestServer, type TestServer } from '../scenarios/server.ts'
import { startUpstream, type TestUpstream } from '../scenarios/upstream.ts'
import { authorization, PASSWORD, register } from '../support/authorization.ts'
import { assertFaultless, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertAccessible, assertClean } from './clean.ts'
import { PAGES } from './pages.ts'
import { addPeople, startConsole } from './start-console.ts'

const SCRIPT = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
suite('the console in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let upstream: TestUpstream
  let origin: string
  let origins: readonly string[]
  const stack = new AsyncDisposableStack()

  before(async () => {
    upstream = stack.use(await startUpstream())
    ;({ browser, server, origin, origins } = stack.use(
      await startConsole({ ann: 'admin', viv: 'viewer' }, { workers: 2 }),
    ))
    const made = await server.manage('POST', '/collections', {
      name: SCRIPT.slice(0, 100),
      slug: 'orders',
      description: SCRIPT,
      base_path: '/orders',
      upstream: { targets: [{ url: upstream.url }] },
      status: 'published',
    })
    assert.equal(made.status, 201, made.text)
  })
  after(() => stack.disposeAsync())

  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)

  for (const { name, width, themes } of [
    { name: 'at 1440 pixels, light and dark', width: 1440, themes: ['light', 'dark'] },
    { name: 'at 390 pixels, dark', width: 390, themes: ['dark'] },
  ] as const)
    test(`with the network cut every page renders ${name}: nothing is refused, nothing is asked elsewhere, and axe finds nothing`, async () => {
      await using visit = await visitor(browser, origins, { width })
      await signIn(visit.page, origin, 'ann')
      for (const { path } of PAGES.filter(({ isOfSample }) => isOfSample !== true)) {
        await visit.page.emulateMedia({ colorScheme: themes[0] })
        await opened(visit.page, path)
        for (const colorScheme of themes) {
          await visit.page.emulateMedia({ colorScheme })
          await assertClean(visit, width, `${path}, ${colorScheme}`)
        }
      }
    })

  test('a new instance has a signed-in console after the set-up page', async () => {
    await using fresh = await startTestServer({ workers: 1, adminless: true })
    const place = fresh.running.controlUrl
    await using visit = await visitor(browser, [place, fresh.running.origin])
    const { page } = visit
    await page.goto((await fresh.running.firstLink())!.url)
    await page.getByLabel('Name', { exact: true }).fill('Ada')
    await page.getByLabel('Email').fill('ada@example.com')
    await page.getByLabel('New password').fill(PASSWORD)
    await page.getByLabel('Repeat password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Set up' }).click()
    await page.getByRole('heading', { name: 'Home', level: 1 }).waitFor()
    assert.equal(page.url(), `${place}/console/`)
    assertFaultless(visit, 'set-up')
  })

  for (const { width, colorScheme } of [
    { width: 1440, colorScheme: 'light' },
    { width: 390, colorScheme: 'dark' },
  ] as const)
    test(`at ${width} pixels, ${colorScheme}, pages of the server for sign-in, set-up and consent look like the console, and axe finds nothing`, async () => {
      await using fresh = await startTestServer({ workers: 1, adminless: true })
      const gateway = server.running.origin
      await using visit = await visitor(browser, [...origins, fresh.running.origin], {
        width,
        dark: colorScheme === 'dark',
      })
      const { page } = visit
      const lookOf = (selector: string): Promise<readonly string[]> =>
        page
          .locator(selector)
          .first()
          .evaluate((part) => {
            const { backgroundColor, color, fontFamily } =
              part.ownerDocument.defaultView!.getComputedStyle(part)
            return [backgroundColor, color, fontFamily]
          })
      const unlike: string[] = []
      const shown = async (at: string, url: string, heading: string | RegExp): Promise<void> => {
        await page.goto(url)
        await page.getByRole('heading', { level: 1, name: heading }).waitFor()
        await assertAccessible(page, at)
        const [wide, room] = await page.evaluate<[number, number]>(
          '[document.documentElement.scrollWidth, innerWidth]',
        )
        assert.ok(wide <= room, `${at} is ${wide} pixels wide`)
        if (JSON.stringify(await lookOf('main')) !== JSON.stringify(look)) unlike.push(at)
        const low = await page
          .locator('button, input:not([type=hidden], .choice *), .choice')
          .evaluateAll(
            (parts, min) => parts.filter((part) => part.getBoundingClientRect().height < min).length,
            width < 640 ? 44 : 24,
          )
        assert.equal(low, 0, `${at} has targets that are too small`)
      }
      await page.goto(`${origin}/console/`)
      const enter = page.getByRole('link', { name: 'Sign in' })
      await enter.waitFor()
      const look = await lookOf('body')
      const primary = (await lookOf('a')).slice(0, 2)
      await shown('set-up', (await fresh.running.firstLink())!.url, 'Set up the administrator')
      await shown('dead link', `${gateway}/oauth/setup?token=none`, 'This link does not work')
      await shown('sign-in', `${origin}/console/login`, 'Sign in')
      assert.deepEqual((await lookOf('button')).slice(0, 2), primary)
      const { url } = authorization(gateway, await register(gateway))
      await page.goto(String(url))
      await page.getByLabel('Name or email').fill('ann')
      await page.getByLabel('Password').fill(PASSWORD)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('button', { name: 'Allow' }).waitFor()
      await shown('consent', page.url(), 'Allow access?')
      await shown('accounts', `${gateway}/connect`, 'Connected accounts')
      assert.deepEqual(unlike, [])
      assert.deepEqual(
        visit.faults.filter((fault) => !fault.includes('404')),
        [],
      )
    })

  test('a policy is made by keyboard alone, reviewed in the words of its form or at once, and the audit names the console', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Search or run' }).waitFor()
    await page.keyboard.type('Policies')
    await page
      .getByRole('option', { name: /^Policies/ })
      .first()
      .waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Policies', level: 1 }).waitFor()
    await page.keyboard.press('n')
    await page.getByRole('heading', { name: 'New policy', level: 1 }).waitFor()
    await page.getByLabel(/^Name/).focus()
    await page.keyboard.type('By keyboard')
    await page.getByRole('button', { name: 'Review the change first' }).focus()
    await page.keyboard.press('Enter')
    const review = page.getByRole('form', { name: 'Review' })
    // In the words of the form, without what says nothing; the keyboard goes on in the review
    const terms = review.getByRole('term')
    await review
      .getByRole('definition')
      .filter({ hasText: /^By keyboard$/ })
      .waitFor()
    assert.ok((await terms.allInnerTexts()).includes('Name'))
    assert.equal(await terms.filter({ hasText: /^(?:Description|Tags|Limits)$/ }).count(), 0)
    assert.equal(await review.evaluate((form) => form === form.ownerDocument.activeElement), true)
    assert.equal((await server.manage('GET', '/policies/by-keyboard')).status, 404)
    await page.getByLabel('Reason').focus()
    await page.keyboard.type('a test')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: /^By keyboard/ }).waitFor()
    const { json } = await server.manage('GET', '/audit?operation=policies.create')
    const [entry] = json.items
    assert.deepEqual([entry.surface, entry.actor.name, entry.reason], ['admin_ui', 'ann', 'a test'])
    await opened(page, '/policies/new')
    await page.getByLabel(/^Name/).fill('At once')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: /^At once/ }).waitFor()
    assertFaultless(visit, 'policy')
  })

  test('the second of two tabs that save sees both changes, and overwrites nothing', async () => {
    await server.manage('POST', '/policies', { name: 'Two tabs', slug: 'two-tabs' })
    await using visit = await visitor(browser, origins)
    const { page, context } = visit
    await signIn(page, origin, 'ann')
    const other = await context.newPage()
    const change = async (tab: Page, text: string): Promise<void> => {
      await tab.getByLabel('Description').fill(text)
      await tab.getByRole('button', { name: 'Review the change' }).click()
      await tab.getByText('/description', { exact: true }).waitFor()
    }
    await opened(page, '/policies/two-tabs?tab=edit')
    await opened(other, '/policies/two-tabs?tab=edit')
    await change(page, 'mine')
    await change(other, 'theirs')
    await other.getByRole('button', { name: 'Save' }).click()
    await other.getByText('Saved').waitFor()
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Another person changed this after you opened it').waitFor()
    await page.getByText('+ theirs').waitFor()
    await page.getByText('+ mine').waitFor()
    assert.equal((await server.manage('GET', '/policies/two-tabs')).json.description, 'theirs')
  })

  test('records of calls appear while they are followed', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/records')
    const first = page.waitForResponse((response) => response.url().includes('/records/follow?'))
    await page.getByRole('button', { name: 'Live' }).click()
    await first
    await server.gateway('GET', '/orders/while-followed')
    await page.getByText('/orders/while-followed').first().waitFor()
    await page.getByRole('button', { name: 'Live', pressed: true }).waitFor()
    assertFaultless(visit, 'records')
  })

  test('a viewer is offered no change, and a forged one is refused', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'viv')
    await opened(page, '/collections')
    assert.equal(await page.getByRole('link', { name: 'New collection' }).count(), 0)
    await opened(page, '/collections/orders')
    assert.equal(await page.getByRole('button', { name: 'Delete' }).count(), 0)
    const status = await page.evaluate(async () => {
      const headers = { 'content-type': 'application/json', 'x-postern-console': '1' }
      const asked = await fetch('/management/v1/policies', {
        method: 'POST',
        headers,
        body: '{"name":"Forged"}',
      })
      return asked.status
    })
    assert.equal(status, 403)
  })

  test('a page of an upstream at the same origin neither reads nor drives console, management, /oauth and /connect', async () => {
    await using shared = await startTestServer({
      workers: 1,
      flags: ['--expose', 'management,oauth,registry,console'],
    })
    const place = shared.running.origin
    await addPeople(shared)
    const page = `<!doctype html><title>wait</title><script>
      const paths = ['/management/v1/whoami', '/console/session', '/console/', '/oauth/authorize', '/connect']
      const ask = (path) => fetch(path, { credentials: 'include', headers: { 'x-postern-console': '1' } }).then((r) => r.text(), () => 'refused')
      const frame = new Promise((done) => { const f = document.createElement('iframe'); f.src = '/console/'; f.onload = () => { try { done(f.contentDocument.body.innerText) } catch { done('refused') } }; document.documentElement.append(f) })
      let cookie = 'refused'; try { cookie = document.cookie } catch {}
      Promise.all([...paths.map(ask), frame]).then((all) => { document.title = JSON.stringify([...all, cookie]) })
    </script>`
    await using hostile = await startUpstream()
    hostile.answer = (_seen, response) => response.setHeader('content-type', 'text/html').end(page)
    const made = await shared.manage('POST', '/collections', {
      name: 'Hostile',
      base_path: '/hostile',
      upstream: { targets: [{ url: hostile.url }] },
      status: 'published',
    })
    assert.equal(made.status, 201, made.text)
    const proxy = {
      collection: 'hostile',
      name: 'Page',
      methods: ['GET'],
      path: '/page',
      status: 'published',
    }
    assert.equal((await shared.manage('POST', '/proxies', proxy)).status, 201)
    const client = {
      name: 'All',
      collections: ['hostile'],
      profiles: [{ name: 'open', auth: { type: 'none' } }],
    }
    const all = await shared.manage('POST', '/clients', client)
    assert.equal(all.status, 201, all.text)
    await using visit = await visitor(browser, [place])
    await signIn(visit.page, place, 'ann')
    await visit.page.setExtraHTTPHeaders({ 'x-client-id': 'all', 'x-profile-id': 'open' })
    const shown = await visit.page.goto(`${place}/hostile/page`)
    assert.equal(shown?.status(), 200, await shown?.text())
    await visit.page.waitForFunction(`document.title !== 'wait'`)
    assert.deepEqual(JSON.parse(await visit.page.title()), Array(7).fill('refused'))
  })

  test('no page of another origin frames the console', async () => {
    await using visit = await visitor(browser, origins)
    await signIn(visit.page, origin, 'ann')
    await visit.page.goto(`${server.running.gatewayUrl.replace('127.0.0.1', 'localhost')}/healthz`)
    await visit.page.setContent(`<iframe src="${origin}/console/"></iframe>`)
    await visit.page.waitForLoadState('load')
    // What Chromium shows in the place of a page that refuses to be framed
    assert.equal(visit.page.frames()[1]?.url(), 'chrome-error://chromewebdata/')
  })
})
