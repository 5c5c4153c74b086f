/** An instance as a person meets it: new, in production, and brought up to date while a page of it is open. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { callAsAgent, created, startTestServer, type TestServer, until } from '../scenarios/server.ts'
import { startUpstream, type TestUpstream } from '../scenarios/upstream.ts'
import { assertFaultless, launch, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { keyboardOn, pointerOn } from './hands.ts'
import { addPeople } from './start-console.ts'

/** In YAML: what people paste. */
const description = (url: string): string => `openapi: 3.1.0
info: { title: Warehouse, version: '1' }
servers: [{ url: '${url}' }]
paths:
  /shelves:
    get:
      operationId: list-shelves
      responses: { '200': { description: found } }
`

suite('an instance in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let upstream: TestUpstream

  before(async () => {
    upstream = await startUpstream()
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await upstream?.[Symbol.asyncDispose]()
  })

  const started = async (flags: readonly string[] = []): Promise<TestServer> => {
    const server = await startTestServer({ workers: 1, flags })
    await addPeople(server)
    return server
  }

  for (const handOn of [pointerOn, keyboardOn])
    test(`each first step leads to its page, and is done once it has really happened, with the ${handOn(null as never).name}`, async () => {
      await using server = await started()
      const { controlUrl, origin } = server.running
      await using visit = await visitor(browser, [controlUrl, origin])
      const { page } = visit
      const hand = handOn(page)
      await signIn(page, controlUrl, 'ann')
      const steps = page
        .locator('section')
        .filter({ has: page.getByRole('heading', { name: /^(?:First steps|What to do next)$/ }) })
      const done = async (): Promise<string[]> => {
        await openPage(page, controlUrl, '/')
        await steps.waitFor()
        const items = await steps.getByRole('listitem').allInnerTexts()
        return items.filter((text) => / done\b/.test(text)).map((text) => text.split(/ (?:done|open)\b/)[0]!)
      }
      const begin = async (step: string, heading: string | RegExp): Promise<void> => {
        await hand.press(steps.getByRole('link', { name: step }))
        await page.getByRole('heading', { name: heading, level: 1 }).waitFor()
        await page.waitForLoadState('networkidle')
      }
      assert.deepEqual(await done(), [])

      await begin('Add an API', 'Import a description')
      const text = page.getByLabel('Or paste the text')
      // Nobody types a whole description
      await text.fill(description(upstream.url))
      await hand.press(page.getByRole('button', { name: 'Show the plan' }))
      await hand.press(page.getByRole('button', { name: 'Import', exact: true }))
      await page.getByRole('link', { name: 'Open the collection warehouse' }).waitFor()
      assert.deepEqual(await done(), ['Add an API'])

      await begin('Publish it', 'Collections')
      await hand.press(page.getByRole('table').getByRole('link', { name: 'Warehouse' }))
      await hand.press(page.getByRole('button', { name: 'Publish' }))
      const dialog = page.getByRole('dialog', { name: 'Publish Warehouse' })
      await dialog.getByText('Callers can reach it at once.').waitFor()
      // An import makes proxies that are published with their collection
      await dialog.getByText('It has no draft proxies').waitFor()
      await hand.press(dialog.getByRole('button', { name: 'Review the change' }))
      await hand.press(dialog.getByRole('button', { name: 'Publish' }))
      await dialog.waitFor({ state: 'detached' })
      assert.deepEqual(await done(), ['Add an API', 'Publish it'])

      await begin('Create a client', 'New client')
      await hand.fill(page.getByLabel(/^Name/), 'Shop')
      await hand.pick(page.getByLabel('Add to Collections'), 'warehouse')
      await hand.press(page.getByRole('button', { name: 'Review the change' }))
      await hand.press(page.getByRole('button', { name: 'Create' }))
      const token = (await page.getByRole('region', { name: 'Token of Shop' }).innerText()).trim()
      await hand.check(page.getByLabel('I have stored it'))
      await hand.press(page.getByRole('button', { name: 'Close' }))
      await page.getByRole('heading', { name: /^Shop/, level: 1 }).waitFor()
      assert.deepEqual(await done(), ['Add an API', 'Publish it', 'Create a client'])

      assert.equal((await server.gateway('GET', '/', { token })).status, 404)
      await until(
        () => server.manage('GET', '/records?status=404'),
        ({ json }) => json.items.length === 1,
      )
      assert.deepEqual(await done(), ['Add an API', 'Publish it', 'Create a client'], 'a 404 is no call')
      await begin('Make the first call', /^Default/)
      const curl = await page.getByRole('region', { name: 'curl', exact: true }).innerText()
      assert.ok(curl.startsWith(`curl ${origin}/warehouse/shelves`), curl)
      assert.equal((await server.gateway('GET', '/warehouse/shelves', { token })).status, 200)
      await until(
        () => server.manage('GET', '/records?surface=gateway&status=200'),
        ({ json }) => json.items.length === 1,
      )
      assert.deepEqual(await done(), ['Add an API', 'Publish it', 'Create a client', 'Make the first call'])
      await begin('Let an agent call it', 'Records')
      const proxy = (await server.manage('GET', '/proxies?collection=warehouse')).json.items[0]
      await callAsAgent(server, token, { endpoint: `warehouse:${proxy.slug}` })
      await until(
        () => server.manage('GET', '/records?surface=gateway_mcp'),
        ({ json }) => json.items.length > 0,
      )
      // Where agents call, there is nothing to begin with
      await openPage(page, controlUrl, '/')
      await page.getByRole('heading', { name: 'Refusals and errors' }).waitFor()
      assert.equal(await steps.count(), 0)
      assertFaultless(visit, 'first steps')
    })

  test('the environment stands in the header, and in production each change of what is there asks for its slug', async () => {
    for (const environment of ['staging', 'production']) {
      const isProduction = environment === 'production'
      await using server = await started(['--env', environment])
      await created(server.manage('POST', '/policies', { name: 'Gold', slug: 'gold' }))
      const { controlUrl, origin } = server.running
      for (const width of [1440, 390]) {
        await using visit = await visitor(browser, [controlUrl, origin], { width })
        const { page } = visit
        await signIn(page, controlUrl, 'ann')
        const badge = page
          .getByTitle(isProduction ? 'Production: type the slug to confirm each change' : 'Environment')
          .filter({ visible: true })
        assert.equal(await badge.innerText(), environment)
        await openPage(page, controlUrl, '/policies/gold?tab=edit')
        await page.getByLabel('Description').fill(`at ${width}`)
        await page.getByRole('button', { name: 'Review the change' }).click()
        const save = page.getByRole('button', { name: 'Save' })
        await save.waitFor()
        const word = page.getByLabel('Type gold to confirm')
        assert.equal(await word.count(), isProduction ? 1 : 0)
        if (isProduction) {
          await page.getByText('This is a production environment.').waitFor()
          assert.equal(await save.isDisabled(), true)
          await word.fill('golf')
          assert.equal(await save.isDisabled(), true)
          await word.fill('gold')
        }
        await save.click()
        await page.waitForURL(`${controlUrl}/console/policies/gold`)
        assert.equal((await server.manage('GET', '/policies/gold')).json.description, `at ${width}`)
        // What is new changes nothing that callers use
        await openPage(page, controlUrl, '/policies/new')
        await page.getByLabel(/^Name/).fill(`New at ${width}`)
        await page.getByRole('button', { name: 'Review the change' }).click()
        await page.getByRole('button', { name: 'Create' }).click()
        await page.getByRole('heading', { name: new RegExp(`^New at ${width}`) }).waitFor()
        assertFaultless(visit, `${environment} at ${width}`)
      }
    }
  })

  test('a page whose files are gone after an update opens anew, once; if they are still not there it says so', async () => {
    await using server = await started()
    const { controlUrl, origin } = server.running
    await using visit = await visitor(browser, [controlUrl, origin])
    const { page } = visit
    await signIn(page, controlUrl, 'ann')
    await page.waitForLoadState('networkidle')
    let isGone = true
    const manifest = JSON.parse(
      readFileSync(join(import.meta.dirname, '../../ui/dist/manifest.json'), 'utf8'),
    )
    const { file } = manifest['src/screens/analytics/page.tsx']
    await page.route(`**/console/${file}`, (route) =>
      isGone ? route.fulfill({ status: 404, contentType: 'text/plain', body: 'not here' }) : route.fallback(),
    )
    let loads = 0
    page.on('load', () => loads++)
    // By keys: the pointer would ask for the files of a link before it is pressed
    const analytics = async (): Promise<void> => {
      await page.keyboard.press('g')
      await page.keyboard.press('y')
    }
    const anew = page.waitForEvent('load')
    await analytics()
    await anew
    isGone = false
    await openPage(page, controlUrl, new URL(page.url()).pathname.replace('/console', ''))
    await page.getByRole('heading', { name: 'Analytics', level: 1 }).waitFor()
    assert.equal(loads, 2, 'the page was opened anew once, and then by this test')
    isGone = true
    await openPage(page, controlUrl, '/policies')
    loads = 0
    await analytics()
    await page.getByText('Could not load this page.').waitFor()
    assert.equal(loads, 0, 'it does not go on opening the page')
    await page.getByRole('navigation', { name: 'Main' }).waitFor()
  })
})
