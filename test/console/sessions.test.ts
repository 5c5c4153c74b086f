/** Sign-in and session in a real browser: over HTTPS, through an external identity provider, and after a restart. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { textTool } from '../mcp/fixture/catalogue.ts'
import { startFixture } from '../mcp/fixture/fixture.ts'
import { created, startTestServer } from '../scenarios/server.ts'
import { Issuer, signingKey } from '../support/issuer.ts'
import { ownPort } from '../support/ports.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../wire/certificate.ts'
import { assertFaultless, launch, SKIPPED, signIn, visitor } from './chromium.ts'
import { addPeople } from './start-console.ts'

suite('sign-in and session, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let directory: string

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'postern-sessions-'))
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await rm(directory, { recursive: true, force: true })
  })

  test('a session outlives a restart, and over HTTPS its cookie is bound to the host, also for the tester', async () => {
    await using desk = await startFixture({ eras: 'modern', isFilled: false })
    desk.catalogue.putTool(textTool('read_ticket', () => 'Ticket 7'))
    const data = join(directory, 'data')
    const controlListen = `127.0.0.1:${await ownPort()}`
    {
      await using server = await startTestServer({ data, controlListen })
      await addPeople(server)
      await created(server.manage('POST', '/origins', { name: 'Desk', slug: 'desk', url: desk.url }))
      await created(
        server.manage('POST', '/virtual_mcps', {
          ...{ name: 'Desk', slug: 'desk', status: 'published' },
          ...{ members: [{ origin: 'desk' }], all_users: true },
        }),
      )
    }
    const origin = `http://${controlListen}`
    let server = await startTestServer({ data, controlListen })
    try {
      await using visit = await visitor(browser, [origin, server.running.origin])
      const { page, context } = visit
      await signIn(page, origin, 'ann', '/console/policies')
      await server.stop()
      server = await startTestServer({ data, controlListen })
      visit.faults.length = 0
      await page.reload()
      await page.getByRole('heading', { name: 'Policies', level: 1 }).waitFor()
      assert.equal(await page.getByRole('link', { name: 'Sign in' }).count(), 0)
      const [session] = (await context.cookies()).filter(({ name }) => name.endsWith('postern_console'))
      assert.deepEqual(
        [session!.name, session!.secure, session!.httpOnly, session!.sameSite],
        ['postern_console', false, true, 'Strict'],
      )
      assertFaultless(visit, 'after the restart')
      await server.stop()

      const file = async (name: string, text: string) => {
        await writeFile(join(directory, name), text)
        return join(directory, name)
      }
      const tls = [
        ...['--control-tls-cert', await file('a.pem', CERTIFICATE)],
        ...['--control-tls-key', await file('a.key', PRIVATE_KEY)],
      ]
      server = await startTestServer({ data, controlListen, flags: tls })
      const secure = `https://${controlListen}`
      await using second = await visitor(browser, [secure, server.running.origin], { anyCertificate: true })
      await signIn(second.page, secure, 'ann', '/console/policies')
      await second.page.getByRole('heading', { name: 'Policies', level: 1 }).waitFor()
      const own = (await second.context.cookies()).filter(({ name }) => name.endsWith('postern_console'))
      assert.deepEqual(
        own.map(({ name, secure: isSecure, httpOnly, sameSite, path, domain }) => [
          ...[name, isSecure, httpOnly, sameSite, path, domain],
        ]),
        [['__Host-postern_console', true, true, 'Strict', '/', '127.0.0.1']],
      )
      await second.page.goto(`${secure}/console/virtual_mcps/desk?tab=test`)
      await second.page.getByRole('button', { name: 'Connect', exact: true }).click()
      await second.page.getByRole('button', { name: 'read_ticket' }).click()
      await second.page.getByRole('button', { name: 'Call tool' }).click()
      await second.page
        .getByRole('region', { name: 'Content 1', exact: true })
        .getByText('Ticket 7')
        .waitFor()
      assertFaultless(second, 'over HTTPS')
    } finally {
      await server.stop()
    }
  })

  test('a Postern that is overloaded has signed nobody out', async () => {
    await using server = await startTestServer()
    await addPeople(server)
    const origin = server.running.controlUrl
    await using visit = await visitor(browser, [origin, server.running.origin])
    const { page } = visit
    await signIn(page, origin, 'ann')
    for (const body of ['{"code":"overloaded"}', '<h1>Bad gateway</h1>']) {
      await page.route('**/console/session', (route) => route.fulfill({ status: 503, body }))
      await page.goto(`${origin}/console/policies`)
      await page.getByText('Could not check whether you are signed in (status 503). Try again.').waitFor()
      assert.equal(await page.getByRole('link', { name: 'Sign in' }).count(), 0)
      await page.unroute('**/console/session')
      await page.getByRole('button', { name: 'Try again' }).click()
      await page.getByRole('heading', { name: 'Policies', level: 1 }).waitFor()
    }
    await page.route('**/console/logout', (route) => route.fulfill({ status: 503, body: '' }))
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('You may still be signed in').waitFor()
    await page.unroute('**/console/logout')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('link', { name: 'Sign in' }).waitFor()
  })

  test('nothing of a person stays in a tab for whoever comes after them', async () => {
    await using server = await startTestServer()
    await addPeople(server, { ann: 'admin', bob: 'admin' })
    await created(server.manage('POST', '/policies', { name: 'Gold' }))
    const origin = server.running.controlUrl
    await using visit = await visitor(browser, [origin, server.running.origin])
    const { page: first, context } = visit
    await signIn(first, origin, 'ann', '/console/policies/new')
    // By keys: a browser asks for nothing on a page that nobody has touched
    await first.getByLabel(/^Name/).click()
    await first.keyboard.type('Entered by Ann')
    const second = await context.newPage()
    const signOut = async (): Promise<void> => {
      await second.getByRole('button', { name: 'Sign out' }).click()
      await second.getByRole('link', { name: 'Sign in' }).waitFor()
    }
    await second.goto(`${origin}/console/`)
    await signOut()
    await signIn(second, origin, 'bob')
    const reloaded = first.waitForEvent('load')
    await first.evaluate(`dispatchEvent(new Event('visibilitychange'))`)
    await reloaded
    await first.locator('footer').getByText('bob').waitFor()
    await first.waitForLoadState('networkidle')
    assert.equal(await first.getByLabel(/^Name/).inputValue(), '')

    await first.goto(`${origin}/console/policies`)
    await first.getByText('Gold').first().waitFor()
    await signOut()
    // What a browser says of a page that it has kept for the way back
    await first.evaluate(`dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))`)
    await first.getByRole('link', { name: 'Sign in' }).waitFor()
    assert.equal(await first.getByText('Gold').count(), 0)
  })

  test('a person whom an identity provider knows signs in there, and sees what their groups may do', async () => {
    await using issuer = await new Issuer(signingKey('k1')).listen()
    issuer.person = { sub: 'ada', name: 'Ada Lovelace', email: 'ada@example.com', groups: ['devs'] }
    await using server = await startTestServer({
      flags: [
        ['--oidc-issuer', issuer.url],
        ['--oidc-client-id', 'postern'],
        ['--oidc-client-secret', 'secret'],
        ['--oidc-role-map', 'group:devs=modifier:collections'],
      ].flat(),
    })
    const origin = server.running.controlUrl
    await using visit = await visitor(browser, [origin, server.running.origin, new URL(issuer.url).origin])
    const { page } = visit
    await page.goto(`${origin}/console/collections`)
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.locator('a[href$="/provider"]').click()
    await page.waitForURL(`${origin}/console/collections`)
    await page.getByRole('heading', { name: 'Collections', level: 1 }).waitFor()
    await page.getByRole('link', { name: 'New collection' }).first().waitFor()
    const places = page.getByRole('navigation')
    assert.equal(await places.getByRole('link', { name: 'Collections', exact: true }).count(), 1)
    assert.equal(await places.getByRole('link', { name: 'Audit', exact: true }).count(), 0)
    await page.goto(`${origin}/console/`)
    await page.getByText('Signed in as ada').waitFor()
    const { items } = (await server.manage('GET', '/audit?actor=ada&limit=50')).json
    assert.ok(items.some(({ operation }: { operation: string }) => operation === 'access.sign_in'))
    assertFaultless(visit, 'the provider')
  })
})
