/** Rules that hold on every screen of the console, in a real browser and over a real gateway. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { isDeepStrictEqual, promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { PROBLEMS } from '../../src/base/refusal.ts'
import { killNow, startUp } from '../scenarios/process.ts'
import { call, created, publishOrders, startTestServer, type TestServer, until } from '../scenarios/server.ts'
import { startUpstream, type TestUpstream } from '../scenarios/upstream.ts'
import { PASSWORD, register, tokensFor } from '../support/authorization.ts'
import { Browser as TextBrowser } from '../support/browser.ts'
import { DEBUGGED, debugThreads, type ThreadDebugger } from '../support/paused-threads.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../wire/certificate.ts'
import { assertFaultless, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { keyboardOn, pointerOn } from './hands.ts'
import { PAGES } from './pages.ts'
import { addPeople, startConsole } from './start-console.ts'

const MAIN = resolve(import.meta.dirname, '../../postern.js')
/** Requests to management of one screen. */
const REQUESTS_MAX = 6
/** Cumulative layout shift. */
const SHIFT_MAX = 0.05

/** Sum of the layout shifts of the page (Layout Instability API). */
const SHIFT = `new Promise((done) => {
  let sum = 0
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value
  }).observe({ type: 'layout-shift', buffered: true })
  requestAnimationFrame(() => requestAnimationFrame(() => done(sum)))
})`
/** What a person sees of a view. Times as people say them go on. */
const VIEW = `({
  address: location.pathname + location.search,
  text: [...document.querySelectorAll('main time')].reduce(
    (text, { innerText }) => text.replace(innerText, 'a time'),
    document.querySelector('main').innerText,
  ),
  fields: [...document.querySelectorAll('main input, main select')].map(({ value, checked }) => [value, checked]),
})`
/** All that a page can keep. */
const KEPT = `(async () => JSON.stringify([
  location.href, { ...localStorage }, { ...sessionStorage }, history.state, await indexedDB.databases(), document.cookie,
]))()`
/** True if a request of the page is answered. */
const ANSWERS = `fetch('/console/session', { headers: { 'x-postern-console': '1' }, signal: AbortSignal.timeout(2000) })
  .then(({ ok }) => ok, () => false)`

const run = promisify(execFile)

/** Pauses the gateway thread that does not answer the page, and returns its name. */
async function pauseOther(threads: ThreadDebugger, page: Page): Promise<string> {
  for (const name of threads.threads.filter((thread) => thread.startsWith('gateway-'))) {
    await threads.pause(name)
    if (await page.evaluate<boolean>(ANSWERS)) return name
    await threads.resume(name)
  }
  return assert.fail('no thread answers the page')
}

suite('rules of the console, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let upstream: TestUpstream
  let origin: string
  let origins: readonly string[]
  let folder: string
  const stack = new AsyncDisposableStack()

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-rules-'))
    stack.defer(() => rmSync(folder, { recursive: true, force: true }))
    upstream = stack.use(await startUpstream())
    ;({ browser, server, origin, origins } = stack.use(await startConsole()))
    await publishOrders(server, upstream.url)
  })
  after(() => stack.disposeAsync())

  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)

  test('each screen asks at most six times, and what is there does not move while the rest comes', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await page.waitForLoadState('networkidle')
    let asked: string[] = []
    const moved: string[] = []
    page.on('request', (request) => {
      const { pathname, search } = new URL(request.url())
      if (pathname.startsWith('/management/')) asked.push(pathname + search)
    })
    for (const { path } of PAGES.filter(({ isOfSample }) => isOfSample !== true)) {
      asked = []
      await opened(page, path)
      // Every page that is opened anew asks who is signed in
      const own = asked.filter((one) => !one.startsWith('/management/v1/whoami'))
      assert.ok(own.length <= REQUESTS_MAX, `${path} asks ${own.join(' ')}`)
      const shift = Number(await page.evaluate(SHIFT))
      if (shift >= SHIFT_MAX) moved.push(`${path} moves by ${shift.toFixed(3)}`)
    }
    assert.deepEqual(moved, [])
    assertFaultless(visit, 'all screens')
  })

  test('a view is the same after a reload, and after Back from elsewhere', async () => {
    await server.gateway('GET', '/orders/v1/orders/1')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    const shown = async (): Promise<unknown> => {
      await page.getByRole('heading', { level: 1 }).waitFor()
      await page.waitForLoadState('networkidle')
      await page.locator('[aria-busy=true]').waitFor({ state: 'detached' })
      return page.evaluate(VIEW)
    }
    for (const path of [
      '/collections?text=ord',
      '/collections/orders?tab=edit',
      '/proxies?collection=orders',
      '/records?status=4xx',
      '/audit?operation=grants.create',
      '/policies?order=slug',
      '/run/requests.explain?path=/orders/v1/orders/1&method=GET',
      '/revisions?from=1&to=2',
      '/analytics?from=-7d&by=status',
    ]) {
      await opened(page, path)
      const first = await shown()
      await page.reload()
      assert.deepEqual(await shown(), first, `${path} after a reload`)
      await page.getByRole('navigation').getByRole('link', { name: 'Credentials', exact: true }).click()
      await page.getByRole('heading', { name: 'Credentials', level: 1 }).waitFor()
      await page.goBack()
      assert.deepEqual(await shown(), first, `${path} after Back`)
    }
    assertFaultless(visit, 'views')
  })

  test('each form of "Show as", executed as it stands, leaves the audit entry of the console, but for the surface', async (t) => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/policies/new')
    await page.getByLabel(/^Name/).fill("Ann's policy")
    await page.getByLabel(/^Slug/).fill('shown')
    await page.getByRole('button', { name: 'Show as' }).click()
    const dialog = page.getByRole('dialog')
    const textOf = async (label: string | RegExp): Promise<string> =>
      (await dialog.getByRole('region', { name: label }).innerText()).trim()
    const curl = await textOf('curl')
    const command = await textOf('Command line')
    const message = await textOf(/^Management MCP/)
    const file = await textOf(/^Configuration file/)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('heading', { name: /^Ann's policy/ }).waitFor()
    // The policy is deleted before each other form of the same request
    await opened(page, '/')

    const entryOf = async (surface: string) => {
      const path = `/audit?operation=policies.create&surface=${surface}&actor=ann&outcome=ok`
      const { items } = (await server.manage('GET', path)).json
      assert.equal(items.length, 1, surface)
      const [{ operation, action, actor, resource, diff, reason }] = items
      await server.manage('DELETE', '/policies/shown?confirm=shown')
      assert.equal((await server.manage('GET', '/policies/shown')).status, 404)
      return {
        ...{ operation, action, reason },
        actor: [actor.type, actor.name],
        resource: [resource.type, resource.slug],
        diff,
      }
    }
    const own = await entryOf('admin_ui')
    const gateway = server.running.origin
    const text = new TextBrowser(gateway)
    const tokenFor = async (place: string): Promise<string> =>
      (await tokensFor(gateway, text, await register(gateway), { resource: gateway + place }, 'ann'))
        .access_token
    const env = {
      ...process.env,
      HOME: folder,
      POSTERN_URL: gateway,
      POSTERN_TOKEN: await tokenFor('/management/v1'),
      CI: 'true',
    }
    const shell = (line: string) =>
      run(
        'bash',
        [
          '-c',
          `postern() { "${process.execPath}" --disable-warning=ExperimentalWarning "${MAIN}" "$@"; }\n${line}`,
        ],
        { env, cwd: folder },
      )

    await shell(command)
    assert.deepEqual(await entryOf('cli'), own)

    const answer = await fetch(`${gateway}/management/mcp?view=full`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await tokenFor('/management/mcp')}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: message,
    })
    assert.equal(answer.status, 200, await answer.clone().text())
    assert.deepEqual(await entryOf('management_mcp'), own)

    writeFileSync(join(folder, 'postern.yaml'), file)
    await shell('postern apply postern.yaml --yes')
    const applied = (await server.manage('GET', '/policies/shown')).json
    assert.equal(applied.name, "Ann's policy")
    await server.manage('DELETE', '/policies/shown?confirm=shown')

    const hasCurl = await shell('command -v curl').then(
      () => true,
      () => false,
    )
    if (!hasCurl) return t.diagnostic('curl is not installed: its form was not executed')
    await shell(`set -e; ${curl.replace('curl ', 'curl -sS --fail ')}`)
    assert.deepEqual(await entryOf('management_api'), own)
    assertFaultless(visit, 'Show as')
  })

  test('a new token is shown once: it is in no address and no storage of the browser, and closing waits until it is kept', async () => {
    await created(server.manage('POST', '/clients', { name: 'Once', slug: 'once' }))
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/profiles/new?client=once')
    await page.getByLabel(/^Name/).fill('Key')
    await page.getByLabel('Type', { exact: true }).selectOption('token')
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByRole('button', { name: 'Create' }).click()
    const region = page.getByRole('region', { name: 'token' })
    const token = (await region.innerText()).trim()
    assert.equal((await server.gateway('GET', '/orders/v1/orders/1', { token })).status === 401, false)
    const close = page.getByRole('button', { name: 'Close' })
    assert.equal(await close.isDisabled(), true)
    const kept = String(await page.evaluate(KEPT))
    assert.equal(kept.includes(token), false)
    await page.getByLabel('I have stored it').check()
    await close.click()
    await region.waitFor({ state: 'detached' })
    await page.waitForLoadState('networkidle')
    assert.equal((await page.content()).includes(token), false)
    await page.goBack()
    await page.waitForLoadState('networkidle')
    assert.equal((await page.content()).includes(token), false)
    const { text } = await server.manage('GET', '/audit?limit=200')
    assert.equal(text.includes(token), false)
    assertFaultless(visit, 'a token')
  })

  test('a session that ends while a form is filled in keeps the form: a sign-in in another tab goes on with it', async () => {
    await using visit = await visitor(browser, origins)
    const { page, context } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/policies/new')
    await page.getByLabel(/^Name/).fill('Kept')
    await context.clearCookies()
    await page.getByRole('button', { name: 'Review the change' }).click()
    const dialog = page.getByRole('dialog', { name: 'You are signed out' })
    const [other] = await Promise.all([
      context.waitForEvent('page'),
      dialog.getByRole('link', { name: 'Sign in in another tab' }).click(),
    ])
    await other.getByLabel('Name or email').fill('ann')
    await other.getByLabel('Password').fill(PASSWORD)
    await other.getByRole('button', { name: 'Sign in' }).click()
    await dialog.waitFor({ state: 'detached' })
    assert.equal(await page.getByLabel(/^Name/).inputValue(), 'Kept')
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('heading', { name: /^Kept/ }).waitFor()
    assert.equal((await server.manage('GET', '/policies/kept')).status, 200)
  })

  test('a draft has a badge in list and page, and its page shows the difference that publishing then makes', async () => {
    const { json: live } = await server.manage('GET', '/collections/orders')
    const stored = await server.manage('PATCH', '/collections/orders', {
      description: 'In the draft',
      mode: 'draft',
    })
    assert.equal(stored.status, 200, stored.text)
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/collections')
    await page.getByText('draft', { exact: true }).waitFor()
    await opened(page, '/collections/orders')
    await page.getByText('not live', { exact: true }).waitFor()
    await page.getByText('+ In the draft').waitFor()
    assert.equal((await server.manage('GET', '/collections/orders')).json.description, live.description)
    await page.getByRole('button', { name: 'Publish' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Review the change' }).click()
    await dialog.getByText('+ In the draft').waitFor()
    await dialog.getByRole('button', { name: 'Publish' }).click()
    await page.getByText('not live', { exact: true }).waitFor({ state: 'detached' })
    await opened(page, '/collections')
    assert.equal(await page.getByText('draft', { exact: true }).count(), 0)
    const [entry] = (await server.manage('GET', '/audit?operation=collections.publish')).json.items
    assert.equal(entry.surface, 'admin_ui')
    assert.equal((await server.manage('GET', '/collections/orders')).json.description, 'In the draft')
    assertFaultless(visit, 'a draft')
  })

  test('while a gateway thread hangs a change is said to be not confirmed, and once the thread runs the change is in force', async () => {
    const data = join(folder, 'data')
    let token: string
    {
      await using first = await startTestServer({ data })
      await addPeople(first)
      token = await publishOrders(first, upstream.url)
    }
    const [certificate, key] = [join(folder, 'a.pem'), join(folder, 'a.key')]
    writeFileSync(certificate, CERTIFICATE)
    writeFileSync(key, PRIVATE_KEY)
    // Over HTTP/2 all requests of the page go to one thread
    const tls = ['--control-tls-cert', certificate, '--control-tls-key', key]
    const up = await startUp(data, ['--workers', '2', ...tls], DEBUGGED)
    try {
      using threads = await debugThreads(up.output())
      const signInOrigin = `http://localhost:${new URL(up.gatewayUrl).port}`
      await using visit = await visitor(browser, [up.controlUrl, signInOrigin], { anyCertificate: true })
      const { page } = visit
      await signIn(page, up.controlUrl, 'ann')
      await openPage(page, up.controlUrl, '/clients/acme')
      const press = async (name: 'Deactivate' | 'Activate'): Promise<void> => {
        await page.getByRole('main').getByRole('button', { name, exact: true }).click()
        const dialog = page.getByRole('dialog')
        await dialog.getByRole('button', { name: 'Review the change' }).click()
        await dialog.getByRole('button', { name, exact: true }).click()
        await dialog.waitFor({ state: 'detached' })
      }
      /** Statuses of calls on connections of their own, which are spread over both threads. */
      const statuses = async (): Promise<number[]> => {
        const answers = await Promise.all(
          Array.from({ length: 16 }, () =>
            call('GET', `${up.gatewayUrl}/orders/v1/orders/1`, { token, headers: { connection: 'close' } }),
          ),
        )
        return [...new Set(answers.map(({ status }) => status))]
      }
      const said = page.getByRole('status').last()
      assert.deepEqual(await statuses(), [200])

      const hanging = await pauseOther(threads, page)
      await press('Deactivate')
      await said.getByText('Not all gateway threads have confirmed').waitFor()
      assert.equal(await said.getByText(/^Done/).count(), 0)

      await threads.resume(hanging)
      await until(statuses, (found) => isDeepStrictEqual(found, [403]))
      await press('Activate')
      await said.getByText(/^Done/).waitFor()
      assert.deepEqual(await statuses(), [200])
      assertFaultless(visit, 'a thread that hangs')
    } finally {
      await killNow(up)
    }
  })

  test('single keys open, move and help, and a person can switch them off', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await page.keyboard.press('?')
    const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
    await help.getByLabel('Shortcuts of a single key').uncheck()
    await page.keyboard.press('Escape')
    await help.waitFor({ state: 'detached' })
    await page.keyboard.press('?')
    await page.keyboard.press('g')
    await page.keyboard.press('c')
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Search or run' }).waitFor()
    assert.equal(await help.count(), 0)
    assert.equal(new URL(page.url()).pathname, '/console/')
    await page.keyboard.press('Escape')
    await page.evaluate('localStorage.clear()')
    await page.keyboard.press('g')
    await page.keyboard.press('c')
    await page.getByRole('heading', { name: 'Collections', level: 1 }).waitFor()
    assertFaultless(visit, 'keys')
  })

  test('the palette goes to a page, finds a resource and runs an operation, by keyboard alone', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    const pick = async (text: string, option: RegExp, title: string | RegExp): Promise<void> => {
      await page.keyboard.press('Control+k')
      await page.getByRole('combobox', { name: 'Search or run' }).waitFor()
      await page.keyboard.type(text)
      await page.getByRole('option', { name: option, selected: true }).waitFor()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: title, level: 1 }).waitFor()
    }
    await pick('Trust rules', /^Trust rules/, 'Trust rules')
    await pick('Get order', /^Get order/, /^Get order/)
    assert.match(new URL(page.url()).pathname, /^\/console\/proxies\//)
    await pick('audit.verify', /audit\.verify/, /./)
    assert.equal(new URL(page.url()).pathname, '/console/run/audit.verify')
    await page.getByRole('main').getByRole('button', { name: 'Show', exact: true }).waitFor()
    await pick('upstream_timeout', /^upstream_timeout/, PROBLEMS.upstream_timeout.title)
    assert.equal(new URL(page.url()).pathname, '/console/problems/upstream_timeout')
    assertFaultless(visit, 'palette')
  })

  test('the code of a failure leads to its page in another tab, and what was typed stays', async () => {
    await using visit = await visitor(browser, origins)
    const { page, context } = visit
    await signIn(page, origin, 'ann')
    for (const hand of [pointerOn(page), keyboardOn(page)]) {
      await opened(page, '/collections/new')
      const name = page.getByLabel(/^Name/).first()
      await hand.fill(name, `Typed by ${hand.name}`)
      await hand.press(page.getByRole('button', { name: 'Review the change' }))
      const code = page.getByRole('alert').getByRole('link', { name: /^input_invalid/ })
      const other = context.waitForEvent('page')
      await hand.press(code)
      const tab = await other
      await tab.getByRole('heading', { name: PROBLEMS.input_invalid.title, level: 1 }).waitFor()
      const { pathname } = new URL(tab.url())
      assert.equal(pathname, '/console/problems/input_invalid')
      await tab.close()
      assert.equal(await name.inputValue(), `Typed by ${hand.name}`)
      // With edits, the browser would ask before the page is opened anew
      await name.fill('')
    }
    const refused = visit.faults.filter((fault) => !fault.includes('status of 4'))
    assert.deepEqual(refused, [])
  })

  test('a problem code that this version does not have is said to be unknown', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    for (const code of ['no_such_code', 'constructor', '%3Cscript%3E']) {
      await opened(page, `/problems/${code}`)
      await page.getByRole('heading', { name: 'Unknown problem code', level: 1 }).waitFor()
      await page.getByText(`does not define the code ${decodeURIComponent(code)}.`).waitFor()
    }
    await page.getByRole('main').getByRole('link', { name: 'Problem codes' }).click()
    await page.getByRole('main').getByRole('link', { name: 'route_not_found', exact: true }).click()
    await page.getByText(PROBLEMS.route_not_found.help).waitFor()
    assertFaultless(visit, 'problem codes')
  })

  test('while Postern does not respond a page keeps what it shows, says how old it is, and comes up to date by itself', async () => {
    await using visit = await visitor(browser, origins)
    const { page, context } = visit
    await signIn(page, origin, 'ann')
    await page.goto(`${origin}/console/policies`)
    await page.getByRole('link', { name: 'Gold' }).first().waitFor()
    await page.goto(`${origin}/console/policies/gold`)
    await page.getByText('Counted by all gateway threads').waitFor()
    await page.waitForLoadState('networkidle')
    await context.setOffline(true)
    const bar = page.getByRole('status').filter({ hasText: 'Postern does not respond' })
    await bar.getByText(/Showing data from \d+ s ago\./).waitFor()
    assert.equal(await page.getByText('requests in any minute').count(), 1)
    assert.equal(await page.getByRole('alert').count(), 0)
    // What was not asked for before is not there to be shown, and the frame stays
    await page.getByRole('navigation').getByRole('link', { name: 'Workflows', exact: true }).click()
    await page.getByRole('heading', { name: 'Workflows', level: 1 }).waitFor()
    await context.setOffline(false)
    await bar.waitFor({ state: 'detached' })
    await page.getByRole('heading', { name: 'No workflows yet' }).waitFor()
    assert.deepEqual([...new Set(visit.faults)], ['Failed to load resource: net::ERR_INTERNET_DISCONNECTED'])
  })
})
